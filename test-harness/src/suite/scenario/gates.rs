//! The gates of the scenarios, which stand beside those of the cases.

use serde_json::{Value, json};

use super::super::{Gate, Keys};

/// The gate that must go on deciding whatever happens.
pub const STEADY: &str = "scenario.steady";

/// The gate whose issuer is another.
pub const IMPOSTOR: &str = "scenario.impostor";

/// All of them.
pub(in super::super) fn gates() -> [Gate; 2] {
    [
        Gate::new(STEADY, policy(), Keys::Issuer),
        Gate::new(IMPOSTOR, policy(), Keys::Impostor),
    ]
}

/// Lets jobs of the branch `main` deploy. It looks for new keys as often as it may, so that nothing has to be waited
/// for long.
pub(super) fn policy() -> Value {
    json!({
        "issuers": [{
            "preset": "buildkite",
            "issuer": "{{issuer}}",
            "audience": "{{audience}}",
            "jwks": { "cluster": "issuer", "uri": "{{jwks_uri}}", "refresh": "10s", "timeout": "2s" },
        }],
        "rules": [{
            "id": "deploy",
            "paths": ["/deploy", "/deploy/**"],
            "claims": { "organization_slug": "acme", "build_branch": "main" },
        }],
    })
}
