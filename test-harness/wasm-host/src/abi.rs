//! The wire forms of proxy-wasm ABI 0.2.1: status codes, map and buffer numbers, and how maps and
//! property paths are laid out in guest memory.
//!
//! Pure functions over bytes. Nothing here knows a host or a VM.

/// A header or trailer: name and value as bytes, since neither need be UTF-8.
pub type Pair = (Vec<u8>, Vec<u8>);

/// What a host call answers, with the numbers of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(i32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// There is no such thing.
    NotFound = 1,
    /// An argument makes no sense here.
    BadArgument = 2,
    /// A value could not be written in the ABI's form.
    SerializationFailure = 3,
    /// A value was not in the ABI's form.
    ParseFailure = 4,
    /// A pointer leads outside the guest's memory.
    InvalidMemoryAccess = 6,
    /// A queue has nothing in it.
    Empty = 7,
    /// Somebody else wrote the key in between.
    CasMismatch = 8,
    /// The host could not.
    InternalFailure = 10,
    /// The host never learnt to.
    Unimplemented = 12,
}

/// How grave a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

impl Level {
    pub(crate) fn from_abi(level: i32) -> Option<Self> {
        Some(match level {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            4 => Self::Error,
            5 => Self::Critical,
            _ => return None,
        })
    }
}

/// The header maps that this host has something to say about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapType {
    RequestHeaders,
    RequestTrailers,
    CallResponseHeaders,
    CallResponseTrailers,
    /// A response map, or a gRPC one: the response phase is not modelled.
    Absent,
}

impl MapType {
    pub(crate) fn from_abi(map: i32) -> Option<Self> {
        Some(match map {
            0 => Self::RequestHeaders,
            1 => Self::RequestTrailers,
            6 => Self::CallResponseHeaders,
            7 => Self::CallResponseTrailers,
            2..=5 => Self::Absent,
            _ => return None,
        })
    }
}

/// The buffers that this host has something to say about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BufferType {
    RequestBody,
    CallResponseBody,
    VmConfiguration,
    PluginConfiguration,
    Absent,
}

impl BufferType {
    pub(crate) fn from_abi(buffer: i32) -> Option<Self> {
        Some(match buffer {
            0 => Self::RequestBody,
            4 => Self::CallResponseBody,
            6 => Self::VmConfiguration,
            7 => Self::PluginConfiguration,
            1..=3 | 5 | 8 => Self::Absent,
            _ => return None,
        })
    }
}

/// Lays a map out as the ABI wants it: the count, then all lengths, then names and values, each
/// closed by a NUL that its length doesn't count.
#[must_use]
pub fn encode_map<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let pairs: Vec<_> = pairs.into_iter().collect();
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&length(pairs.len()));
    for (name, value) in &pairs {
        bytes.extend_from_slice(&length(name.len()));
        bytes.extend_from_slice(&length(value.len()));
    }
    for (name, value) in &pairs {
        for part in [name, value] {
            bytes.extend_from_slice(part);
            bytes.push(0);
        }
    }
    bytes
}

/// Reads a map back; `None` when it isn't in the form that [`encode_map`] writes.
#[must_use]
pub fn decode_map(bytes: &[u8]) -> Option<Vec<Pair>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (count, mut rest) = take_length(bytes)?;
    let mut sizes = Vec::new();
    for _ in 0..count {
        let (name, after) = take_length(rest)?;
        let (value, after) = take_length(after)?;
        sizes.push((name, value));
        rest = after;
    }
    let mut pairs = Vec::with_capacity(sizes.len());
    for (name, value) in sizes {
        let (name, after) = take_terminated(rest, name)?;
        let (value, after) = take_terminated(after, value)?;
        pairs.push((name, value));
        rest = after;
    }
    Some(pairs)
}

/// A property path (`a NUL b NUL c`) as the dotted name both hosts know it by.
pub(crate) fn dotted(path: &[u8]) -> String {
    String::from_utf8_lossy(path)
        .trim_end_matches('\0')
        .replace('\0', ".")
}

/// Sizes and counts as the ABI passes them, in 32 bits. Nothing in a test gets past that.
pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn length(n: usize) -> [u8; 4] {
    count(n).to_le_bytes()
}

fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*head)).ok()?, rest))
}

fn take_terminated(bytes: &[u8], size: usize) -> Option<(Vec<u8>, &[u8])> {
    let (value, rest) = bytes.split_at_checked(size)?;
    let (nul, rest) = rest.split_first()?;
    (*nul == 0).then(|| (value.to_vec(), rest))
}

#[cfg(test)]
mod tests {
    use super::{decode_map, dotted, encode_map};

    #[test]
    fn a_map_is_written_byte_for_byte_as_the_abi_says() {
        let bytes = encode_map([
            (b":method".as_slice(), b"GET".as_slice()),
            (b"a".as_slice(), b"".as_slice()),
        ]);
        assert_eq!(
            bytes,
            b"\x02\0\0\0\x07\0\0\0\x03\0\0\0\x01\0\0\0\0\0\0\0:method\0GET\0a\0\0"
        );
        assert_eq!(
            decode_map(&bytes).unwrap(),
            vec![
                (b":method".to_vec(), b"GET".to_vec()),
                (b"a".to_vec(), Vec::new())
            ]
        );
    }

    #[test]
    fn a_cut_off_map_is_refused() {
        let bytes = encode_map([(b"a".as_slice(), b"b".as_slice())]);
        for end in 1..bytes.len() {
            assert_eq!(decode_map(&bytes[..end]), None, "{end} bytes");
        }
    }

    #[test]
    fn a_property_path_reads_with_dots() {
        assert_eq!(dotted(b"xds\0route_name"), "xds.route_name");
        assert_eq!(dotted(b"jobgate.x"), "jobgate.x");
    }
}
