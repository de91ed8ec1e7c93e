//! Google Cloud's Security Token Service, and its IAM Service Account Credentials API.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::desk::{Counterpart, Desk};
use super::token_endpoint::Refused;
use super::{Jobs, Kind, Ledger, form};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const TYPES: &str = "urn:ietf:params:oauth:token-type:";

/// The longest that a service account's token lives, in seconds, unless an organisation allows more.
const LONGEST: u64 = 3_600;

/// What a workload identity pool and its service accounts know.
#[derive(Clone, Debug)]
pub struct Google {
    /// Whose tokens the provider of the pool takes.
    pub jobs: Jobs,
    /// The provider: `//iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`.
    pub provider: String,
    /// The service accounts, and of which pipeline's jobs each may be impersonated.
    pub accounts: BTreeMap<String, String>,
    /// Where tokens are written down.
    pub ledger: Ledger,
}

struct Shared {
    rules: Google,
    desk: Arc<Desk>,
}

impl Google {
    /// Serves both at their paths.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub fn start(self) -> io::Result<Counterpart> {
        Counterpart::start(|_, desk| {
            Router::new()
                .route("/v1/token", post(token))
                .route("/v1/projects/-/serviceAccounts/{call}", post(impersonate))
                .with_state(Arc::new(Shared { rules: self, desk }))
        })
    }
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match exchange(&shared.rules, &headers, &body) {
        Ok(document) => Json(document).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn exchange(rules: &Google, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refused> {
    let refuse = |error, why: &str| Err(Refused(error, why.to_owned()));
    let Some(form) = form::parse(headers, body) else {
        return refuse("invalid_request", "the body is no form");
    };
    let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if headers.contains_key(header::AUTHORIZATION) {
        return refuse("invalid_client", "a pool has no clients");
    }
    if text("grant_type") != GRANT {
        return refuse("unsupported_grant_type", "only token exchange");
    }
    if text("audience") != rules.provider {
        return refuse(
            "invalid_target",
            "The target service indicated by the \"audience\" parameters is invalid.",
        );
    }
    if text("requested_token_type") != format!("{TYPES}access_token") {
        return refuse(
            "invalid_request",
            "Invalid value for \"requested_token_type\".",
        );
    }
    let kind = text("subject_token_type").strip_prefix(TYPES);
    if !matches!(kind, Some("jwt" | "id_token")) {
        return refuse(
            "invalid_request",
            "Invalid value for \"subject_token_type\".",
        );
    }
    if !text("scope")
        .split(' ')
        .all(|it| it.starts_with("https://www.googleapis.com/auth/"))
    {
        return refuse("invalid_scope", "No valid scope.");
    }
    let claims = rules
        .jobs
        .verify(text("subject_token"))
        .map_err(|why| Refused("invalid_grant", why))?;
    let pipeline = claims.get("pipeline_slug").and_then(Value::as_str);
    let life = Duration::from_secs(LONGEST);
    let holder = pipeline.unwrap_or_default();
    Ok(json!({
        "access_token": rules.ledger.issue(Kind::Federated, "ya29.d.", holder, life),
        "issued_token_type": format!("{TYPES}access_token"),
        "token_type": "Bearer",
        "expires_in": LONGEST,
    }))
}

async fn impersonate(
    State(shared): State<Arc<Shared>>,
    Path(call): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match generate(&shared.rules, &call, &headers, &body) {
        Ok(document) => {
            shared.desk.grant();
            Json(document).into_response()
        }
        Err((code, status, message)) => {
            let error = json!({ "code": code, "message": message, "status": status });
            let code = StatusCode::from_u16(code).unwrap_or_default();
            (code, Json(json!({ "error": error }))).into_response()
        }
    }
}

type GoogleError = (u16, &'static str, &'static str);

fn generate(
    rules: &Google,
    call: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, GoogleError> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|it| it.to_str().ok());
    let bearer = bearer
        .and_then(|it| it.strip_prefix("Bearer "))
        .unwrap_or_default();
    let holder = rules.ledger.holder(Kind::Federated, bearer).ok_or((
        401,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials.",
    ))?;
    let account =
        call.strip_suffix(":generateAccessToken")
            .ok_or((404, "NOT_FOUND", "Method not found."))?;
    if rules.accounts.get(account) != Some(&holder) {
        return Err((
            403,
            "PERMISSION_DENIED",
            "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
        ));
    }
    let invalid = (
        400,
        "INVALID_ARGUMENT",
        "Request contains an invalid argument.",
    );
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|it| it == "application/json");
    let body: Value = serde_json::from_slice(body).map_err(|_| invalid)?;
    let scopes = body["scope"].as_array().ok_or(invalid)?;
    let lifetime = body["lifetime"]
        .as_str()
        .and_then(|it| it.strip_suffix('s'));
    let lifetime = lifetime.and_then(|it| it.parse().ok()).ok_or(invalid)?;
    if !is_json || scopes.is_empty() || !scopes.iter().all(Value::is_string) || lifetime > LONGEST {
        return Err(invalid);
    }
    let life = Duration::from_secs(lifetime);
    let ends = OffsetDateTime::from(SystemTime::now() + life);
    let (date, time) = (ends.date(), ends.time());
    Ok(json!({
        "accessToken": rules.ledger.issue(Kind::Access, "ya29.c.", account, life),
        "expireTime": format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            date.year(), u8::from(date.month()), date.day(), time.hour(), time.minute(), time.second(),
        ),
    }))
}
