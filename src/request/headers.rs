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
    /// Where they are in it: a request's headers are gone through several times.
    places: Vec<Place>,
}

/// Where a name begins and ends in a block, and the value behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    name: usize,
    name_end: usize,
    value: usize,
    value_end: usize,
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
        let places = places(&block).ok_or(NoHeaderMap)?;
        for place in &places {
            if let Some(name) = block.get_mut(place.name..place.name_end) {
                name.make_ascii_lowercase();
            }
        }
        Ok(Self { block, places })
    }

    /// How many there are, pseudo-headers included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
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
        Headers {
            block: &self.block,
            places: self.places.iter(),
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
    places: std::slice::Iter<'a, Place>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    #[inline]
    fn next(&mut self) -> Option<Header<'a>> {
        let place = self.places.next()?;
        Some(Header {
            name: self.block.get(place.name..place.name_end)?,
            value: self.block.get(place.value..place.value_end)?,
        })
    }
}

/// Where a block's headers are; none if one of them would not be within it.
fn places(block: &[u8]) -> Option<Vec<Place>> {
    let (count, rest) = block.split_first_chunk::<NUMBER>()?;
    let size = number(*count)?.checked_mul(2 * NUMBER)?;
    let lengths = rest.get(..size)?;
    let mut at = size.checked_add(NUMBER)?;
    let mut places = Vec::with_capacity(size / (2 * NUMBER));
    let mut lengths = lengths.as_chunks::<NUMBER>().0.iter().copied();
    while let (Some(name), Some(value)) = (lengths.next(), lengths.next()) {
        let name_end = at.checked_add(number(name)?)?;
        let value_begin = name_end.checked_add(1)?;
        let value_end = value_begin.checked_add(number(value)?)?;
        places.push(Place {
            name: at,
            name_end,
            value: value_begin,
            value_end,
        });
        at = value_end.checked_add(1)?;
        if at > block.len() {
            return None;
        }
    }
    Some(places)
}

fn number(bytes: [u8; NUMBER]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes)).ok()
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
        // More than 4 GiB of them are none.
        Self::from_block([number(count).as_slice(), &lengths, &texts].concat()).unwrap_or_default()
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
            .all(|(a, b)| a == b || folded(*a) == folded(*b))
}

/// One byte for every spelling of a header name's character. CGI makes `_` of whatever is not a letter or
/// a digit, so `x.jobgate-rule` is `X_JOBGATE_RULE` too.
#[inline]
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
