//! The request's headers, in order, with repeated ones apart.

/// One header as it arrived: the name in lower case, both as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name in lower case.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

/// All headers of a request in the order of arrival, in the one block of memory in which a gateway hands them over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderMap {
    /// As the proxy-wasm ABI writes maps: the count, the lengths of each name and value, then each name and value with
    /// a zero byte behind it. Numbers have 32 bits, the least significant first.
    block: Vec<u8>,
}

/// A block of memory is no map of headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoHeaderMap;

/// The bytes of a number in a block.
const NUMBER: usize = size_of::<u32>();

impl HeaderMap {
    /// The headers in a block as the proxy-wasm ABI (0.2.1) writes maps. An empty block is an empty map.
    ///
    /// # Errors
    /// The block ends before its headers do.
    pub fn from_block(mut block: Vec<u8>) -> Result<Self, NoHeaderMap> {
        if block.is_empty() {
            return Ok(Self::default());
        }
        number(&block, 0).ok_or(NoHeaderMap)?;
        let mut lengths = Lengths::of(&block);
        let mut at = lengths.end().ok_or(NoHeaderMap)?;
        for _ in 0..lengths.count {
            let (name, value) = lengths.next(&block).ok_or(NoHeaderMap)?;
            let end = at.checked_add(name).ok_or(NoHeaderMap)?;
            block
                .get_mut(at..end)
                .ok_or(NoHeaderMap)?
                .make_ascii_lowercase();
            at = end
                .checked_add(value)
                .and_then(|end| end.checked_add(2))
                .filter(|end| *end <= block.len())
                .ok_or(NoHeaderMap)?;
        }
        Ok(Self { block })
    }

    /// How many there are, pseudo-headers included.
    #[must_use]
    pub fn len(&self) -> usize {
        Lengths::of(&self.block).count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of the first header of exactly this name (pseudo-headers included).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|header| header.name == name.as_bytes())
            .map(|header| header.value)
    }

    /// Every header of this name in any spelling: servers that speak CGI's dialect take `_` for `-`.
    pub fn like(&self, name: &str) -> impl Iterator<Item = Header<'_>> {
        self.iter()
            .filter(move |header| same_name(header.name, name.as_bytes()))
    }

    /// All headers in order.
    #[must_use]
    pub fn iter(&self) -> Headers<'_> {
        let lengths = Lengths::of(&self.block);
        let rest = lengths.end().and_then(|at| self.block.get(at..));
        Headers {
            block: &self.block,
            lengths,
            rest: rest.unwrap_or_default(),
        }
    }
}

impl<'a> IntoIterator for &'a HeaderMap {
    type Item = Header<'a>;
    type IntoIter = Headers<'a>;

    fn into_iter(self) -> Headers<'a> {
        self.iter()
    }
}

/// The headers of a map in order.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    block: &'a [u8],
    lengths: Lengths,
    /// The names and values that are still to come.
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        let (name, value) = self.lengths.next(self.block)?;
        let (name, rest) = self.rest.split_at_checked(name)?;
        let (value, rest) = rest.get(1..)?.split_at_checked(value)?;
        self.rest = rest.get(1..)?;
        Some(Header { name, value })
    }
}

/// Where the lengths of a block's names and values are.
#[derive(Debug, Clone)]
struct Lengths {
    count: usize,
    /// Of the next two.
    at: usize,
}

impl Lengths {
    fn of(block: &[u8]) -> Self {
        Self {
            count: number(block, 0).unwrap_or(0),
            at: NUMBER,
        }
    }

    /// Where the last of them ends; to be asked before the first is taken.
    fn end(&self) -> Option<usize> {
        self.count.checked_mul(2 * NUMBER)?.checked_add(self.at)
    }

    fn next(&mut self, block: &[u8]) -> Option<(usize, usize)> {
        let end = NUMBER.checked_add(self.count.checked_mul(2 * NUMBER)?)?;
        if self.at >= end {
            return None;
        }
        let name = number(block, self.at)?;
        let value = number(block, self.at.checked_add(NUMBER)?)?;
        self.at = self.at.checked_add(2 * NUMBER)?;
        Some((name, value))
    }
}

fn number(block: &[u8], at: usize) -> Option<usize> {
    let bytes = block.get(at..)?.first_chunk::<NUMBER>()?;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        let (mut lengths, mut texts, mut count) = (Vec::new(), Vec::new(), 0_usize);
        for (name, value) in headers {
            let (name, value) = (name.as_ref(), value.as_ref());
            lengths.extend(number(name.len()));
            lengths.extend(number(value.len()));
            texts.extend(name.to_ascii_lowercase());
            texts.push(0);
            texts.extend(value);
            texts.push(0);
            count = count.saturating_add(1);
        }
        Self {
            block: [number(count).as_slice(), &lengths, &texts].concat(),
        }
    }
}

/// Whether two header names are one and the same to some server.
pub(crate) fn same_name(name: &[u8], other: &[u8]) -> bool {
    name.len() == other.len() && starts_like(name, other)
}

/// Whether a header name begins with a prefix in any spelling.
pub(crate) fn starts_like(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len()
        && name
            .iter()
            .zip(prefix)
            .all(|(a, b)| folded(*a) == folded(*b))
}

/// One byte for every spelling of a header name's character. CGI makes `_` of whatever is not a letter or
/// a digit, so `x.jobgate-rule` is `X_JOBGATE_RULE` too.
const fn folded(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() {
        byte.to_ascii_lowercase()
    } else {
        b'-'
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_found_in_every_spelling() {
        let names = [
            "X-Job-Token",
            "x_job_token",
            "x-job_token",
            "x.job.token",
            "x-job-tokens",
        ];
        let headers: HeaderMap = names.iter().map(|name| (name, "")).collect();
        assert_eq!(headers.like("x-job-token").count(), 4);
        assert_eq!(
            headers
                .iter()
                .filter(|header| starts_like(header.name, b"x-job-"))
                .count(),
            5
        );
        assert!(!starts_like(b"x-jo", b"x-job-"));
    }

    proptest! {
        #[test]
        fn what_a_gateway_writes_is_read_back_in_order_and_what_is_cut_off_is_refused(
            sent in proptest::collection::vec(("[A-Za-z:_-]{0,9}", proptest::collection::vec(any::<u8>(), 0..20)), 0..9),
            cut in any::<prop::sample::Index>(),
        ) {
            // Written here as the ABI's specification says.
            let mut block = u32::try_from(sent.len()).unwrap().to_le_bytes().to_vec();
            for (name, value) in &sent {
                block.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
                block.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
            }
            for (name, value) in &sent {
                block.extend([name.as_bytes(), b"\0", value, b"\0"].concat());
            }
            let headers = HeaderMap::from_block(block.clone()).unwrap();
            let read: Vec<_> = headers.iter().map(|header| (header.name.to_vec(), header.value.to_vec())).collect();
            let expected: Vec<_> =
                sent.iter().map(|(name, value)| (name.to_ascii_lowercase().into_bytes(), value.clone())).collect();
            prop_assert_eq!(&read, &expected);
            prop_assert_eq!(headers.len(), sent.len());
            prop_assert_eq!(&sent.into_iter().collect::<HeaderMap>(), &headers);
            let cut = cut.index(block.len());
            block.truncate(cut);
            prop_assert_eq!(HeaderMap::from_block(block).is_err(), cut > 0);
        }

        #[test]
        fn no_block_is_read_past_its_end(block in proptest::collection::vec(0..9_u8, 0..60)) {
            if let Ok(headers) = HeaderMap::from_block(block) {
                prop_assert_eq!(headers.iter().count(), headers.len());
            }
        }
    }
}
