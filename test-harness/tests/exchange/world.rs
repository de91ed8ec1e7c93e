//! An issuer, an Envoy with one gate in it that exchanges tokens, and a service that takes only what they are exchanged
//! for.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use jobgate_harness::client::{Request, Response};
use jobgate_harness::counterpart::{Counterpart, Guarded, Jobs, Kind, Ledger, Seen};
use jobgate_harness::envoy::{Envoy, EnvoyConfig, Listener};
use jobgate_harness::exchange::eventually;
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use serde_json::{Value, json};

/// How long something may take that comes about by itself, on a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The audience of the jobs' tokens, and so of the gate.
pub(crate) const AUDIENCE: &str = "https://deploy.acme.example";

/// What is there before the gate is.
pub(crate) struct Stage {
    pub(crate) issuer: Issuer,
    pub(crate) ledger: Ledger,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            issuer: Issuer::start(AUDIENCE).unwrap(),
            ledger: Ledger::default(),
        }
    }

    /// The tokens of this issuer, for the gate's audience.
    pub(crate) fn jobs(&self) -> Jobs {
        Jobs::of(&self.issuer, AUDIENCE)
    }

    /// A gate whose one rule exchanges the job's token, before a service that takes credentials in `header`.
    pub(crate) fn world(
        self,
        target: Value,
        counterpart: Counterpart,
        header: &'static str,
    ) -> World {
        self.gates(vec![(target, counterpart)], header)
    }

    /// Several such gates in one Envoy, each with a counterpart of its own.
    pub(crate) fn gates(self, gates: Vec<(Value, Counterpart)>, header: &'static str) -> World {
        self.world_with(gates, header, |_| {}, |_| {})
    }

    /// The same with another policy and another Envoy.
    pub(crate) fn world_with(
        self,
        gates: Vec<(Value, Counterpart)>,
        header: &'static str,
        change: impl Fn(&mut Value),
        configure: impl FnOnce(&mut EnvoyConfig),
    ) -> World {
        let upstream = Guarded::start(self.ledger.clone(), header).unwrap();
        let mut config = EnvoyConfig::new(upstream.addr(), self.issuer.addr());
        let mut counterparts = Vec::new();
        for (nth, (mut target, counterpart)) in gates.into_iter().enumerate() {
            point(
                &mut target,
                &counterpart.url(),
                &format!("counterpart-{nth}"),
            );
            let mut policy = policy(&self.issuer, &target);
            change(&mut policy);
            config = config
                .cluster(format!("counterpart-{nth}"), counterpart.addr())
                .listener(Listener::new(format!("gate-{nth}")).jobgate(policy));
            counterparts.push(counterpart);
        }
        configure(&mut config);
        World {
            envoy: Envoy::start(&config).unwrap_or_else(|error| panic!("{error}")),
            upstream,
            counterparts,
            issuer: self.issuer,
            ledger: self.ledger,
            gate: 0,
            answers: Mutex::default(),
            tokens: Mutex::default(),
        }
    }
}

/// Puts a counterpart's address before the paths that are written as `uri`, and its cluster beside them.
fn point(target: &mut Value, url: &str, cluster: &str) {
    let Value::Object(members) = target else {
        return;
    };
    if let Some(Value::String(path)) = members.get("uri") {
        let uri = format!("{url}{path}");
        members.insert("uri".to_owned(), uri.into());
        members.entry("cluster").or_insert_with(|| cluster.into());
    }
    members.values_mut().for_each(|it| point(it, url, cluster));
}

/// Every job of acme may do anything, with what its token is exchanged for.
pub(crate) fn policy(issuer: &Issuer, target: &Value) -> Value {
    json!({
        "issuers": [{
            "preset": "buildkite",
            "issuer": issuer.base_url(),
            "audience": issuer.audience(),
            "jwks": { "cluster": "issuer", "uri": issuer.jwks_uri() },
        }],
        "rules": [{
            "id": "any-job", "claims": { "organization_slug": "acme" }, "exchange": "cloud",
        }],
        "exchange": { "cloud": target },
    })
}

/// Dropped in this order.
pub(crate) struct World {
    pub(crate) envoy: Envoy,
    pub(crate) upstream: Guarded,
    counterparts: Vec<Counterpart>,
    pub(crate) issuer: Issuer,
    ledger: Ledger,
    /// The gate that requests are sent to.
    gate: usize,
    answers: Mutex<Vec<Response>>,
    tokens: Mutex<Vec<String>>,
}

impl World {
    /// A good token.
    pub(crate) fn token(&self) -> String {
        self.mint(&TokenSpec::default())
    }

    /// A token that no other is the same as.
    pub(crate) fn mint(&self, spec: &TokenSpec) -> String {
        let mut tokens = self.tokens.lock().unwrap();
        let mut spec = spec.clone();
        spec.claims
            .insert("build_number".to_owned(), tokens.len().into());
        let token = self.issuer.mint(&spec);
        tokens.push(token.clone());
        token
    }

    /// Sends requests to this gate from now on.
    pub(crate) fn turn_to(&mut self, gate: usize) {
        self.gate = gate;
    }

    /// Where the gate is that requests are sent to.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.envoy.addr(&format!("gate-{}", self.gate))
    }

    /// That gate's counterpart.
    pub(crate) fn counterpart(&self) -> &Counterpart {
        &self.counterparts[self.gate]
    }

    pub(crate) fn send(&self, request: &Request) -> Response {
        let response = request
            .send(self.addr())
            .unwrap_or_else(|error| panic!("{error}\n{}", self.log_tail()));
        self.keep(&response);
        response
    }

    /// Remembers an answer for the look at the end.
    pub(crate) fn keep(&self, response: &Response) {
        self.answers.lock().unwrap().push(response.clone());
    }

    /// Waits until the gate has the issuer's keys, without an exchange.
    pub(crate) fn wait_for_keys(&self) {
        let of_another = TokenSpec {
            claims: [("organization_slug".to_owned(), json!("evil"))]
                .into_iter()
                .collect(),
            ..TokenSpec::default()
        };
        let token = self.mint(&of_another);
        eventually(SOON, || {
            (self.send(&bearing(&token)).status == 403).then_some(())
        })
        .unwrap_or_else(|| panic!("it has no keys:\n{}", self.log_tail()));
    }

    /// Sends a request that goes through, and gives what the upstream saw of it.
    #[track_caller]
    pub(crate) fn passes(&self, request: &Request) -> Seen {
        let before = self.upstream.seen().len();
        let response = self.send(request);
        assert_eq!(
            response.status,
            200,
            "{}\n{}",
            response.text(),
            self.log_tail()
        );
        let seen = self.upstream.seen();
        assert_eq!(seen.len(), before + 1);
        let seen = seen[before].clone();
        assert!(seen.taken, "{seen:?}");
        seen
    }

    /// Sends a request that is refused for want of a credential, and gives the decision record's cause.
    #[track_caller]
    pub(crate) fn fails(&self, request: &Request) -> String {
        let before = self.upstream.seen().len();
        let response = self.send(request);
        assert_eq!(
            response.status,
            502,
            "{}\n{}",
            response.text(),
            self.log_tail()
        );
        let problem: Value = response.json().unwrap();
        assert_eq!(problem["code"], "exchange_failed");
        assert_eq!(problem["title"], "Bad Gateway");
        assert_eq!(self.upstream.seen().len(), before, "nothing goes on");
        let record = self.record(problem["decision_id"].as_str().unwrap());
        assert_eq!(record["reason"], "exchange_failed");
        let cause = record["exchange"]["failed"].as_str().unwrap();
        assert_eq!(record["detail"].as_str(), Some(cause));
        cause.to_owned()
    }

    /// The decision record of this id.
    #[track_caller]
    pub(crate) fn record(&self, id: &str) -> Value {
        let record = eventually(SOON, || {
            let log = self.envoy.log_text();
            let line = log
                .lines()
                .find(|line| line.contains("jobgate.decision") && line.contains(id))?;
            serde_json::from_str(&line[line.find('{')?..]).ok()
        });
        record.unwrap_or_else(|| panic!("there is no record:\n{}", self.log_tail()))
    }

    pub(crate) fn wait_for_active_requests(&self, count: u64) {
        let active = || {
            self.envoy
                .stats()
                .unwrap()
                .get("http.gate-0.downstream_rq_active")
        };
        eventually(SOON, || (active() == count).then_some(()))
            .unwrap_or_else(|| panic!("{} requests\n{}", active(), self.log_tail()));
    }

    /// The end of the log, where the reason is.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.envoy.log_text();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// The look at the end: the jobs' tokens, these secrets and the credentials are nowhere in Envoy's log, in no answer
    /// and in nothing that the upstream saw, but for the one header that credentials belong in.
    #[track_caller]
    pub(crate) fn kept_its_secrets(&self, secrets: &[&str]) {
        let mut texts = vec![("the log", self.envoy.log_text())];
        for response in self.answers.lock().unwrap().iter() {
            let headers = response
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value)));
            texts.push(("an answer", headers.collect::<String>() + &response.text()));
        }
        let header = self.upstream.header();
        for seen in self.upstream.seen() {
            texts.push(("the upstream", seen.without(header)));
            for value in seen.header(header) {
                let is_one = self.ledger.all().into_iter().any(|(credential, kind)| {
                    kind == Kind::Access
                        && value.strip_prefix("Bearer ").unwrap_or(value) == credential
                });
                assert!(is_one || value.is_empty(), "{header} has {value:?}");
            }
        }
        assert!(texts[0].1.contains("jobgate.decision"), "there is a log");
        // Of a token the payload alone would tell too much, and the signature is what proves it.
        let tokens = self.tokens.lock().unwrap();
        let parts = tokens.iter().flat_map(|token| token.split('.').skip(1));
        let credentials = self
            .ledger
            .all()
            .into_iter()
            .map(|(credential, _)| credential);
        let secrets = secrets.iter().map(|&it| it.to_owned());
        for secret in parts.map(str::to_owned).chain(credentials).chain(secrets) {
            for (place, text) in &texts {
                assert!(!text.contains(&secret), "{place} has {secret:?}:\n{text}");
            }
        }
    }
}

pub(crate) fn bearing(token: &str) -> Request {
    Request::new("GET", "/").header("authorization", format!("Bearer {token}"))
}
