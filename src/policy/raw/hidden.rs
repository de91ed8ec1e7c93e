//! What must not be shown.

use super::{Read, Reader};
use crate::policy::check::At;
use serde_json::Value;
use std::fmt;

/// Anything: what is wrong with it is said by the check, without quoting it, as `Debug` would.
#[derive(Default)]
pub(in crate::policy) struct RawHidden(pub(in crate::policy) Value);

impl Read for RawHidden {
    fn read(_: &mut Reader, _: &At<'_>, value: Value) -> Self {
        Self(value)
    }
}

impl fmt::Debug for RawHidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawHidden")
    }
}
