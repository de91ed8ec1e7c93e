//! A token endpoint that exchanges tokens (RFC 8693).

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::desk::{Counterpart, Desk};
use super::{Client, Jobs, Kind, Ledger, form};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const TYPES: &str = "urn:ietf:params:oauth:token-type:";

/// What a token endpoint knows.
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    /// Whose tokens it takes.
    pub jobs: Jobs,
    /// Who may ask; anyone, if there is none.
    pub client: Option<Client>,
    /// The services that tokens may be for.
    pub audiences: Vec<String>,
    /// The scopes that they may have.
    pub scopes: Vec<String>,
    /// How long they live.
    pub life: Duration,
    /// Where they are written down.
    pub ledger: Ledger,
}

struct Shared {
    rules: TokenEndpoint,
    desk: Arc<Desk>,
    uri: String,
}

impl TokenEndpoint {
    /// Serves it at `/token`.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub fn start(self) -> io::Result<Counterpart> {
        Counterpart::start(|url, desk| {
            let shared = Shared {
                rules: self,
                desk,
                uri: format!("{url}/token"),
            };
            Router::new()
                .route("/token", post(token))
                .with_state(Arc::new(shared))
        })
    }
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match answer(&shared, &headers, &body) {
        Ok(document) => {
            shared.desk.grant();
            // RFC 6749, section 5.1.
            ([(header::CACHE_CONTROL, "no-store")], Json(document)).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

/// RFC 6749, section 5.2.
pub(super) struct Refused(pub(super) &'static str, pub(super) String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(error, description) = self;
        let body = Json(json!({ "error": error, "error_description": description }));
        match error {
            "invalid_client" => {
                let scheme = [(header::WWW_AUTHENTICATE, "Basic realm=\"token\"")];
                (StatusCode::UNAUTHORIZED, scheme, body).into_response()
            }
            _ => (StatusCode::BAD_REQUEST, body).into_response(),
        }
    }
}

fn answer(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refused> {
    let rules = &shared.rules;
    let refuse = |error, why: &str| Err(Refused(error, why.to_owned()));
    let Some(form) = form::parse(headers, body) else {
        return refuse("invalid_request", "the body is no form");
    };
    let client = rules.client.as_ref();
    if client.is_some_and(|client| !client.asks(headers, &form, &shared.uri)) {
        return refuse("invalid_client", "who asks?");
    }
    if form.get("grant_type").map(String::as_str) != Some(GRANT) {
        return refuse("unsupported_grant_type", "only token exchange");
    }
    let is_jwt = |name: &str| {
        form.get(name)
            .and_then(|kind| kind.strip_prefix(TYPES))
            .is_some_and(|kind| matches!(kind, "jwt" | "id_token"))
    };
    let Some(subject) = form
        .get("subject_token")
        .filter(|_| is_jwt("subject_token_type"))
    else {
        return refuse("invalid_request", "no subject_token, or of another type");
    };
    let claims = rules.jobs.verify(subject).map_err(|why| {
        // There are servers that quote what they don't take.
        Refused("invalid_request", format!("{why}: {subject}"))
    })?;
    if let Some(requested) = form.get("requested_token_type")
        && *requested != format!("{TYPES}access_token")
    {
        return refuse("invalid_request", "only access tokens are issued");
    }
    if !known(&form, "audience", &rules.audiences) {
        return refuse("invalid_target", "no such audience");
    }
    let wanted = form.get("scope").map(String::as_str).unwrap_or_default();
    if !wanted
        .split(' ')
        .all(|scope| scope.is_empty() || rules.scopes.iter().any(|it| it == scope))
    {
        return refuse("invalid_scope", "no such scope");
    }
    let holder = claims
        .get("sub")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let token = rules.ledger.issue(Kind::Access, "at-", holder, rules.life);
    Ok(json!({
        "access_token": token,
        "issued_token_type": format!("{TYPES}access_token"),
        "token_type": "Bearer",
        "expires_in": rules.life.as_secs(),
        "scope": wanted,
    }))
}

fn known(form: &BTreeMap<String, String>, name: &str, values: &[String]) -> bool {
    form.get(name).is_some_and(|value| values.contains(value))
}
