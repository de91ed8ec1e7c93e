//! Google Cloud: the federated token, and with it a service account's.

use jobgate_harness::counterpart::{Google, Jobs};
use serde_json::{Value, json};

use super::world::{Stage, World, bearing};

const PROVIDER: &str = "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/ci/providers/buildkite";

type Change = fn(&Stage, &mut Google, &mut Value);

fn world(changes: impl IntoIterator<Item = Change>) -> World {
    let stage = Stage::new();
    let gates = changes.into_iter().map(|change| {
        let account = |name: &str| format!("{name}@acme.iam.gserviceaccount.com");
        let accounts = ["deploy-web", "billing"].map(|name| (account(name), name.to_owned()));
        let mut google = Google {
            jobs: stage.jobs(),
            provider: PROVIDER.to_owned(),
            accounts: accounts.into(),
            ledger: stage.ledger.clone(),
        };
        let mut target = json!({
            "uri": "/v1/token",
            "audience": PROVIDER, "requested_token_type": "access_token",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "impersonate": {
                "service_account": "{claims.pipeline_slug}@acme.iam.gserviceaccount.com",
                "lifetime": "10m", "uri": "",
            },
        });
        change(&stage, &mut google, &mut target);
        (json!({ "token_exchange": target }), google.start().unwrap())
    });
    let gates = gates.collect();
    stage.gates(gates, "authorization")
}

#[test]
fn the_upstream_gets_the_service_accounts_token() {
    let world = world([|_: &Stage, _: &mut Google, _: &mut Value| {}] as [Change; 1]);
    let token = world.token();
    for _ in 0..2 {
        let seen = world.passes(&bearing(&token));
        let value = seen.header("authorization");
        assert!(
            value.len() == 1 && value[0].starts_with("Bearer ya29.c."),
            "{value:?}"
        );
    }
    assert_eq!(
        (world.counterpart().asked(), world.counterpart().granted()),
        (2, 1)
    );
    world.kept_its_secrets(&[]);
}

#[test]
fn what_google_does_not_take_is_named_and_nothing_goes_on() {
    let cases: [(Change, &str, u64); 7] = [
        (
            |_, _, target| target["audience"] = json!(PROVIDER.replace("buildkite", "other")),
            "400: invalid_target",
            1,
        ),
        (
            |_, _, target| target["scope"] = json!("read"),
            "400: invalid_scope",
            1,
        ),
        (
            |stage, google, _| google.jobs = Jobs::of(&stage.issuer, "https://another.example"),
            "400: invalid_grant",
            1,
        ),
        (
            |_, _, target| target["client"] = json!({ "id": "gate", "secret": "hush-hush" }),
            "401: invalid_client",
            1,
        ),
        // Another pipeline's.
        (
            |_, _, target| {
                target["impersonate"]["service_account"] =
                    json!("billing@acme.iam.gserviceaccount.com");
            },
            "403: PERMISSION_DENIED",
            2,
        ),
        (
            |_, _, target| target["impersonate"]["lifetime"] = json!("2h"),
            "400: INVALID_ARGUMENT",
            2,
        ),
        (
            |_, _, target| {
                target["impersonate"]["service_account"] = json!("{claims.sub}@acme.example")
            },
            "the claim sub has a character other than letters, digits and _+=,.@-",
            0,
        ),
    ];
    let mut world = world(cases.iter().map(|(change, ..)| *change));
    for (nth, (_, why, asked)) in cases.into_iter().enumerate() {
        world.turn_to(nth);
        let cause = world.fails(&bearing(&world.token()));
        assert!(cause.ends_with(why), "{why}: {cause}");
        let counterpart = world.counterpart();
        assert_eq!(
            (counterpart.asked(), counterpart.granted()),
            (asked, 0),
            "{why}"
        );
    }
    world.kept_its_secrets(&["hush-hush"]);
}
