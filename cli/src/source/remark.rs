//! What a gateway's configuration says around a policy, and lets requests past the gate by.

use super::Span;
use jobgate::policy::Severity;

/// One such thing, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    pub(crate) severity: Severity,
    /// Stable, for scripts.
    pub(crate) code: &'static str,
    /// The place of the gate's policy; empty if it is about several.
    pub(crate) policy: String,
    pub(crate) span: Span,
    pub(crate) message: String,
    /// How to mend it.
    pub(crate) fix: String,
}
