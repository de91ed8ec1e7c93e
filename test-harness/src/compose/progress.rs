//! What goes on, for people: on the standard error, so that the report has the standard output to itself.

use std::io::{self, Write};

/// Says what comes next.
pub(super) fn heading(text: &str) {
    say("==> ", text);
}

/// Says what happened within it.
pub(super) fn detail(text: &str) {
    say("    ", text);
}

fn say(before: &str, text: &str) {
    for line in text.lines() {
        // That nobody listens any more is no reason to leave a world up.
        let _ = writeln!(io::stderr(), "{before}{line}");
    }
}
