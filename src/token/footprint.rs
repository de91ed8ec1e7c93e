//! How much memory values take, counted from above, so that a bound in bytes is one.

use serde_json::Value;

/// A block of this many bytes with what the allocator adds: its header, and the rounding.
pub(crate) const fn block(bytes: usize) -> usize {
    const OVERHEAD: usize = 4 * size_of::<usize>();
    match bytes {
        0 => 0,
        _ => bytes.saturating_add(OVERHEAD),
    }
}

/// What a JSON value holds beside itself. The depth is bounded by the parser.
pub(super) fn beside(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => block(text.capacity()),
        Value::Array(items) => {
            let list = block(items.capacity().saturating_mul(size_of::<Value>()));
            items.iter().map(beside).fold(list, usize::saturating_add)
        }
        Value::Object(members) => {
            // A B-tree's node has room for 11 members and is filled with 5 at least, but for the root.
            const MEMBER: usize = size_of::<String>() + size_of::<Value>();
            const NODE: usize = 11 * MEMBER + 16 * size_of::<usize>();
            let nodes = members.len().div_ceil(4);
            let tree = block(NODE).saturating_mul(nodes);
            members
                .iter()
                .map(|(name, value)| block(name.capacity()).saturating_add(beside(value)))
                .fold(tree, usize::saturating_add)
        }
    }
}
