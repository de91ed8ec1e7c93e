//! Where in a configuration something is written.

use std::fmt;

/// A place, which is put into words only where something is wrong with it: large policies have many.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct At<'a> {
    above: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

impl<'a> At<'a> {
    /// The member of this name.
    pub(in crate::policy) fn member(&'a self, name: &'a str) -> Self {
        Self {
            above: Some(self),
            step: Step::Member(name),
        }
    }

    /// The item at this place of the list.
    pub(in crate::policy) fn item(&'a self, nth: usize) -> Self {
        Self {
            above: Some(self),
            step: Step::Item(nth),
        }
    }
}

/// A path that is written out.
impl<'a> From<&'a str> for At<'a> {
    fn from(path: &'a str) -> Self {
        Self {
            above: None,
            step: Step::Member(path),
        }
    }
}

impl<'a> From<&'a String> for At<'a> {
    fn from(path: &'a String) -> Self {
        path.as_str().into()
    }
}

/// `rules[2].claims.build_branch`
impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match self.step {
            Step::Member(name) if self.above.is_none() => f.write_str(name),
            Step::Member(name) => write!(f, ".{name}"),
            Step::Item(nth) => write!(f, "[{nth}]"),
        }
    }
}

impl From<At<'_>> for String {
    #[cold]
    fn from(at: At<'_>) -> Self {
        at.to_string()
    }
}
