//! Why a request was refused: stable codes, their HTTP status, and a hint for whoever reads the answer.
//!
//! The codes are an interface (dashboards, alerts and clients match on them); `docs/decision-codes.md`
//! lists each with its remedy.

use std::borrow::Cow;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $hint:literal;)*) => {
        /// A stable reason code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every code there is, in the order of the documentation.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// The code as it is written in answers, records and headers.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$variant => $code,)* }
            }

            /// The HTTP status of the answer.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Reason::$variant => $status,)* }
            }

            /// One line for the client: what is wrong and what to do, without saying what the policy holds.
            #[must_use]
            pub const fn hint(self) -> &'static str {
                match self { $(Reason::$variant => $hint,)* }
            }
        }
    };
}

reasons! {
    /// The place that the policy names holds no bearer token.
    TokenMissing = "token_missing", 401,
        "The request carries no bearer token. Ask the CI for an OIDC token and send it as the policy says.";
    /// What was sent is not a compact JWS of a JWT, or holds something no honest issuer writes.
    TokenMalformed = "token_malformed", 401,
        "The token is not a well-formed JWT. Send it exactly as the CI gave it.";
    /// There is more than one token, or more than one place that holds one.
    TokenAmbiguous = "token_ambiguous", 401,
        "The request carries more than one token. Send exactly one, in one place.";
    /// The token is larger than [`crate::token::MAX_TOKEN_BYTES`].
    TokenTooLarge = "token_too_large", 401,
        "The token is too large. Ask the CI for fewer claims.";
    /// `iss` names no issuer of the policy.
    IssuerUnknown = "issuer_unknown", 401,
        "The token's issuer is not one that this route trusts.";
    /// `alg` is not in the issuer's list.
    AlgorithmNotAllowed = "algorithm_not_allowed", 401,
        "The token's signature algorithm is not allowed for its issuer.";
    /// The issuer's current keys hold none that fits the token's `kid`.
    KeyUnknown = "key_unknown", 401,
        "The token is signed with a key that its issuer does not publish.";
    /// The signature does not verify.
    SignatureInvalid = "signature_invalid", 401,
        "The token's signature is not valid.";
    /// `exp` lies in the past, leeway included.
    TokenExpired = "token_expired", 401,
        "The token has expired. Ask the CI for a new one right before the request.";
    /// `nbf` or `iat` lies in the future, leeway included.
    TokenNotYetValid = "token_not_yet_valid", 401,
        "The token is not valid yet. Check the clocks of the CI and of the gateway.";
    /// The token lives longer than the policy accepts from its issuer.
    LifetimeTooLong = "lifetime_too_long", 401,
        "The token lives longer than this route accepts. Ask the CI for a shorter lifetime.";
    /// `aud` does not name this route's audience.
    AudienceMismatch = "audience_mismatch", 401,
        "The token was made for another audience. Request it with the audience of this service.";
    /// A claim that every token must have is not there, or one by which a limit counts.
    ClaimMissing = "claim_missing", 401,
        "The token lacks a claim that is required of every token here.";
    /// The token is good, and no allow rule matched.
    NoRuleMatched = "no_rule_matched", 403,
        "The token is valid, but no rule of this route allows this job to make this request.";
    /// A deny rule matched.
    DeniedByRule = "denied_by_rule", 403,
        "The token is valid, but a rule of this route denies this request.";
    /// The token, the job or the key is on the list of revocations.
    Revoked = "revoked", 403,
        "The token has been revoked.";
    /// The session of the token's job was ended.
    SessionEnded = "session_ended", 403,
        "The job's session has ended: none of its tokens is taken any more.";
    /// The rule lets a token through once, and this one was used.
    Replayed = "replayed", 403,
        "The token was used before, and serves only once here. Ask the CI for a new one.";
    /// All that a rule asks for is there, but for the client's certificate.
    ClientCertificateRequired = "client_certificate_required", 403,
        "This request needs a client certificate that the gateway accepts. Send it over a connection with one.";
    /// A webhook's call is not signed with its secret, or not now.
    WebhookSignatureInvalid = "webhook_signature_invalid", 401,
        "The call is not signed with the webhook's secret, or not now.";
    /// A webhook's call has a body that is too large, or that names no job.
    WebhookMalformed = "webhook_malformed", 400,
        "The call's body is no event of the CI, or is too large.";
    /// This gateway does not let the gate read a webhook's body.
    WebhookUnavailable = "webhook_unavailable", 501,
        "This gateway can't take the CI's webhook. Let jobs end their sessions with their tokens.";
    /// The path can be read in more than one way.
    PathAmbiguous = "path_ambiguous", 400,
        "The request's path can be read in more than one way. Send it in its plain, normalised form.";
    /// A header that only the gate may set was sent, and this host cannot take it away.
    HeaderReserved = "header_reserved", 400,
        "The request carries a header that only the gateway may set. Send it without.";
    /// A limit has no room for another request of this job, or too many tokens from the client's address failed
    /// verification.
    RateLimited = "rate_limited", 429,
        "Too many requests. Try again after the time that Retry-After names.";
    /// The job's token could not be exchanged for the credential that the rule hands to the upstream.
    ExchangeFailed = "exchange_failed", 502,
        "The job may do this, but the gateway could not get the credential for it. Its operator finds the cause in the decision record.";
    /// The credential is being got for another request of this job, and this host can't let requests wait for it.
    ExchangePending = "exchange_pending", 503,
        "The gateway is getting the credential for this job. Try again in a second.";
    /// The issuer's keys could not be had yet, or are being fetched again.
    KeysUnavailable = "keys_unavailable", 503,
        "The issuer's keys are not available at the moment. Try again shortly.";
    /// Whether the token was used before cannot be told, and the rule lets it through once.
    ReplayUnavailable = "replay_unavailable", 503,
        "The gateway cannot tell whether the token was used before. Try again in a minute with a new one.";
    /// Whether the job is within its limits cannot be told.
    LimitsUnavailable = "limits_unavailable", 503,
        "The gateway cannot tell how many requests the job has sent. Try again shortly.";
    /// The list of revocations could not be had, or is too old.
    RevocationsUnavailable = "revocations_unavailable", 503,
        "The gateway does not know what is revoked at the moment. Try again shortly.";
    /// The route's policy has errors, so nothing is let through.
    ConfigInvalid = "config_invalid", 503,
        "The gateway's policy for this route is not valid; its operator finds the errors in the gateway's log.";
    /// Something that must not happen did.
    InternalError = "internal_error", 503,
        "The gateway could not decide. Its operator finds the cause in the gateway's log.";
}

/// A refusal: the code for everyone, and a detail for the decision record.
///
/// The detail never holds the token, a part of it, or a query string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub reason: Reason,
    /// Which check failed, for the operator.
    pub detail: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with a detail for the record.
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented_with_its_status() {
        let page = include_str!("../docs/decision-codes.md");
        for reason in Reason::ALL {
            let row = format!("| `{}` | {} |", reason.code(), reason.status());
            assert!(
                page.contains(&row),
                "docs/decision-codes.md lacks the row {row}"
            );
        }
    }
}
