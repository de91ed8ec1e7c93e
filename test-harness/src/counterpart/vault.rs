//! HashiCorp Vault with its JWT auth method.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::desk::{Counterpart, Desk};
use super::{Jobs, Kind, Ledger};

/// A Vault with one auth method.
#[derive(Clone, Debug)]
pub struct Vault {
    /// The namespace that the method is in; the root one, if there is none.
    pub namespace: Option<String>,
    /// Where it is mounted.
    pub mount: String,
    /// Its roles.
    pub roles: BTreeMap<String, Role>,
    /// The role of a login that names none.
    pub default_role: Option<String>,
    /// Where tokens are written down.
    pub ledger: Ledger,
}

/// A role of the method.
#[derive(Clone, Debug)]
pub struct Role {
    /// Whose tokens it takes; their audience is its `bound_audiences`.
    pub jobs: Jobs,
    /// `bound_claims`.
    pub bound_claims: BTreeMap<String, Value>,
    /// How long its tokens live.
    pub ttl: Duration,
}

struct Shared {
    vault: Vault,
    desk: Arc<Desk>,
}

impl Vault {
    /// Serves its logins.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub fn start(self) -> io::Result<Counterpart> {
        Counterpart::start(|_, desk| {
            Router::new()
                .route("/v1/auth/{mount}/login", post(login))
                .with_state(Arc::new(Shared { vault: self, desk }))
        })
    }
}

async fn login(
    State(shared): State<Arc<Shared>>,
    Path(mount): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match shared.vault.answer(&mount, &headers, &body) {
        Ok(document) => {
            shared.desk.grant();
            Json(document).into_response()
        }
        Err((status, why)) => (status, Json(json!({ "errors": [why] }))).into_response(),
    }
}

impl Vault {
    fn answer(
        &self,
        mount: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Value, (StatusCode, String)> {
        let bad = |why: String| (StatusCode::BAD_REQUEST, why);
        let header = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
        if header("x-vault-request") != Some("true") {
            let why = "missing 'X-Vault-Request' header".to_owned();
            return Err((StatusCode::PRECONDITION_FAILED, why));
        }
        let namespace = header("x-vault-namespace").map(|it| it.trim_matches('/'));
        if namespace != self.namespace.as_deref() || mount != self.mount {
            let why =
                format!("no handler for route \"auth/{mount}/login\". route entry not found.");
            return Err((StatusCode::NOT_FOUND, why));
        }
        let body: Value =
            serde_json::from_slice(body).map_err(|_| bad("error parsing JSON".into()))?;
        let name = body["role"].as_str().or(self.default_role.as_deref());
        let name = name.ok_or_else(|| bad("missing role".into()))?;
        let role = self.roles.get(name);
        let role = role.ok_or_else(|| bad(format!("role {name:?} could not be found")))?;
        let token = body["jwt"]
            .as_str()
            .ok_or_else(|| bad("missing token".into()))?;
        let claims = role.jobs.verify(token);
        let claims = claims.map_err(|why| bad(format!("error validating token: {why}")))?;
        for (claim, bound) in &role.bound_claims {
            if claims.get(claim) != Some(bound) {
                return Err(bad(format!(
                    "error validating claims: claim {claim:?} does not match any associated bound claim values"
                )));
            }
        }
        let holder = claims
            .get("sub")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Ok(json!({
            "request_id": "6f2c1b0e-4f0d-4a55-9f5c-3c6f4b7d9a10",
            "lease_id": "", "renewable": false, "lease_duration": 0,
            "data": null, "wrap_info": null, "warnings": null,
            "auth": {
                "client_token": self.ledger.issue(Kind::Access, "hvs.", holder, role.ttl),
                "accessor": "0e9e354a-520f-df04-6867-ee81cae3d42d",
                "policies": ["default", name], "token_policies": ["default", name],
                "metadata": { "role": name },
                "lease_duration": role.ttl.as_secs(), "renewable": true,
                "entity_id": "4b3d1c1c-7c1e-4e0c-8f3d-0a6a0e2d1f55",
                "token_type": "service", "orphan": true, "mfa_requirement": null, "num_uses": 0,
            },
        }))
    }
}
