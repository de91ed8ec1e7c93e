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
    /// None: the document as a whole.
    Document,
    Member(&'a str),
    Item(usize),
}

impl<'a> At<'a> {
    /// The document as a whole, whose path is empty.
    pub(in crate::policy) const DOCUMENT: Self = Self {
        above: None,
        step: Step::Document,
    };

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
        let above = self.above.filter(|at| !matches!(at.step, Step::Document));
        if let Some(above) = above {
            above.fmt(f)?;
        }
        match self.step {
            Step::Document => Ok(()),
            Step::Member(name) if above.is_none() => f.write_str(name),
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
