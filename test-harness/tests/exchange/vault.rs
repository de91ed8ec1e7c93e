//! Vault, with roles that are bound to an audience and to claims.

use std::collections::BTreeMap;
use std::time::Duration;

use jobgate_harness::counterpart::{Jobs, Role, Vault};
use serde_json::{Value, json};

use super::world::{AUDIENCE, Stage, World, bearing};

type Change = fn(&Stage, &mut Vault, &mut Value);

fn world(changes: impl IntoIterator<Item = Change>) -> World {
    let stage = Stage::new();
    let gates = changes.into_iter().map(|change| {
        let role = |audience, branch: &str| Role {
            jobs: Jobs::of(&stage.issuer, audience),
            bound_claims: BTreeMap::from([
                ("organization_slug".to_owned(), json!("acme")),
                ("build_branch".to_owned(), json!(branch)),
            ]),
            ttl: Duration::from_secs(600),
        };
        let mut vault = Vault {
            namespace: Some("acme/ci".to_owned()),
            mount: "ci-jwt".to_owned(),
            roles: BTreeMap::from([
                ("deploy-web".to_owned(), role(AUDIENCE, "main")),
                ("release".to_owned(), role(AUDIENCE, "release")),
                (
                    "elsewhere".to_owned(),
                    role("https://vault.example", "main"),
                ),
            ]),
            default_role: None,
            ledger: stage.ledger.clone(),
        };
        let mut target = json!({
            "uri": "", "namespace": "acme/ci", "mount": "ci-jwt",
            "role": "{claims.pipeline_slug}",
        });
        change(&stage, &mut vault, &mut target);
        (json!({ "vault_login": target }), vault.start().unwrap())
    });
    let gates = gates.collect();
    stage.gates(gates, "x-vault-token")
}

#[test]
fn the_upstream_gets_vaults_token_and_no_clients() {
    let world = world([|_: &Stage, _: &mut Vault, _: &mut Value| {}] as [Change; 1]);
    let token = world.token();
    for _ in 0..2 {
        let request = bearing(&token).header("x-vault-token", "hvs.forged");
        let seen = world.passes(&request);
        assert_eq!(seen.header("authorization").concat(), "");
    }
    assert_eq!(world.counterpart().granted(), 1);
    world.kept_its_secrets(&["hvs.forged"]);
}

#[test]
fn a_login_without_a_role_is_one_as_the_default_role() {
    let world = world([|_: &Stage, vault: &mut Vault, target: &mut Value| {
        target.as_object_mut().unwrap().remove("role");
        vault.default_role = Some("deploy-web".to_owned());
    }] as [Change; 1]);
    world.passes(&bearing(&world.token()));
    world.kept_its_secrets(&[]);
}

#[test]
fn what_vault_does_not_take_is_said_and_nothing_goes_on() {
    let cases: [(Change, &str); 6] = [
        (|_, _, target| target["role"] = json!("nobody"), "400"),
        (|_, _, target| target["role"] = json!("release"), "400"),
        (|_, _, target| target["role"] = json!("elsewhere"), "400"),
        (|_, _, target| target["mount"] = json!("jwt"), "404"),
        (|_, _, target| target["namespace"] = json!("acme"), "404"),
        (|_, vault, _| vault.namespace = None, "404"),
    ];
    let mut world = world(cases.iter().map(|(change, _)| *change));
    for (nth, (_, status)) in cases.into_iter().enumerate() {
        world.turn_to(nth);
        let cause = world.fails(&bearing(&world.token()));
        assert_eq!(cause, format!("the server answered with status {status}"));
        let counterpart = world.counterpart();
        assert_eq!((counterpart.asked(), counterpart.granted()), (1, 0));
    }
    world.kept_its_secrets(&[]);
}
