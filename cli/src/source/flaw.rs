//! What keeps a document from being read.

use super::Span;

/// One thing that can't be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) span: Span,
    /// What is wrong.
    pub(crate) message: String,
    /// How to mend it.
    pub(crate) fix: String,
}

impl Flaw {
    pub(crate) fn new(span: Span, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            fix: fix.into(),
        }
    }

    /// A name that an object has twice.
    pub(crate) fn twice(span: Span, name: &str) -> Self {
        Self::new(
            span,
            format!("the member {name:?} is there twice, and parsers disagree on which one counts"),
            "keep one of them",
        )
    }
}
