//! The story, in its order.

use super::Error;
use super::row::Row;
use super::scene::{Scene, allowed_by, denied_by, refused, refused_in_shadow, without};
use super::stage::{BROKEN, CUT_OFF, DEPLOY, REPORTS, Stage};
use crate::issuer::{Endpoint, Fault, FaultOrder};
use crate::mint::{SignWith, Tamper, TokenSpec};
use serde_json::json;
use std::io;

const PRODUCTION: (&str, &str) = ("POST", "/deploy/production/eu");

/// Plays all of it; `show` gets every row as soon as it is known.
pub(super) fn play(stage: &Stage, show: impl FnMut(Row) -> io::Result<()>) -> Result<(), Error> {
    let mut teller = Teller {
        stage,
        show,
        told: 0,
    };
    honest_and_forged(&mut teller)?;
    ways_around(&mut teller)?;
    the_issuer_fails(&mut teller)?;
    closed_when_in_doubt(&mut teller)
}

struct Teller<'a, Show> {
    stage: &'a Stage,
    show: Show,
    told: usize,
}

impl<Show: FnMut(Row) -> io::Result<()>> Teller<'_, Show> {
    fn tell(&mut self, scene: Scene) -> Result<(), Error> {
        let row = scene.play(self.stage)?;
        self.show(row)
    }

    fn show(&mut self, mut row: Row) -> Result<(), Error> {
        self.told += 1;
        row.number = self.told;
        Ok((self.show)(row)?)
    }

    fn mint(&self, spec: &TokenSpec) -> String {
        self.stage.issuer.mint(spec)
    }
}

/// What a job of `acme/deploy-web` on `main` gets.
fn good() -> TokenSpec {
    TokenSpec::default()
}

fn with_claim(name: &str, value: &str) -> TokenSpec {
    let mut spec = good();
    spec.claims.insert(name.to_owned(), json!(value));
    spec
}

fn honest_and_forged<Show>(teller: &mut Teller<'_, Show>) -> Result<(), Error>
where
    Show: FnMut(Row) -> io::Result<()>,
{
    teller.tell(Scene::new(
        "no token",
        DEPLOY,
        PRODUCTION,
        refused(401, "token_missing"),
    ))?;
    teller.tell(
        Scene::new(
            "the right pipeline, on its branch",
            DEPLOY,
            PRODUCTION,
            allowed_by("deploy-production", "main"),
        )
        .token(teller.mint(&good())),
    )?;
    let tokens: [(&str, TokenSpec, u16, &str); 6] = [
        (
            "the same pipeline, on another branch",
            with_claim("build_branch", "feature/x"),
            403,
            "no_rule_matched",
        ),
        (
            "another organization's pipeline of that name",
            with_claim("organization_slug", "evil"),
            403,
            "no_rule_matched",
        ),
        (
            "a token of ten minutes ago, long expired",
            TokenSpec { age: 600, ..good() },
            401,
            "token_expired",
        ),
        (
            "a token that was changed after it was signed",
            TokenSpec {
                tamper: Some(Tamper::Payload),
                ..good()
            },
            401,
            "signature_invalid",
        ),
        (
            "a token that nobody signed (alg: none)",
            TokenSpec {
                header: [("alg".to_owned(), json!("none"))].into_iter().collect(),
                sign_with: SignWith::Nothing,
                ..good()
            },
            401,
            "algorithm_not_allowed",
        ),
        (
            "HS256, keyed with the issuer's public key",
            TokenSpec {
                sign_with: SignWith::HmacPublicKey,
                ..good()
            },
            401,
            "algorithm_not_allowed",
        ),
    ];
    for (title, spec, status, reason) in tokens {
        let scene = Scene::new(title, DEPLOY, PRODUCTION, refused(status, reason));
        teller.tell(scene.token(teller.mint(&spec)))?;
    }
    Ok(())
}

fn ways_around<Show>(teller: &mut Teller<'_, Show>) -> Result<(), Error>
where
    Show: FnMut(Row) -> io::Result<()>,
{
    let forged = |scene: Scene| {
        scene
            .header("X-Jobgate-Branch", "forged")
            .header("x_jobgate_pipeline", "forged")
            .header("x-jobgate-admin", "true")
    };
    let truth = without(
        allowed_by("deploy-production", "main"),
        &["x_jobgate_pipeline", "x-jobgate-admin"],
    );
    let scene = Scene::new(
        "a good token beside forged identity headers",
        DEPLOY,
        PRODUCTION,
        truth,
    );
    teller.tell(forged(scene).token(teller.mint(&good())))?;
    teller.tell(forged(Scene::new(
        "forged identity headers in place of a token",
        DEPLOY,
        PRODUCTION,
        refused(401, "token_missing"),
    )))?;
    teller.tell(
        Scene::new(
            "the right pipeline, where a deny rule holds",
            DEPLOY,
            ("POST", "/deploy/production/frozen/eu"),
            denied_by("freeze"),
        )
        .token(teller.mint(&good())),
    )?;
    // From where this branch may go to where it may not.
    let branch = with_claim("build_branch", "feature/x");
    teller.tell(
        Scene::new(
            "a branch where it may deploy: staging",
            DEPLOY,
            ("POST", "/deploy/staging/eu"),
            allowed_by("deploy-staging", "feature/x"),
        )
        .token(teller.mint(&branch)),
    )?;
    for (title, path, status, reason) in [
        (
            "that branch, climbing to production",
            "/deploy/staging/../production/eu",
            400,
            "path_ambiguous",
        ),
        (
            "that branch, climbing in disguise",
            "/deploy/staging/%2e%2e/production/eu",
            400,
            "path_ambiguous",
        ),
    ] {
        let scene = Scene::new(title, DEPLOY, ("POST", path), refused(status, reason));
        teller.tell(scene.token(teller.mint(&branch)))?;
    }
    teller.tell(
        Scene::new(
            "a token for another audience",
            DEPLOY,
            PRODUCTION,
            refused(401, "audience_mismatch"),
        )
        .token(teller.mint(&with_claim("aud", "https://other.example"))),
    )?;
    teller.tell(
        Scene::new(
            "a route in shadow mode: told, not blocked",
            REPORTS,
            ("GET", "/reports/q3"),
            refused_in_shadow("no_rule_matched", "feature/x"),
        )
        .token(teller.mint(&branch)),
    )
}

fn the_issuer_fails<Show>(teller: &mut Teller<'_, Show>) -> Result<(), Error>
where
    Show: FnMut(Row) -> io::Result<()>,
{
    let of_the_old_key = teller.mint(&good());
    // First the fault: else the gate could have the new key before anybody asks for it.
    teller.stage.issuer.order(&FaultOrder {
        endpoint: Endpoint::All,
        fault: Some(Fault::Disconnect),
        times: None,
    });
    teller.stage.issuer.rotate_keys(true);
    let of_the_new_key = teller.mint(&good());
    teller.tell(
        Scene::new(
            "the issuer has a new key, and goes down",
            DEPLOY,
            PRODUCTION,
            refused(503, "keys_unavailable"),
        )
        .token(&of_the_new_key),
    )?;

    // It means something only once the gate has asked for the keys in vain.
    let failed = format!(
        "the keys of {} could not be fetched: no answer came",
        teller.stage.issuer.base_url()
    );
    let asked = teller.stage.comes_to_log(&failed);
    let mut row = Scene::new(
        "still down: a token of the last good keys",
        DEPLOY,
        PRODUCTION,
        allowed_by("deploy-production", "main"),
    )
    .token(of_the_old_key)
    .play(teller.stage)?;
    if !asked {
        row.differences.push(format!("the log lacks {failed:?}"));
    }
    teller.show(row)?;

    teller.stage.issuer.heal();
    teller.tell(
        Scene::new(
            "it is back: the new key, after Retry-After",
            DEPLOY,
            PRODUCTION,
            allowed_by("deploy-production", "main"),
        )
        .token(of_the_new_key)
        .patient(),
    )
}

fn closed_when_in_doubt<Show>(teller: &mut Teller<'_, Show>) -> Result<(), Error>
where
    Show: FnMut(Row) -> io::Result<()>,
{
    for (title, gate, reason) in [
        ("a gate that never had keys", CUT_OFF, "keys_unavailable"),
        ("a gate whose policy has a typo", BROKEN, "config_invalid"),
    ] {
        let scene = Scene::new(title, gate, PRODUCTION, refused(503, reason));
        teller.tell(scene.token(teller.mint(&good())))?;
    }
    Ok(())
}
