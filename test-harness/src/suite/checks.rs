//! What a gateway must hold beside the shared cases: several requests in one connection, and TLS with a certificate.

use std::collections::BTreeSet;

use super::player::{Error, Player};
use super::remote;
use super::scenario::STEADY;
use crate::case::CertificateNames;
use crate::client::{self, Body, Request, Response};
use crate::mint::TokenSpec;
use crate::record;
use crate::upstream::Echo;

/// What stands for the file in a report.
pub(super) const FILE: &str = "gateway";

/// The gates that the checks are about.
pub(super) const GATES: [&str; 1] = [STEADY];

/// A check, and what it finds amiss.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) run: fn(&Player) -> Result<Vec<String>, Error>,
}

/// All of them.
pub(super) const ALL: [Check; 4] = [
    Check {
        name: "over TLS with a client's certificate the identity arrives, and the token does not",
        run: identity_over_tls,
    },
    Check {
        name: "requests that follow each other in one connection are decided one by one",
        run: |player| in_one_connection(player, false),
    },
    Check {
        name: "requests that are pipelined are decided one by one",
        run: |player| in_one_connection(player, true),
    },
    Check {
        name: "a request that expects to be asked for its body is decided before",
        run: expecting,
    },
];

fn identity_over_tls(player: &Player) -> Result<Vec<String>, Error> {
    let token = player.issuer.mint(&TokenSpec::default())?;
    let names = CertificateNames {
        subject: Some("CN=ci-agent,O=Acme".to_owned()),
        ..CertificateNames::default()
    };
    let client = player.authority.client(Some((&player.authority, &names)));
    let request = bearing(&token);
    let seen = match player.exchange(request, STEADY, Some(&client))? {
        Ok(seen) => seen,
        Err(error) => return Ok(vec![error.to_string()]),
    };
    let Some(echo) = seen.forwarded.first() else {
        return Ok(vec![format!("it was refused: {}", seen.response.text())]);
    };
    let expected = [
        ("x-jobgate-decision", "allow"),
        ("x-jobgate-organization", "acme"),
        ("x-jobgate-pipeline", "deploy-web"),
        ("x-jobgate-branch", "main"),
    ];
    let mut amiss = Vec::new();
    for (name, value) in expected {
        let arrived = echo.header(name);
        if arrived != [value] {
            amiss.push(format!("{name}: expected {value:?} once, saw {arrived:?}"));
        }
    }
    if echo.headers.iter().any(|(_, value)| value.contains(&token)) {
        amiss.push("the token reached the upstream".to_owned());
    }
    Ok(amiss)
}

/// How many requests go over one connection.
const LENGTH: usize = 12;

/// Good and bad requests take turns, so that a decision that stuck to the connection would show.
fn in_one_connection(player: &Player, pipelined: bool) -> Result<Vec<String>, Error> {
    let good = player.issuer.mint(&TokenSpec::default())?;
    let expired = player.issuer.mint(&TokenSpec {
        age: 600,
        exp_in: Some(-300),
        ..TokenSpec::default()
    })?;
    let turns: Vec<_> = (0..LENGTH)
        .map(|nth| match nth % 3 {
            0 => (bearing(&good), None),
            1 => (bearing(&expired), Some("token_expired")),
            _ => (Request::new("GET", "/deploy"), Some("token_missing")),
        })
        .map(|(request, refused)| (player.address(request, STEADY), refused))
        .collect();
    let requests: Vec<_> = turns
        .iter()
        .map(|((request, _), _)| request.clone())
        .collect();
    let to = remote::resolve(player.topology.of(player.gateway).http)?;
    let responses = match client::converse(to, &requests, pipelined) {
        Ok(responses) => responses,
        Err(error) => return Ok(vec![error.to_string()]),
    };
    let mut amiss = Vec::new();
    // After a refusal a gateway may close the connection, and who pipelines asks again (RFC 9112, section 9.3.2).
    let closed = responses.len() < LENGTH;
    let after_refusal = responses.last().is_some_and(|last| last.status >= 400);
    if closed && !(pipelined && after_refusal) {
        amiss.push(format!(
            "{} responses to {LENGTH} requests",
            responses.len()
        ));
    }
    for ((_, id), refused) in &turns[responses.len().min(LENGTH)..] {
        if refused.is_some() && !player.upstream.requests(id)?.is_empty() {
            amiss.push("a bad request was not answered, and reached the upstream".to_owned());
        }
    }
    let mut decisions = BTreeSet::new();
    for (nth, (((_, id), refused), response)) in turns.iter().zip(&responses).enumerate() {
        let forwarded = player.upstream.requests(id)?;
        if let Some(why) = wrong(id, *refused, response, &forwarded) {
            amiss.push(format!("request {nth}: {why}"));
        }
        let decision = record::decision_id(response, forwarded.first());
        if decision.is_none_or(|decision| !decisions.insert(decision)) {
            amiss.push(format!("request {nth} has no decision of its own"));
        }
    }
    Ok(amiss)
}

/// What is wrong with an answer to the request of this id.
fn wrong(
    id: &str,
    refused: Option<&str>,
    response: &Response,
    forwarded: &[Echo],
) -> Option<String> {
    let code = record::problem(response, "code");
    match refused {
        None => {
            let echo: Option<Echo> = response.json().ok();
            let own = echo.is_some_and(|echo| echo.header(crate::upstream::ID_HEADER) == [id]);
            (response.status != 200 || !own || forwarded.len() != 1)
                .then(|| format!("it should pass; {} {}", response.status, response.text()))
        }
        Some(reason) => (code.as_deref() != Some(reason) || !forwarded.is_empty()).then(|| {
            format!(
                "it should be refused with {reason}; {} {code:?}, and it reached the upstream {} times",
                response.status,
                forwarded.len()
            )
        }),
    }
}

fn expecting(player: &Player) -> Result<Vec<String>, Error> {
    let body = || Body::Sized(vec![b'x'; 5000]);
    let expecting = |request: Request| {
        let mut request = request.header("expect", "100-continue").body(body());
        request.method = b"POST".to_vec();
        request
    };
    let token = player.issuer.mint(&TokenSpec::default())?;
    let turns = [
        (expecting(bearing(&token)), None),
        (
            expecting(Request::new("POST", "/deploy")),
            Some("token_missing"),
        ),
    ];
    let mut amiss = Vec::new();
    for (request, refused) in turns {
        let (request, id) = player.address(request, STEADY);
        let to = remote::resolve(player.topology.of(player.gateway).http)?;
        match request.send(to) {
            Ok(response) => {
                let forwarded = player.upstream.requests(&id)?;
                amiss.extend(wrong(&id, refused, &response, &forwarded));
                let cut = forwarded.iter().any(|echo| echo.body_bytes != 5000);
                amiss.extend(cut.then(|| "its body arrived in part".to_owned()));
            }
            Err(error) => amiss.push(error.to_string()),
        }
    }
    Ok(amiss)
}

fn bearing(token: &str) -> Request {
    Request::new("GET", "/deploy").header("authorization", format!("Bearer {token}"))
}
