//! What goes on, for people: on the standard error, so that the report has the standard output to itself.

/// Says what comes next.
pub(super) fn heading(text: &str) {
    eprintln!("==> {text}");
}

/// Says what happened within it.
pub(super) fn detail(text: &str) {
    for line in text.lines() {
        eprintln!("    {line}");
    }
}
