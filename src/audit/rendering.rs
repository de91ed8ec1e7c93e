//! What the upstream and the auditor are told of a job whatever it asks for: put into words once for each token.

use super::escape::header_value;
use super::line::Line;
use super::record::{PART, VALUE};
use crate::policy::{HeaderNames, IdentityField, Issuer};
use crate::token::{Claims, footprint};

/// A job in the words of headers and records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendering {
    /// The values of the headers one after the other, then the record's members.
    text: Box<str>,
    /// What each header tells, and where its value ends.
    headers: Box<[(Told, usize)]>,
}

/// What a header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Issuer,
    Subject,
    Part(IdentityField),
}

impl Told {
    fn header(self, names: &HeaderNames) -> &str {
        match self {
            Self::Issuer => &names.issuer,
            Self::Subject => &names.subject,
            Self::Part(field) => names.identity(field),
        }
    }
}

impl Rendering {
    /// The words for claims of an issuer.
    #[must_use]
    pub fn new(issuer: &Issuer, claims: &Claims) -> Self {
        let (mut text, mut headers) = (String::new(), Vec::new());
        let (mut record, mut identity) = (Line::default(), Line::default());
        let mut tell = |told, value: &str| {
            text.push_str(&header_value(value));
            headers.push((told, text.len()));
        };
        tell(Told::Issuer, &issuer.issuer);
        record.clipped("issuer", &issuer.issuer, VALUE);
        if let Some(subject) = claims.text("sub") {
            tell(Told::Subject, &subject);
            record.clipped("subject", &subject, VALUE);
        }
        for (field, claim) in &issuer.identity {
            if let Some(value) = claims.text(claim) {
                tell(Told::Part(*field), &value);
                identity.clipped(field.name(), &value, PART);
            }
        }
        record.object("identity", &identity);
        text.push_str(record.as_str());
        Self {
            text: text.into_boxed_str(),
            headers: headers.into_boxed_slice(),
        }
    }

    /// The identity's headers: names and values.
    pub(super) fn headers<'a>(
        &'a self,
        names: &'a HeaderNames,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut begin = 0;
        self.headers.iter().map(move |(told, end)| {
            let value = self.text.get(begin..*end).unwrap_or_default();
            begin = *end;
            (told.header(names), value)
        })
    }

    /// The record's members.
    pub(super) fn record(&self) -> &str {
        let begin = self.headers.last().map_or(0, |(_, end)| *end);
        self.text.get(begin..).unwrap_or_default()
    }

    /// How many bytes of memory it takes beside itself, from above.
    pub(crate) fn footprint(&self) -> usize {
        footprint::block(self.text.len())
            .saturating_add(footprint::block(size_of_val(&*self.headers)))
    }
}
