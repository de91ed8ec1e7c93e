//! Why a fetch gave no document, each cause told apart.

use std::fmt;

/// The kinds of failure; each is a metric of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The host refused to send the request: it knows no such cluster.
    NotSent,
    /// The host knows no address of the server.
    Dns,
    /// No connection, or a broken one.
    Connect,
    /// No connection, or no TLS: the host does not say which.
    ConnectOrTls,
    /// The server's certificate, or the handshake.
    Tls,
    /// Time ran out.
    Timeout,
    /// No answer, and the host does not say why.
    NoAnswer,
    /// Another status than 200.
    Status,
    /// More bytes than are read.
    Size,
    /// The document is not what it should be.
    Parse,
}

impl Cause {
    /// Every cause.
    pub const ALL: &'static [Cause] = &[
        Cause::NotSent,
        Cause::Dns,
        Cause::Connect,
        Cause::ConnectOrTls,
        Cause::Tls,
        Cause::Timeout,
        Cause::NoAnswer,
        Cause::Status,
        Cause::Size,
        Cause::Parse,
    ];

    /// Its name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::ConnectOrTls => "connect_or_tls",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::NoAnswer => "no_answer",
            Self::Status => "status",
            Self::Size => "size",
            Self::Parse => "parse",
        }
    }
}

/// A failed fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchError {
    /// The kind.
    pub cause: Cause,
    /// What exactly, for the log.
    pub detail: String,
}

impl FetchError {
    /// A failure of this kind.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self {
            cause,
            detail: detail.into(),
        }
    }

    /// A document of too many bytes.
    #[must_use]
    pub fn too_large(bytes: usize, most: usize) -> Self {
        Self::new(
            Cause::Size,
            format!("the document has {bytes} bytes; at most {most} are read"),
        )
    }

    /// What Kong says where no answer came, in `:dispatch_status`.
    #[must_use]
    pub fn from_dispatch_status(text: Option<&str>) -> Self {
        let Some(text) = text else {
            return Self::new(Cause::NoAnswer, "the gateway does not say why");
        };
        let cause = match text {
            "timeout" => Cause::Timeout,
            "broken connection" => Cause::Connect,
            "resolver failure" => Cause::Dns,
            "tls handshake failure" => Cause::Tls,
            _ => Cause::NoAnswer,
        };
        Self::new(cause, format!("no answer came: {text}"))
    }

    /// The host knows the server's cluster, and no server in it.
    #[must_use]
    pub fn no_server(cluster: &str) -> Self {
        Self::new(
            Cause::Dns,
            format!("the cluster {cluster:?} has no server: is its name one that resolves?"),
        )
    }

    /// What an answer with another status than 200 means. `scheme` is that of the address that was asked;
    /// `is_servers` says that the server itself answered for sure.
    ///
    /// Envoy answers for servers that it cannot reach, with its reasons in the body.
    #[must_use]
    pub fn from_status(status: &str, scheme: &str, is_servers: bool, body: &str) -> Self {
        let is_envoys_own = match status {
            "503" | "504" => !is_servers,
            "502" => !is_servers && body.starts_with(ENVOYS_RESETS),
            _ => false,
        };
        if !is_envoys_own {
            return Self::new(
                Cause::Status,
                format!("the server answered with status {status}"),
            );
        }
        let (cause, what) = if status == "504" {
            (Cause::Timeout, "time ran out")
        } else {
            of_reset(scheme, body)
        };
        Self::new(cause, format!("no answer came: {what}"))
    }
}

/// What Envoy's own answers begin with where a connection came to nothing.
const ENVOYS_RESETS: &str = "upstream connect error or disconnect/reset before headers";

/// What Envoy's words mean. Since 1.38.1 they lack the reason why a connection could not be made, unless the
/// runtime's `envoy.reloadable_features.hide_transport_failure_reason_in_response_body` is false.
fn of_reset(scheme: &str, body: &str) -> (Cause, &'static str) {
    if body.contains("TLS_error") || body.contains("TLS error") {
        (
            Cause::Tls,
            "the server's certificate or the TLS handshake failed",
        )
    } else if body.contains("no healthy upstream") {
        (
            Cause::Dns,
            "the cluster has no server (an unresolved name?)",
        )
    } else if body.contains("protocol error") {
        (
            Cause::Connect,
            "what answers speaks another protocol (TLS, where the cluster has none?)",
        )
    } else if scheme == "https" && body.ends_with("remote connection failure") {
        (
            Cause::ConnectOrTls,
            "the server cannot be reached, or its certificate or the TLS handshake failed; \
             Envoy's statistics tell which: cluster.<name>.ssl.fail_verify_error, fail_verify_san, connection_error",
        )
    } else {
        (Cause::Connect, "the server cannot be reached")
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.cause.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pitfall 2: a fetch that fails says why.
    #[test]
    fn pitfall_02_each_cause_is_told_apart() {
        for (status, cause) in [
            (Some("timeout"), Cause::Timeout),
            (Some("broken connection"), Cause::Connect),
            (Some("resolver failure"), Cause::Dns),
            (Some("tls handshake failure"), Cause::Tls),
            (Some("ok"), Cause::NoAnswer),
            (None, Cause::NoAnswer),
        ] {
            assert_eq!(FetchError::from_dispatch_status(status).cause, cause);
        }
        let reset = |why: &str| format!("{ENVOYS_RESETS}. reset reason: {why}");
        let unreachable = reset("remote connection failure");
        let because = |why: &str| format!("{unreachable}, transport failure reason: {why}");
        let refused = because("delayed connect error: Connection refused");
        let untrusted = because(
            "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end",
        );
        for (status, scheme, is_servers, body, cause) in [
            (
                "504",
                "https",
                false,
                "upstream request timeout",
                Cause::Timeout,
            ),
            ("504", "https", true, "", Cause::Status),
            ("503", "https", true, "maintenance", Cause::Status),
            ("503", "https", false, "no healthy upstream", Cause::Dns),
            ("503", "https", false, &refused, Cause::Connect),
            ("503", "https", false, &untrusted, Cause::Tls),
            ("503", "https", false, &unreachable, Cause::ConnectOrTls),
            ("503", "http", false, &unreachable, Cause::Connect),
            (
                "503",
                "https",
                false,
                &reset("connection termination"),
                Cause::Connect,
            ),
            (
                "503",
                "https",
                false,
                &reset("connection timeout"),
                Cause::Connect,
            ),
            (
                "502",
                "http",
                false,
                &reset("protocol error"),
                Cause::Connect,
            ),
            ("502", "http", false, "", Cause::Status),
            ("502", "http", true, &reset("protocol error"), Cause::Status),
            ("404", "https", false, "", Cause::Status),
            ("302", "https", true, "", Cause::Status),
        ] {
            assert_eq!(
                FetchError::from_status(status, scheme, is_servers, body).cause,
                cause,
                "{status} {scheme} {body}"
            );
        }
        let names: std::collections::HashSet<_> =
            Cause::ALL.iter().map(|cause| cause.name()).collect();
        assert_eq!(names.len(), Cause::ALL.len());
    }
}
