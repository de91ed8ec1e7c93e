//! The settings by which Envoy lets requests through when the filter fails.

use super::remark::Remark;
use super::tree::{Kind, Node};
use jobgate::policy::Severity;
use serde_json::Value;

/// What is said of a gate if one of these members of `node` opens it.
///
/// Each is a name, the value that opens, and the remedy.
pub(super) fn remark(node: &Node, members: &[(&str, &str, &str)], policy: &str) -> Option<Remark> {
    members.iter().find_map(|(name, opening, fix)| {
        let value = node.get(name)?;
        let is_open = match &value.kind {
            Kind::Text { text, .. } => text == opening,
            Kind::Bare(Value::Bool(is)) => *is && *opening == "true",
            _ => false,
        };
        is_open.then(|| Remark {
            severity: Severity::Warning,
            code: "fails-open",
            policy: policy.to_owned(),
            span: value.span.clone(),
            message: format!(
                "`{name}: {opening}` lets every request through when the filter can't be loaded or its VM dies"
            ),
            fix: format!("write {fix}"),
        })
    })
}
