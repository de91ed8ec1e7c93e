//! What a policy says of sessions.

use crate::request::HeaderMap;
use std::fmt;
use zeroize::Zeroizing;

/// Jobs whose sessions have ended are refused.
#[derive(Debug)]
pub struct SessionPolicy {
    /// Where calls that end sessions are taken, if this gate takes any.
    pub end: Option<EndPolicy>,
}

/// Where calls that end sessions are taken, and whose.
#[derive(Debug)]
pub struct EndPolicy {
    /// The path, in its normal form.
    pub path: String,
    /// Whether a job's own token ends its session.
    pub token: bool,
    /// The CI's webhook, if that ends sessions.
    pub webhook: Option<WebhookPolicy>,
}

/// A webhook of Buildkite's.
#[derive(Debug)]
pub struct WebhookPolicy {
    /// What it is signed with.
    pub secret: Secret,
    /// The issuer whose jobs it tells of, by its place in the policy.
    pub issuer: usize,
}

/// A secret, which nothing shows. Where a policy is only examined it may be empty, and then proves nothing.
pub struct Secret(pub Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Who says that a job is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The job, with its token.
    Token,
    /// The CI, by its webhook.
    Webhook,
}

impl Way {
    /// Its name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Webhook => "webhook",
        }
    }
}

impl EndPolicy {
    /// Whether a request is such a call. Only the path as it is written in the policy counts, whatever its query: any
    /// other spelling is left to the rules.
    #[must_use]
    pub fn is_for(&self, target: &[u8]) -> bool {
        target.split(|&byte| byte == b'?').next() == Some(self.path.as_bytes())
    }

    /// Which way a call takes: the webhook's where it looks like one, or where there is no other.
    #[must_use]
    pub fn way(&self, headers: &HeaderMap) -> Way {
        let is_event = [super::webhook::SIGNATURE, super::webhook::EVENT]
            .iter()
            .any(|name| headers.get(name).is_some());
        if self.webhook.is_some() && (is_event || !self.token) {
            Way::Webhook
        } else {
            Way::Token
        }
    }
}
