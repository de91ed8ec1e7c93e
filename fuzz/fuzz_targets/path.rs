//! A request target: what is accepted has one reading.

#![no_main]

use jobgate_fuzz::normal_path;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(path) = normal_path(data) else {
        return;
    };
    assert_eq!(
        normal_path(path.as_bytes()).as_ref(),
        Some(&path),
        "not idempotent"
    );
    // What is matched is what the upstream sees.
    let sent = data.split(|byte| *byte == b'?').next().unwrap_or_default();
    assert_eq!(path.as_bytes(), sent, "another path than was sent");
    assert!(path.starts_with('/') && !path.contains("//"), "{path:?}");
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?}");
    for forbidden in ['?', '#', '\\', ';'] {
        assert!(!path.contains(forbidden), "{path:?}");
    }
    let mut decoded = path.clone().into_bytes();
    let once = decode(&decoded);
    let slashes = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'/').count();
    assert_eq!(slashes(&once), slashes(&decoded), "{path:?}");
    let text = std::str::from_utf8(&once).expect("its escapes are UTF-8");
    let cuts = |c: char| matches!(c, '\\' | ';' | '?' | '#') || c.is_ascii_control();
    assert!(!text.contains(cuts), "{path:?}");
    // Servers that decode twice are no news.
    for _ in 0..3 {
        no_dot_segments(&decoded, &path);
        decoded = decode(&decoded);
    }
});

/// Neither `.` nor `..` is a segment, whatever a server takes for the end of one.
fn no_dot_segments(bytes: &[u8], path: &str) {
    for segment in bytes.split(|byte| matches!(byte, b'/' | b'\\')) {
        let name = segment
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default();
        assert!(name != b"." && name != b"..", "{path:?}");
    }
}

/// Decodes every escape once.
fn decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (mut decoded, mut rest) = (Vec::new(), bytes);
    while let Some((byte, after)) = rest.split_first() {
        match (byte, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    decoded
}
