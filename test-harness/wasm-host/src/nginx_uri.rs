//! The URI as nginx normalises it, which Kong shows as `request.url_path`.

/// Decodes a path once, cuts the fragment off and resolves dot segments, encoded ones too.
/// Repeated slashes stay, as Kong sets `merge_slashes off`. `None` where nginx answers 400:
/// a broken escape, an encoded NUL, or a climb above the root.
pub(crate) fn normalise(path: &[u8]) -> Option<Vec<u8>> {
    let end = path.iter().position(|byte| *byte == b'#');
    let decoded = decode(&path[..end.unwrap_or(path.len())])?;
    let segments = decoded.strip_prefix(b"/")?;
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = segments.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b"." if !last => {}
            b"." => kept.push(b""),
            b".." => {
                kept.pop()?;
                if last {
                    kept.push(b"");
                }
            }
            _ => kept.push(segment),
        }
    }
    let mut uri = Vec::with_capacity(decoded.len());
    for segment in kept {
        uri.push(b'/');
        uri.extend_from_slice(segment);
    }
    Some(uri)
}

fn decode(path: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        rest = after;
        let hex = |digit: u8| char::from(digit).to_digit(16);
        let value = u8::try_from(hex(digits[0])? * 16 + hex(digits[1])?).ok()?;
        if value == 0 {
            return None;
        }
        decoded.push(value);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::normalise;

    fn text(path: &str) -> Option<String> {
        normalise(path.as_bytes()).map(|uri| String::from_utf8(uri).unwrap())
    }

    #[test]
    fn escapes_are_decoded_and_dot_segments_resolved_after_it() {
        assert_eq!(text("/a/%2e%2e/b").as_deref(), Some("/b"));
        assert_eq!(text("/a%2f..%2fb").as_deref(), Some("/b"));
        assert_eq!(text("/a/./b/..").as_deref(), Some("/a/"));
        assert_eq!(text("/a//b").as_deref(), Some("/a//b"));
        assert_eq!(text("/").as_deref(), Some("/"));
    }

    #[test]
    fn what_nginx_refuses_is_refused() {
        for path in ["/..", "/%", "/%zz", "/%00", "*", "a"] {
            assert_eq!(text(path), None, "{path}");
        }
    }
}
