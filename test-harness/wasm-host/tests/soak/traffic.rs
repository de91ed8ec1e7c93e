//! A gateway, its issuer and its clients, good and bad.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, UNIX_EPOCH};

use jobgate_harness::keys::SigningKey;
use jobgate_harness::mint::{Minter, Tamper, TokenSpec};
use jobgate_harness::repository;
use jobgate_wasm_host::{
    CallResponse, Cluster, Exchange, ExchangeId, FailurePolicy, Gateway, Level, Module, Options,
    Outcome, Profile, Request, RouteConfig,
};
use serde_json::{Map, Value, json};

const ISSUER: &str = "https://ci.example";
const AUDIENCE: &str = "https://deploy.acme.example";
const START: u64 = 1_800_000_000;

/// A key signs for so long; it is published for as long before and after.
const KEY_LIFE: u64 = 600;

/// Time passes in steps of this: a fetch is answered within one.
const STEP: Duration = Duration::from_millis(500);

/// From then on single-use tokens serve: the record has begun, and fresh tokens are later than that.
const SETTLED: u64 = 120;

/// What must become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Passes,
    IsRefused,
}

pub(crate) struct Traffic {
    profile: Profile,
    gateway: Gateway,
    /// By generation: generation `n` signs from `n * KEY_LIFE` on.
    minters: BTreeMap<u64, Minter>,
    /// Those that wait, oldest first.
    waiting: VecDeque<(ExchangeId, Due)>,
    /// Good tokens that may come again.
    recent: VecDeque<String>,
    random: u64,
    owed: Duration,
    counts: BTreeMap<Due, u64>,
    fetches: u64,
}

impl Traffic {
    pub(crate) fn new(profile: Profile) -> Self {
        let path = repository().join("dist/jobgate.wasm");
        let module = Module::load(&path)
            .unwrap_or_else(|error| panic!("{error}\n`make dist` builds {}", path.display()));
        let options = Options {
            start: UNIX_EPOCH + Duration::from_secs(START),
            failure_policy: FailurePolicy::Reload,
            clusters: BTreeMap::from([("issuer".to_owned(), Cluster::Ready)]),
            shared_data_zone: true,
            ..Options::default()
        };
        let mut gateway = Gateway::new(profile, &module, options);
        gateway
            .start(&[RouteConfig::new("deploy", policy(profile).to_string())])
            .expect("the gateway starts");
        let mut traffic = Self {
            profile,
            gateway,
            minters: BTreeMap::new(),
            waiting: VecDeque::new(),
            recent: VecDeque::new(),
            random: 0x9e37_79b9_7f4a_7c15,
            owed: Duration::ZERO,
            counts: BTreeMap::new(),
            fetches: 0,
        };
        traffic.step();
        traffic.step();
        traffic
    }

    /// Sends the next request, of one kind or another.
    pub(crate) fn send(&mut self, nth: u64) {
        let (request, due) = self.request(nth);
        let exchange = self.gateway.request(0, request);
        *self.counts.entry(due).or_default() += 1;
        match exchange.outcome {
            Outcome::Paused => self.waiting.push_back((exchange.id, due)),
            _ => self.check(&exchange, due),
        }
    }

    fn request(&mut self, nth: u64) -> (Request, Due) {
        let own_claims = TokenSpec {
            claims: members(json!({
                "jti": format!("{nth:032x}"),
                "build_number": nth,
                "build_branch": format!("feature/{}", "x".repeat(self.below(200))),
            })),
            ..TokenSpec::default()
        };
        let with = |change: fn(&mut TokenSpec)| {
            let mut spec = own_claims.clone();
            change(&mut spec);
            spec
        };
        let refused = |token: String| (with_token(&token), Due::IsRefused);
        match nth % 16 {
            0 => {
                let size = self.below(2_000);
                let garbage: Vec<u8> = (0..size).map(|_| self.below(94) as u8 + 33).collect();
                let value = [b"Bearer ", garbage.as_slice()].concat();
                let request = Request::get("/").header("authorization", value);
                (request, Due::IsRefused)
            }
            1 => {
                let mut spec = own_claims;
                let kid = format!("made-up-{nth}");
                spec.header.insert("kid".to_owned(), json!(kid));
                refused(self.mint(&spec))
            }
            2 => {
                let token = self.mint(&with(|spec| spec.tamper = Some(Tamper::Signature)));
                let peer = format!(
                    "[2001:db8:{:x}:{:x}::1]:1",
                    nth >> 16 & 0xffff,
                    nth & 0xffff
                );
                let request = Request {
                    peer,
                    ..with_token(&token)
                };
                (request, Due::IsRefused)
            }
            3 => refused(self.mint(&with(|spec| spec.age = 3_000))),
            4 => {
                let mut spec = own_claims;
                let other = json!(format!("evil-{nth}"));
                spec.claims.insert("organization_slug".to_owned(), other);
                refused(self.mint(&spec))
            }
            5 => refused(self.mint(&with(|spec| spec.pad = Some(14_000)))),
            6 => match self.recent.front() {
                Some(again) => (with_token(again), Due::Passes),
                None => (Request::get("/"), Due::IsRefused),
            },
            7 if self.elapsed() >= SETTLED => {
                let token = self.mint(&own_claims);
                let request = Request::get("/once").header("authorization", bearer(&token));
                (request, Due::Passes)
            }
            8 => {
                let token = self.mint(&own_claims);
                let request = with_token(&token).header("x-jobgate-branch", "forged");
                (request, Due::Passes)
            }
            _ => {
                let token = self.mint(&own_claims);
                self.recent.push_back(token.clone());
                if self.recent.len() > 8 {
                    self.recent.pop_front();
                }
                (with_token(&token), Due::Passes)
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.owed += by;
        while self.owed >= STEP {
            self.owed -= STEP;
            self.step();
        }
    }

    fn step(&mut self) {
        self.gateway.advance(STEP);
        for call in self.gateway.pending_calls() {
            self.fetches += 1;
            let document = match call.header(":path") {
                Some("/revocations.json") => self.revocations(),
                _ => self.jwks(),
            };
            let response = CallResponse::new(200, document.to_string()).header("date", "now");
            let answered = self.gateway.respond(call.id, response);
            answered.expect("the call is pending");
        }
        while let Some((id, due)) = self.waiting.front().copied() {
            let exchange = self.gateway.exchange(id).cloned();
            let exchange = exchange.expect("it was sent");
            if exchange.outcome == Outcome::Paused {
                break;
            }
            self.waiting.pop_front();
            self.check(&exchange, due);
        }
        self.gateway.forget_exchanges();
        let logs = self.gateway.take_logs();
        let grave = logs.iter().find(|(level, _)| *level == Level::Critical);
        assert_eq!(grave, None);
    }

    fn check(&self, exchange: &Exchange, due: Due) {
        assert!(exchange.traps.is_empty(), "{:?}", exchange.traps);
        let passed = exchange.upstream().is_some();
        assert_eq!(
            passed,
            due == Due::Passes,
            "on {:?}, {} s after the start: {:?}",
            self.profile,
            self.elapsed(),
            exchange.local().map(|answer| answer.text())
        );
    }

    /// Nobody waits, and no VM died.
    pub(crate) fn check_end(&mut self) {
        for _ in 0..10 {
            self.step();
        }
        assert!(self.waiting.is_empty(), "{:?}", self.waiting);
        assert_eq!(self.gateway.vm_recycled(), 0);
        assert!(self.fetches > 0);
    }

    pub(crate) fn memory(&mut self) -> usize {
        self.gateway.memory_bytes()
    }

    pub(crate) fn tally(&self) -> String {
        format!("{:?}, {} fetches", self.counts, self.fetches)
    }

    fn elapsed(&self) -> u64 {
        self.unix() - START
    }

    fn unix(&self) -> u64 {
        let since = self.gateway.now().duration_since(UNIX_EPOCH);
        since.expect("the clock is past the epoch").as_secs()
    }

    /// The issuer with the key of a generation. Ed25519, of which signing costs little.
    fn minter(&mut self, generation: u64) -> &Minter {
        self.minters.entry(generation).or_insert_with(|| {
            let key = SigningKey::ed25519(&format!("soak-{generation}"));
            Minter::with_key(ISSUER, AUDIENCE, key)
        })
    }

    fn mint(&mut self, spec: &TokenSpec) -> String {
        let (now, generation) = (self.unix(), self.elapsed() / KEY_LIFE);
        self.minter(generation).mint(spec, now)
    }

    /// The keys of this generation and of its neighbours.
    fn jwks(&mut self) -> Value {
        let now = self.elapsed() / KEY_LIFE;
        let keys: Vec<Value> = (now.saturating_sub(1)..=now + 1)
            .map(|generation| self.minter(generation).current_key().public_jwk())
            .collect();
        json!({ "keys": keys })
    }

    /// Some hundred entries of which none is for a job here.
    fn revocations(&mut self) -> Value {
        let entries: Vec<Value> = (0..self.below(200))
            .map(|nth| json!({ "claims": { "job_id": format!("{nth}-{}", self.random) } }))
            .collect();
        json!({ "revocations": entries })
    }

    /// A pseudo-random number below this (xorshift).
    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 33).unwrap_or_default() % end
    }
}

fn policy(profile: Profile) -> Value {
    let cluster = match profile {
        Profile::Envoy => "issuer",
        Profile::Kong => "ci.example:443",
    };
    let acme = json!({ "organization_slug": "acme" });
    json!({
        "issuers": [{
            "preset": "buildkite", "issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["EdDSA"],
            "jwks": { "cluster": cluster, "uri": format!("{ISSUER}/jwks"), "refresh": "1m" },
        }],
        "rules": [
            { "id": "any-job", "paths": ["/"], "claims": acme },
            { "id": "once", "paths": ["/once"], "claims": acme, "replay": "once" },
        ],
        "revocations": { "uri": format!("{ISSUER}/revocations.json"), "cluster": cluster },
        "shared_data": true,
        "failed_verifications": { "rate": "1/h" },
    })
}

fn members(object: Value) -> Map<String, Value> {
    object.as_object().cloned().unwrap_or_default()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn with_token(token: &str) -> Request {
    Request::get("/").header("authorization", bearer(token))
}
