//! The policies of the demo's gates.

use serde_json::{Value, json};

use crate::issuer::Issuer;

/// Who may deploy where; the one that most of the story is about.
pub(super) fn deploy(issuer: &Issuer) -> Value {
    json!({
        "issuers": [trusted(issuer)],
        "roles": {
            "deployer": { "claims": { "organization_slug": "acme", "pipeline_slug": { "matches": "deploy-*" } } },
        },
        "rules": [
            {
                "id": "deploy-production", "roles": ["deployer"], "methods": ["POST"],
                "paths": ["/deploy/production/**"], "claims": { "build_branch": "main" },
            },
            { "id": "deploy-staging", "roles": ["deployer"], "methods": ["POST"], "paths": ["/deploy/staging/*"] },
            { "id": "freeze", "effect": "deny", "paths": ["/deploy/production/frozen/**"] },
        ],
        "audit": { "detail": "claims" },
    })
}

/// A service that is being brought behind the gate: decided and recorded, and not blocked yet.
pub(super) fn reports(issuer: &Issuer) -> Value {
    json!({
        "mode": "shadow",
        "issuers": [trusted(issuer)],
        "rules": [{
            "id": "reports-of-main", "paths": ["/reports/**"],
            "claims": { "organization_slug": "acme", "build_branch": "main" },
        }],
    })
}

/// [`deploy`] where the issuer can't be reached.
pub(super) fn cut_off(issuer: &Issuer, cluster: &str, jwks_uri: &str) -> Value {
    let mut policy = deploy(issuer);
    policy["issuers"][0]["jwks"] = json!({ "cluster": cluster, "uri": jwks_uri });
    policy
}

/// [`deploy`] with a typo in a role's name.
pub(super) fn broken(issuer: &Issuer) -> Value {
    let mut policy = deploy(issuer);
    policy["rules"][0]["roles"] = json!(["deplyer"]);
    policy
}

fn trusted(issuer: &Issuer) -> Value {
    json!({
        "preset": "buildkite",
        "issuer": issuer.base_url(),
        "audience": issuer.audience(),
        // The shortest refresh there is: whoever rotates keys or orders faults by hand sees it soon.
        "jwks": { "cluster": "issuer", "uri": issuer.jwks_uri(), "refresh": "10s", "timeout": "1s" },
    })
}
