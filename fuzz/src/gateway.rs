//! The built filter in the in-process host: a plan of what happens to it, and what must hold throughout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use arbitrary::{Arbitrary, Unstructured};
use jobgate_wasm_host::{
    CallFailure, CallResponse, Cluster, Exchange, ExchangeId, FailurePolicy, Fault, Gateway,
    HostCall, Level, Module, Options, Outcome, Profile, Request, RouteConfig, Status,
};
use serde_json::{Value, json};

use crate::issuer;

/// All that happens to a gateway.
#[derive(Debug)]
pub struct Plan {
    kong: bool,
    two_workers: bool,
    /// Whether faults strike. Where one may have, a trap proves nothing, so most plans are without.
    faults: Rarely,
    zone: Zone,
    policy: Policy,
    steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Plan {
    /// As derived, but with steps for as long as there are bytes: a derived list is short as a rule.
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut plan = Self {
            kong: u.arbitrary()?,
            two_workers: u.arbitrary()?,
            faults: u.arbitrary()?,
            zone: u.arbitrary()?,
            policy: u.arbitrary()?,
            steps: Vec::new(),
        };
        while !u.is_empty() && plan.steps.len() < STEPS {
            plan.steps.push(u.arbitrary()?);
        }
        Ok(plan)
    }
}

/// True once in sixteen times.
#[derive(Clone, Copy, Debug)]
struct Rarely(bool);

impl<'a> Arbitrary<'a> for Rarely {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self(u.arbitrary::<u8>()? < 16))
    }
}

/// What a policy is like, beside its rule.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Policy {
    shadow: bool,
    forward: bool,
    inline_keys: bool,
    discovery: bool,
    shared_data: bool,
    broken: Rarely,
    cache: bool,
    once: bool,
    revoked: Rarely,
    remote_revocations: Rarely,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Zone {
    Large,
    Small,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Request(Sent),
    Answer { which: u8, with: Answer },
    Advance(Span),
    Fault { call: u8, nth: u8, kind: FaultKind },
    Reconfigure(Policy),
    Reload(Policy),
    Disconnect(u8),
}

#[derive(Arbitrary, Debug)]
struct Sent {
    second_worker: bool,
    post: bool,
    path: Path,
    token: Token,
    again: bool,
    headers: Vec<Extra>,
    body: bool,
    trailer: Option<Name>,
}

#[derive(Arbitrary, Debug)]
enum Path {
    Root,
    Deploy,
    Odd,
    Bytes(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Token {
    None,
    Good {
        key: u8,
    },
    OtherTenant {
        key: u8,
    },
    Expired {
        key: u8,
    },
    UnknownKid,
    Mutated {
        key: u8,
        at: u16,
        to: u8,
    },
    Cut {
        key: u8,
        at: u16,
    },
    Parts {
        header: String,
        payload: String,
        key: u8,
    },
    Bytes(Vec<u8>),
}

/// A header that a client should not send.
#[derive(Arbitrary, Debug)]
struct Extra {
    name: Name,
    twice: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Name {
    Decision,
    Rule,
    Subject,
    Unknown,
    Underscores,
    UpperCase,
    Mixed,
    SecondToken,
    TokenUnderscore,
    Connection,
    Harmless,
}

#[derive(Arbitrary, Debug)]
enum Answer {
    Keys {
        first: bool,
        second: bool,
        third: bool,
        etag: bool,
    },
    Metadata,
    Revocations {
        all: bool,
    },
    Unchanged,
    Status(u16),
    Bytes(Vec<u8>),
    Large,
    Fail(Failure),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Failure {
    Timeout,
    Connect,
    Resolve,
    Tls,
    Reset,
    Protocol,
    Truncated,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Span {
    Tick,
    Seconds(u8),
    Refresh,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum FaultKind {
    Trap,
    InternalFailure,
    BadArgument,
    NotFound,
    CasMismatch,
}

/// A word that stands in every header that must not arrive.
const FORGED: &str = "FORGED";
/// When a gateway starts, in seconds since the epoch.
const START: u64 = crate::NOW;
/// The most steps that are taken: a run must end.
const STEPS: usize = 64;

static MODULE: LazyLock<Module> = LazyLock::new(|| {
    let path = std::env::var_os("JOBGATE_WASM").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../dist/jobgate.wasm")),
        PathBuf::from,
    );
    Module::load(&path).unwrap_or_else(|error| panic!("{error}; `make dist` builds it"))
});

/// Takes a plan's steps and checks after each.
///
/// # Panics
/// Something does not hold.
pub fn run(plan: &Plan) {
    let mut world = World::new(plan);
    for step in &plan.steps {
        world.take(step);
        world.check();
    }
    world.finish();
}

/// A gateway with a good token's way through it, to see that the harness itself works.
///
/// # Panics
/// A good token isn't let in.
pub fn check_harness() {
    for kong in [false, true] {
        let policy = Policy {
            shadow: false,
            forward: false,
            inline_keys: false,
            discovery: false,
            shared_data: false,
            broken: Rarely(false),
            cache: true,
            once: false,
            revoked: Rarely(false),
            remote_revocations: Rarely(false),
        };
        let plan = Plan {
            kong,
            two_workers: false,
            faults: Rarely(false),
            zone: Zone::Large,
            policy,
            steps: Vec::new(),
        };
        let mut world = World::new(&plan);
        world.take(&Step::Advance(Span::Tick));
        let keys = Answer::Keys {
            first: true,
            second: false,
            third: false,
            etag: false,
        };
        world.take(&Step::Answer {
            which: 0,
            with: keys,
        });
        world.take(&Step::Request(Sent {
            second_worker: false,
            post: true,
            path: Path::Deploy,
            token: Token::Good { key: 0 },
            again: false,
            headers: Vec::new(),
            body: false,
            trailer: None,
        }));
        world.check();
        assert_eq!(world.allowed, 1, "a good token is let in");
    }
}

struct World {
    gateway: Gateway,
    kong: bool,
    zone: bool,
    policy: Policy,
    /// By exchange, what was sent and under which policies it may have been judged.
    sent: BTreeMap<ExchangeId, Case>,
    /// Every token that a job could have, with the key it was signed with.
    good: BTreeMap<String, usize>,
    /// Those that a rule let through that lets each through once.
    used: BTreeSet<String>,
    /// Every text that must not be logged.
    secrets: Vec<String>,
    last_token: Option<Vec<u8>>,
    /// The keys that a document has ever held, inline ones too.
    published: [bool; issuer::KEYS],
    may_fault: bool,
    /// One may have struck.
    faults: bool,
    allowed: usize,
}

struct Case {
    token: Option<Vec<u8>>,
    policy: Policy,
    checked: bool,
}

impl World {
    fn new(plan: &Plan) -> Self {
        let profile = if plan.kong {
            Profile::Kong
        } else {
            Profile::Envoy
        };
        let options = Options {
            start: UNIX_EPOCH + Duration::from_secs(START),
            failure_policy: FailurePolicy::Reload,
            clusters: BTreeMap::from([("issuer".to_owned(), Cluster::Ready)]),
            workers: if plan.two_workers { 2 } else { 1 },
            // Without a zone a policy that counts on one traps, and that is the policy's fault.
            shared_data_zone: true,
            shared_data_bytes: match plan.zone {
                Zone::Large => 2 * 1024 * 1024,
                Zone::Small => 64 * 1024,
            },
            ..Options::default()
        };
        let mut world = Self {
            gateway: Gateway::new(profile, &MODULE, options),
            kong: plan.kong,
            zone: matches!(plan.zone, Zone::Large),
            policy: plan.policy,
            sent: BTreeMap::new(),
            good: BTreeMap::new(),
            used: BTreeSet::new(),
            secrets: Vec::new(),
            last_token: None,
            published: [false; issuer::KEYS],
            may_fault: plan.faults.0,
            faults: false,
            allowed: 0,
        };
        let routes = [world.route(plan.policy)];
        world.gateway.start(&routes).expect("the gateway starts");
        world.check();
        world
    }

    fn route(&mut self, policy: Policy) -> RouteConfig {
        self.policy = policy;
        if policy.broken.0 {
            return RouteConfig::new("deploy", "{");
        }
        let cluster = if self.kong {
            "ci.example:443"
        } else {
            "issuer"
        };
        let mut document = issuer::policy();
        if policy.shadow {
            document["mode"] = json!("shadow");
        }
        document["token"] = json!({ "forward": policy.forward });
        document["shared_data"] = json!(policy.shared_data && self.zone);
        let jwks = if policy.discovery {
            json!({ "cluster": cluster, "discovery": true })
        } else {
            json!({ "cluster": cluster, "uri": "https://ci.example/keys" })
        };
        if !policy.cache {
            document["cache"] = json!({ "entries": 0 });
        }
        if policy.once {
            document["rules"][0]["replay"] = json!("once");
        }
        if policy.revoked.0 || policy.remote_revocations.0 {
            let entries = policy.revoked.0.then(revoke_all);
            document["revocations"] = json!({ "entries": Vec::from_iter(entries) });
        }
        if policy.remote_revocations.0 {
            document["revocations"]["uri"] = json!("https://ci.example/revocations.json");
            document["revocations"]["cluster"] = json!(cluster);
        }
        let issuer = &mut document["issuers"][0];
        issuer["jwks"] = jwks;
        match issuer.as_object_mut() {
            Some(issuer) if !policy.inline_keys => drop(issuer.remove("keys")),
            _ => self.published[0] = true,
        }
        RouteConfig::new("deploy", document.to_string())
    }

    fn now(&self) -> u64 {
        let now = self.gateway.now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs())
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Request(sent) => self.request(sent),
            Step::Answer { which, with } => self.answer(*which, with),
            Step::Advance(span) => self.gateway.advance(match span {
                Span::Tick => Duration::from_millis(600),
                Span::Seconds(seconds) => Duration::from_secs((*seconds).into()),
                Span::Refresh => Duration::from_secs(610),
            }),
            Step::Fault { .. } if !self.may_fault => {}
            Step::Fault { call, nth, kind } => {
                let call = HostCall::ALL[usize::from(*call) % HostCall::ALL.len()];
                self.faults = true;
                self.gateway
                    .set_fault(call, u64::from(nth % 16), fault(*kind));
            }
            Step::Reconfigure(policy) => {
                // What strikes in on_configure opens Kong, whatever the filter does.
                self.gateway.clear_faults();
                let routes = [self.route(*policy)];
                self.gateway
                    .reconfigure(&routes)
                    .expect("the gateway takes it");
            }
            Step::Reload(policy) => {
                self.gateway.clear_faults();
                let routes = [self.route(*policy)];
                self.gateway.reload(&routes).expect("the gateway takes it");
            }
            Step::Disconnect(which) => {
                let nth = usize::from(*which) % self.sent.len().max(1);
                if let Some(id) = self.sent.keys().nth(nth).copied() {
                    self.gateway.disconnect(id);
                }
            }
        }
    }

    fn request(&mut self, sent: &Sent) {
        let token = if sent.again {
            self.last_token.clone()
        } else {
            self.token(&sent.token)
        };
        self.last_token.clone_from(&token);
        let target = match &sent.path {
            Path::Root => b"/".to_vec(),
            Path::Deploy => b"/deploy/production?x=1".to_vec(),
            Path::Odd => b"/a/../b//%2e%2F;x".to_vec(),
            Path::Bytes(bytes) => [b"/", bytes.as_slice()].concat(),
        };
        let mut request = Request::new(if sent.post { "POST" } else { "GET" }, target);
        if let Some(token) = &token {
            request = request.header("authorization", [b"Bearer ", token.as_slice()].concat());
        }
        for extra in sent.headers.iter().take(8) {
            for _ in 0..=u8::from(extra.twice) {
                let (name, value) = extra.name.header();
                request = request.header(name, value);
            }
        }
        if sent.body {
            request = request.body("body");
        }
        if let Some(name) = sent.trailer {
            let (name, value) = name.header();
            request = request.trailer(name, value);
        }
        let worker = usize::from(sent.second_worker) % self.workers();
        let case = Case {
            token,
            policy: self.policy,
            checked: false,
        };
        let exchange = self.gateway.request_on(worker, 0, request);
        self.sent.insert(exchange.id, case);
    }

    fn workers(&mut self) -> usize {
        if self.gateway.memory_bytes_of(1) > 0 {
            2
        } else {
            1
        }
    }

    fn token(&mut self, token: &Token) -> Option<Vec<u8>> {
        let now = self.now();
        let mut sign = |payload: Value, key: u8, good: bool| {
            let key = usize::from(key) % issuer::KEYS;
            let token = issuer::sign(&issuer::header(key).to_string(), &payload.to_string(), key);
            self.keep_secret(&token);
            if good {
                self.good.insert(token.clone(), key);
            }
            token.into_bytes()
        };
        let with = |name: &str, value: Value| {
            let mut claims = issuer::claims(now);
            claims.insert(name.to_owned(), value);
            Value::Object(claims)
        };
        let good = Value::Object(issuer::claims(now));
        Some(match token {
            Token::None => return None,
            Token::Good { key } => sign(good, *key, true),
            Token::OtherTenant { key } => {
                sign(with("organization_slug", json!("evil")), *key, false)
            }
            Token::Expired { key } => sign(with("exp", json!(now.saturating_sub(60))), *key, false),
            Token::UnknownKid => {
                let header = json!({ "alg": "EdDSA", "kid": "made-up" });
                issuer::sign(&header.to_string(), &good.to_string(), 0).into_bytes()
            }
            Token::Mutated { key, at, to } => {
                let mut token = sign(good, *key, true);
                let at = usize::from(*at) % token.len();
                token[at] = *to;
                token
            }
            Token::Cut { key, at } => {
                let mut token = sign(good, *key, true);
                let at = usize::from(*at) % token.len();
                token.truncate(at);
                token
            }
            Token::Parts {
                header,
                payload,
                key,
            } => {
                let key = usize::from(*key) % issuer::KEYS;
                let token = issuer::sign(header, payload, key);
                if key == 0 && issuer::is_good(header, payload, now) {
                    self.good.insert(token.clone(), key);
                }
                token.into_bytes()
            }
            Token::Bytes(bytes) => bytes.clone(),
        })
    }

    fn keep_secret(&mut self, token: &str) {
        // The header is no secret, and the same in many tokens.
        self.secrets
            .extend(token.split('.').skip(1).map(str::to_owned));
    }

    fn answer(&mut self, which: u8, with: &Answer) {
        let pending = self.gateway.pending_calls();
        let Some(call) = pending.get(usize::from(which) % pending.len().max(1)) else {
            return;
        };
        let response = match with {
            Answer::Keys {
                first,
                second,
                third,
                etag,
            } => {
                let keys = [*first, *second, *third];
                for (published, key) in self.published.iter_mut().zip(keys) {
                    *published |= key;
                }
                let keys = (0..issuer::KEYS).filter(|key| keys[*key]);
                let response = CallResponse::new(200, issuer::jwks(keys).to_string());
                if *etag {
                    response.header("etag", "\"one\"")
                } else {
                    response
                }
            }
            Answer::Metadata => {
                let metadata =
                    json!({ "issuer": issuer::ISSUER, "jwks_uri": "https://ci.example/keys" });
                CallResponse::new(200, metadata.to_string())
            }
            Answer::Revocations { all } => {
                let entries = if *all {
                    json!([revoke_all()])
                } else {
                    json!([])
                };
                CallResponse::new(200, json!({ "revocations": entries }).to_string())
            }
            Answer::Unchanged => CallResponse::new(304, "").header("etag", "\"one\""),
            Answer::Status(status) => CallResponse::new(*status, "x"),
            Answer::Bytes(bytes) => CallResponse::new(200, bytes.clone()),
            Answer::Large => CallResponse::new(200, vec![b'['; 300 * 1024]),
            Answer::Fail(failure) => {
                let failed = self.gateway.fail(call.id, failure.as_call_failure());
                return failed.expect("the call is pending");
            }
        };
        let answered = self.gateway.respond(call.id, response);
        answered.expect("the call is pending");
    }

    /// What must hold after every step.
    fn check(&mut self) {
        let logs = self.gateway.take_logs();
        for (level, line) in &logs {
            for secret in &self.secrets {
                assert!(
                    !line.contains(secret),
                    "a part of a token is logged: {line}"
                );
            }
            assert!(
                self.faults || *level != Level::Critical,
                "it trapped: {line}"
            );
            feel(line);
        }
        assert!(!self.gateway.chains_off(), "Kong opened its routes");
        assert!(self.faults || self.gateway.vm_recycled() == 0);
        let ids: Vec<ExchangeId> = self.sent.keys().copied().collect();
        for id in ids {
            let Some(exchange) = self.gateway.exchange(id).cloned() else {
                continue;
            };
            self.check_exchange(&exchange);
        }
    }

    fn check_exchange(&mut self, exchange: &Exchange) {
        let Some(case) = self.sent.get_mut(&exchange.id) else {
            return;
        };
        if case.checked {
            return;
        }
        let paused = exchange.outcome == Outcome::Paused;
        assert!(!(paused && self.kong && !self.faults), "it waits on Kong");
        case.checked = !paused;
        assert!(
            self.faults || exchange.traps.is_empty(),
            "it trapped: {:?}",
            exchange.traps
        );
        let Some(upstream) = exchange.upstream() else {
            return;
        };
        assert!(exchange.decided(), "undecided: {:?}", exchange.passage);
        let decision = upstream.only("x-jobgate-decision");
        match decision.as_deref() {
            Some("allow") => {
                let token = case.token.as_deref().unwrap_or_default();
                let token = String::from_utf8_lossy(token).into_owned();
                let key = self.good.get(&token);
                let key = key.expect("a token that is no job's was let in");
                assert!(self.published[*key], "its key was never published");
                assert!(!case.policy.revoked.0, "a revoked token was let in");
                assert!(!case.policy.broken.0, "without a policy");
                let first = !case.policy.once || self.used.insert(token);
                assert!(first, "a token was let in twice that serves once");
                self.allowed += 1;
            }
            Some("shadow-deny") => {
                assert!(case.policy.shadow, "it was let through in enforce mode")
            }
            other => panic!("it reached the upstream with the decision {other:?}"),
        }
        for (name, value) in upstream.headers.iter().chain(&upstream.trailers) {
            let text = String::from_utf8_lossy(value);
            assert!(
                !text.contains(FORGED),
                "a client's header arrived: {}: {text}",
                String::from_utf8_lossy(name)
            );
            if !case.policy.forward && !case.policy.shadow {
                let secret = self.secrets.iter().find(|secret| text.contains(*secret));
                assert!(secret.is_none(), "the token arrived: {text}");
            }
        }
    }

    /// Nobody waits for good.
    fn finish(&mut self) {
        self.gateway.advance(Duration::from_secs(30));
        self.check();
        if self.faults {
            return;
        }
        for id in self.sent.keys() {
            let outcome = self.gateway.exchange(*id).map(|e| e.outcome.clone());
            assert_ne!(outcome, Some(Outcome::Paused), "it waits for good");
        }
    }
}

/// An entry that covers every good token.
fn revoke_all() -> Value {
    json!({ "claims": { "pipeline_slug": "deploy" } })
}

impl Name {
    fn header(self) -> (&'static str, &'static str) {
        match self {
            Self::Decision => ("x-jobgate-decision", "allow, FORGED"),
            Self::Rule => ("x-jobgate-rule", FORGED),
            Self::Subject => ("x-jobgate-subject", FORGED),
            Self::Unknown => ("x-jobgate-anything", FORGED),
            Self::Underscores => ("x_jobgate_branch", FORGED),
            Self::UpperCase => ("X-JOBGATE-ROLES", FORGED),
            Self::Mixed => ("x-jobgate_Pipeline", FORGED),
            Self::SecondToken => ("authorization", "Bearer second"),
            Self::TokenUnderscore => ("Authorization_", "harmless"),
            Self::Connection => ("connection", "close, x-jobgate-rule"),
            Self::Harmless => ("x-harmless", "1"),
        }
    }
}

impl Failure {
    fn as_call_failure(self) -> CallFailure {
        match self {
            Self::Timeout => CallFailure::Timeout,
            Self::Connect => CallFailure::Connect,
            Self::Resolve => CallFailure::Resolve,
            Self::Tls => CallFailure::Tls,
            Self::Reset => CallFailure::Reset,
            Self::Protocol => CallFailure::Protocol,
            Self::Truncated => CallFailure::Truncated,
        }
    }
}

fn fault(kind: FaultKind) -> Fault {
    match kind {
        FaultKind::Trap => Fault::Trap,
        FaultKind::InternalFailure => Fault::Status(Status::InternalFailure),
        FaultKind::BadArgument => Fault::Status(Status::BadArgument),
        FaultKind::NotFound => Fault::Status(Status::NotFound),
        FaultKind::CasMismatch => Fault::Status(Status::CasMismatch),
    }
}

/// Counters that libFuzzer looks at beside its own: what runs inside the VM is out of its sight, so what
/// the filter says stands for it.
#[cfg_attr(
    target_os = "linux",
    unsafe(link_section = "__libfuzzer_extra_counters")
)]
static FELT: [AtomicU8; 4096] = [const { AtomicU8::new(0) }; 4096];

/// Lets libFuzzer feel a log line, without what differs each time.
fn feel(line: &str) {
    let stable = match line.find("\"reason\":") {
        Some(at) => &line[at..],
        None => line,
    };
    let words = stable
        .bytes()
        .filter(|byte| !byte.is_ascii_digit())
        .take(200);
    let hash = words.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let at = usize::try_from(hash % 4096).unwrap_or(0);
    FELT[at].fetch_add(1, Ordering::Relaxed);
}
