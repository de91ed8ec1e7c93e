//! A JWKS document: whatever is in it, it is read or refused, the same way each time.

#![no_main]

use jobgate_fuzz::key_set;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let kids = ["key-0", "a", ""];
    let read = key_set(data, &kids);
    if let Ok((keys, found)) = read {
        assert!(keys <= 100, "{keys} keys");
        assert!(keys > 0 || found == 0);
        assert!(serde_json::from_slice::<serde_json::Value>(data).is_ok());
    }
    assert_eq!(read, key_set(data, &kids));
});
