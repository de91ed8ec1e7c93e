//! Which Kong this is: they differ in what can be asked of them without a trap.

use proxy_wasm::hostcalls;
use std::cell::Cell;

/// The version of a Kong from 3.6 on. Those before do not tell theirs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u32,
    minor: u32,
}

thread_local! {
    /// It stays what it is as long as the VM lives.
    static KONG: Cell<Option<Option<Version>>> = const { Cell::new(None) };
}

impl Version {
    /// The version of this Kong: nothing as long as it can't be asked, which is before the VM's first request, and
    /// `Some(None)` for a Kong before 3.6 or another nginx.
    pub(super) fn of_kong() -> Option<Option<Self>> {
        if let known @ Some(_) = KONG.get() {
            return known;
        }
        // It fails where there is no request.
        let told = hostcalls::get_property(vec!["kong", "version"]).ok()?;
        let found = told.map(|text| Self::parse(&String::from_utf8_lossy(&text)));
        KONG.set(Some(found));
        Some(found)
    }

    /// Whether names of routes and services are properties.
    pub(super) fn tells_names(self) -> bool {
        self >= Self { major: 3, minor: 9 }
    }

    /// Whether there are metrics. Where there are none, to define one ends the VM.
    pub(super) fn has_metrics(self) -> bool {
        self >= Self { major: 3, minor: 8 }
    }

    /// What is no number counts as old.
    fn parse(text: &str) -> Self {
        let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
        let mut part = || parts.next().unwrap_or(0);
        Self {
            major: part(),
            minor: part(),
        }
    }
}
