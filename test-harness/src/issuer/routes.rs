//! The issuer's endpoints.

use std::convert::Infallible;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Endpoint, Fault, FaultOrder, JWKS_PATH, State, Stats};
use crate::mint::TokenSpec;
use crate::server::Disconnect;

/// How long a request that hangs waits between two looks whether it is to hang on.
const LOOK: Duration = Duration::from_millis(10);

type Shared = extract::State<Arc<State>>;

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route(JWKS_PATH, get(jwks))
        .route("/mint", post(mint))
        .route("/keys/rotate", post(rotate))
        .route("/faults", post(order))
        .route("/stats", get(stats))
        .with_state(state)
}

async fn discovery(extract::State(state): Shared) -> Response {
    state.discovery_requests.fetch_add(1, Ordering::SeqCst);
    let fault = state.faults().meet_discovery();
    let fault = hang(&state, Endpoint::Discovery, fault).await;
    let minter = state.minter().clone();
    let issuer = minter.issuer();
    let document = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}{JWKS_PATH}"),
        "id_token_signing_alg_values_supported": minter.algorithms(),
        "response_types_supported": ["id_token"],
        "scopes_supported": ["openid"],
        "subject_types_supported": ["public"],
        "claims_supported": [
            "sub", "aud", "exp", "iat", "iss", "nbf",
            "organization_slug", "pipeline_slug", "build_number", "build_branch", "build_tag", "build_commit",
            "step_key", "job_id", "agent_id", "build_source", "runner_environment",
        ],
    });
    answer(&document, fault).await
}

async fn jwks(extract::State(state): Shared) -> Response {
    state.jwks_requests.fetch_add(1, Ordering::SeqCst);
    let fault = state.faults().meet_jwks();
    let fault = hang(&state, Endpoint::Jwks, fault).await;
    let document = state.minter().jwks();
    answer(&document, fault).await
}

async fn mint(extract::State(state): Shared, Json(spec): Json<TokenSpec>) -> Json<Value> {
    Json(json!({ "token": state.mint(&spec) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    #[serde(default = "keep_old")]
    keep_old: bool,
}

fn keep_old() -> bool {
    true
}

async fn rotate(extract::State(state): Shared, Json(rotation): Json<Rotation>) -> Response {
    // Off the server's only thread: other requests are answered while the key is made.
    match tokio::task::spawn_blocking(move || state.rotate_keys(rotation.keep_old)).await {
        Ok(kid) => Json(json!({ "kid": kid })).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn order(extract::State(state): Shared, Json(order): Json<FaultOrder>) -> StatusCode {
    state.faults().order(&order);
    StatusCode::NO_CONTENT
}

async fn stats(extract::State(state): Shared) -> Json<Stats> {
    Json(state.stats())
}

/// Waits until a request need not hang any more; what is left of its fault then.
async fn hang(state: &State, endpoint: Endpoint, fault: Option<Fault>) -> Option<Fault> {
    if fault != Some(Fault::Hang) {
        return fault;
    }
    while state.faults().still_hang(endpoint) {
        tokio::time::sleep(LOOK).await;
    }
    None
}

async fn answer(document: &Value, fault: Option<Fault>) -> Response {
    match fault {
        None | Some(Fault::Hang) => Json(document).into_response(),
        Some(Fault::Status(status)) => StatusCode::from_u16(status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            .into_response(),
        Some(Fault::DelayMs(delay)) => {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            Json(document).into_response()
        }
        Some(Fault::Garbage) => {
            let mut text = document.to_string();
            text.truncate(text.len() / 2);
            json_body(Body::from(text))
        }
        Some(Fault::BodyBytes(bytes)) => json_body(padded(document.to_string().into(), bytes)),
        Some(Fault::Disconnect) => Disconnect.into_response(),
    }
}

fn json_body(body: Body) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// The document with whitespace before it, `length` bytes in all; cut off if it is longer than that itself.
///
/// It is valid JSON, so that nothing but its size is wrong with it. It is streamed without a content length, so that
/// its size shows only as it comes.
fn padded(document: Bytes, length: u64) -> Body {
    const SPACES: &[u8] = &[b' '; 16 * 1024];

    let document = match usize::try_from(length) {
        Ok(length) if length < document.len() => document.slice(..length),
        _ => document,
    };
    let mut spaces_left = length - document.len() as u64;
    let spaces = iter::from_fn(move || {
        let size = spaces_left.min(SPACES.len() as u64);
        spaces_left -= size;
        (size > 0).then(|| Bytes::from_static(&SPACES[..size as usize]))
    });
    let chunks = spaces.chain(iter::once(document)).map(Ok::<_, Infallible>);
    Body::from_stream(stream::iter(chunks))
}
