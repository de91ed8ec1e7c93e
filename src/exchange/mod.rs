//! Credentials for the upstream, which the job never sees: its token is exchanged for them at another server.
//!
//! A rule names a [target](Target). Once everything else is decided, the gate looks for the [credential](Credential)
//! that it got for the same token and target, or goes on an [errand](Errand) for a new one: one call to a server, or two.
//! Nothing here calls anyone; the shell carries the calls out.

mod aws;
mod call;
mod credential;
mod errand;
mod form;
mod kept;
mod oauth;
mod template;
#[cfg(test)]
mod tests;
mod upstream;
mod vault;

pub use aws::AssumeRole;
pub use call::{Call, ExchangeError, Reply, Server};
pub use credential::Credential;
pub use errand::{Errand, Turn};
pub use kept::{Kept, Key};
pub use oauth::{Client, Impersonation, Proof, TokenExchange};
pub use template::Template;
pub use upstream::Upstream;
pub use vault::VaultLogin;

/// What a token can be exchanged for.
#[derive(Debug)]
pub struct Target {
    /// Its name in the policy.
    pub name: String,
    /// Who is asked.
    pub server: Server,
    /// How.
    pub kind: Kind,
}

/// How a token is exchanged.
#[derive(Debug)]
pub enum Kind {
    /// OAuth 2.0 Token Exchange (RFC 8693).
    TokenExchange(TokenExchange),
    /// AWS Security Token Service, `AssumeRoleWithWebIdentity`.
    AssumeRole(AssumeRole),
    /// HashiCorp Vault, the login of its JWT auth method.
    VaultLogin(VaultLogin),
}

impl Target {
    /// Whether its credentials sign requests.
    #[must_use]
    pub const fn signs(&self) -> bool {
        matches!(self.kind, Kind::AssumeRole(_))
    }

    /// The headers that its credentials come in, in lower case: only the gate may set them.
    #[must_use]
    pub fn headers(&self) -> Vec<&str> {
        match &self.kind {
            Kind::TokenExchange(it) => vec![&it.header],
            Kind::AssumeRole(_) => aws::HEADERS.to_vec(),
            Kind::VaultLogin(_) => vec![vault::HEADER],
        }
    }
}
