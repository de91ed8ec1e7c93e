//! The decision in words: for the upstream (headers), for the auditor (a record), for the client (a problem
//! document).
//!
//! None of the three ever holds the token, a part of it, the query string or the body. Claims reach them
//! only through [`escape`], so none can forge a header or a line of the log.

mod answer;
mod escape;
mod headers;
mod line;
mod record;
mod rendering;
mod session;
#[cfg(test)]
mod tests;

pub use answer::{Answer, answer};
pub use headers::upstream_headers;
pub(crate) use line::Line;
pub use record::record;
pub use rendering::Rendering;
