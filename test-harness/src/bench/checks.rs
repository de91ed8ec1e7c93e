//! That each variant does what it is said to do. Without these the fastest filter would be the one that is off.

use serde_json::json;

use super::arena::Arena;
use super::error::Error;
use super::filters::{Filters, LISTENER};
use super::job::{self, METHOD, PATH};
use super::tokens::now;
use crate::client::Request;
use crate::mint::{Tamper, TokenSpec};

/// A request that differs from the good one, and who must refuse it.
struct Wrong {
    what: &'static str,
    method: &'static str,
    path: &'static str,
    /// No header at all without one.
    token: Option<TokenSpec>,
    /// Whether the token says it all; else it takes the policy to refuse it.
    by_token: bool,
}

impl Wrong {
    fn token(what: &'static str, token: TokenSpec) -> Self {
        Self {
            what,
            method: METHOD,
            path: PATH,
            token: Some(token),
            by_token: true,
        }
    }

    fn claim(what: &'static str, name: &str) -> Self {
        let token = job::with(json!({ name: "another" }));
        Self {
            by_token: false,
            ..Self::token(what, token)
        }
    }
}

fn wrong() -> Vec<Wrong> {
    let good = TokenSpec::default;
    let tampered = |tamper| TokenSpec {
        tamper: Some(tamper),
        ..good()
    };
    let mut wrong = vec![
        Wrong {
            token: None,
            ..Wrong::token("no token", good())
        },
        Wrong::token("a broken signature", tampered(Tamper::Signature)),
        Wrong::token("a changed payload", tampered(Tamper::Payload)),
        Wrong::token(
            "another audience",
            job::with(json!({ "aud": "https://other.example" })),
        ),
        Wrong::token(
            "another issuer",
            job::with(json!({ "iss": "https://other.example" })),
        ),
        Wrong::token(
            "an expired token",
            TokenSpec {
                age: 7_200,
                ..good()
            },
        ),
        Wrong::claim("another organization", "organization_slug"),
        Wrong::claim("another pipeline", "pipeline_slug"),
        Wrong::claim("another branch", "build_branch"),
    ];
    let by_policy = |what| Wrong {
        by_token: false,
        ..Wrong::token(what, good())
    };
    wrong.push(Wrong {
        method: "GET",
        ..by_policy("another method")
    });
    wrong.push(Wrong {
        path: "/deploy/staging/eu",
        ..by_policy("another path")
    });
    wrong
}

/// Sends a good token, and all that a variant must refuse.
pub(super) fn answers(arena: &Arena) -> Result<(), Error> {
    let (by_token, by_policy) = match arena.variant.filters {
        Filters::None | Filters::Empty | Filters::Calls => (false, false),
        Filters::Jwt { policy, .. } => (true, policy),
        Filters::Jobgate { .. } => (true, true),
    };
    let issuer = job::issuer(arena.variant.pool.algorithm());
    let first = arena.tokens.tokens.first().map(String::as_str);
    let status = send(arena, METHOD, PATH, first)?;
    expect(arena, "a good token", "200", status, status == 200)?;
    for wrong in wrong() {
        let refuses = if wrong.by_token { by_token } else { by_policy };
        if refuses {
            let token = wrong.token.map(|token| issuer.mint(&token, now()));
            let status = send(arena, wrong.method, wrong.path, token.as_deref())?;
            expect(
                arena,
                wrong.what,
                "401 or 403",
                status,
                matches!(status, 401 | 403),
            )?;
        }
    }
    Ok(())
}

fn send(arena: &Arena, method: &str, path: &str, token: Option<&str>) -> Result<u16, Error> {
    let mut request = Request::new(method, path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = request.send(arena.envoy.addr(LISTENER));
    let response = response.map_err(|source| Error::Client {
        variant: arena.variant.id,
        source,
    })?;
    Ok(response.status)
}

fn expect(
    arena: &Arena,
    what: &str,
    expected: &'static str,
    got: u16,
    is_right: bool,
) -> Result<(), Error> {
    if is_right {
        return Ok(());
    }
    Err(Error::Answer {
        variant: arena.variant.id,
        what: what.to_owned(),
        expected,
        got,
    })
}

/// That Envoy's cache had every token, by its own count.
pub(super) fn native_cache(arena: &Arena) -> Result<(), Error> {
    let Filters::Jwt { cache: true, .. } = arena.variant.filters else {
        return Ok(());
    };
    let stats = arena.stats()?;
    let count = |name: &str| stats.get(&format!("http.{LISTENER}.jwt_authn.{name}"));
    let (hits, misses) = (count("jwt_cache_hit"), count("jwt_cache_miss"));
    // Each token once, and what was refused.
    if hits > 0 && misses < 100 {
        return Ok(());
    }
    let what = format!("its cache had {hits} tokens and lacked {misses}");
    Err(Error::Cache {
        variant: arena.variant.id,
        what,
    })
}
