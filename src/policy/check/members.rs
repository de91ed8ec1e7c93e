//! Members of an object that are taken by their names.
//!
//! What may hold secrets is read so, with messages that quote nothing, and not with the rest of the policy (see
//! [`crate::policy::raw::Object`]).

use super::{At, Checker};
use serde_json::{Map, Value};

/// The members that are not taken yet.
pub(super) struct Members {
    rest: Map<String, Value>,
    asked: Vec<&'static str>,
}

impl Checker {
    /// The members of an object.
    pub(super) fn members(&mut self, at: At<'_>, value: Value) -> Option<Members> {
        match value {
            Value::Object(rest) => Some(Members {
                rest,
                asked: Vec::new(),
            }),
            _ => {
                self.error(at, "is not an object");
                None
            }
        }
    }

    /// A text, if it is there.
    #[inline(never)]
    pub(super) fn text(
        &mut self,
        at: At<'_>,
        members: &mut Members,
        name: &'static str,
    ) -> Option<String> {
        match members.take(name)? {
            Value::String(text) => Some(text),
            _ => {
                self.error(at.member(name), "is not a text");
                None
            }
        }
    }

    /// A text that must be there.
    #[inline(never)]
    pub(super) fn needed_text(
        &mut self,
        at: At<'_>,
        members: &mut Members,
        name: &'static str,
    ) -> Option<String> {
        if !members.rest.contains_key(name) {
            self.error(at.member(name), "is missing");
        }
        self.text(at, members, name)
    }

    /// Nothing else may be there.
    #[inline(never)]
    pub(super) fn no_others(&mut self, at: At<'_>, members: &Members) {
        for name in members.rest.keys() {
            let known = members.asked.join(", ");
            self.error(at.member(name), format!("is unknown; there are {known}"));
        }
    }
}

impl Members {
    /// A member, if it is there.
    #[inline(never)]
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.asked.push(name);
        self.rest.remove(name)
    }
}
