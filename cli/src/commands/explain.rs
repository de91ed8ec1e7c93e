//! `jobgate explain`

use crate::args::{check_stdin, misuse};
use crate::evaluate::{
    self, Answer, Certificate, Decision, EXAMPLES as PRESETS, Job, Question, Request, evaluate,
};
use crate::exit::Exit;
use crate::explanation::human::Shown;
use crate::explanation::{Explanation, human, json, plain};
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::source::{self, Data, STDIN};
use jobgate::keys::KeySet;
use jobgate::policy::Policy;
use jobgate::revocation::RevocationList;
use jobgate::time::UnixTime;
use serde_json::{Map, Value};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Says what the gate decides on a request of a job, and why: which condition of which rule holds and which
/// does not.
///
/// The job is a token, or claims that are taken for proven. A token is checked as the gate does; its signature
/// only if there are keys: --jwks, or keys in the policy. Nothing is sent anywhere, and the token is never shown.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// A policy, or a gateway's configuration that holds one; - is standard input
    policy: PathBuf,

    /// Which policy of the file, where it holds several: its place, or the beginning of it
    #[arg(long = "policy", value_name = "WHERE")]
    place: Option<String>,

    /// The document of revocations that the policy names
    #[arg(long, value_name = "FILE")]
    revocations: Option<PathBuf>,

    #[command(flatten)]
    job: JobArgs,

    #[command(flatten)]
    request: RequestArgs,

    /// The issuer's key set (JWKS), for the signature
    #[arg(long, value_name = "FILE", conflicts_with_all = CLAIMS, help_heading = "Token")]
    jwks: Option<PathBuf>,

    /// The moment of the request, like 2026-11-20T17:00:00Z; now, if it is not given
    #[arg(long, value_name = "TIME", value_parser = evaluate::moment)]
    at: Option<UnixTime>,

    /// Show this rule only; can be repeated
    #[arg(long = "rule", value_name = "ID", help_heading = "Output")]
    rules: Vec<String>,

    /// Show all rules, also where there are many
    #[arg(long, help_heading = "Output")]
    all: bool,
}

const CLAIMS: [&str; 4] = ["claims", "claim", "like", "issuer"];

#[derive(Debug, clap::Args)]
struct JobArgs {
    /// The token: @FILE, - for standard input, or the token itself, which others see in the list of processes.
    /// If neither this nor claims are given: the environment's JOBGATE_TOKEN
    #[arg(long, value_name = "@FILE", conflicts_with_all = CLAIMS, help_heading = "Token")]
    token: Option<String>,

    /// Claims in YAML or JSON; - is standard input
    #[arg(long, value_name = "FILE", help_heading = "Claims instead of a token")]
    claims: Option<PathBuf>,

    /// A claim, over those of the file; can be repeated. The value is JSON if it can be, else a text
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim, help_heading = "Claims instead of a token")]
    claim: Vec<(String, Value)>,

    /// Start from the claims of an example job of this provider
    #[arg(long, value_name = "PRESET", value_parser = PRESETS, help_heading = "Claims instead of a token")]
    like: Option<String>,

    /// Whose claims they are, if they have no iss and the policy has several issuers: the issuer, or its preset
    #[arg(
        long,
        value_name = "ISSUER",
        help_heading = "Claims instead of a token"
    )]
    issuer: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Request")]
struct RequestArgs {
    /// The method
    #[arg(long, default_value = "GET")]
    method: String,

    /// The path as it is sent, with the query if there is one
    #[arg(long)]
    path: String,

    /// The gateway's name for the route
    #[arg(long, value_name = "NAME")]
    route: Option<String>,

    /// The gateway's name for the service or cluster
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// The host that the request is for
    #[arg(long)]
    host: Option<String>,

    /// The client's certificate: none (if it is not said), verified, unknown where the gateway does not tell; or
    /// what a verified one says: subject=..., uri_san=..., dns_san=...; can be repeated
    #[arg(long, value_name = "WHAT")]
    certificate: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  Why was this job refused? The token comes from a file, from standard input or from the environment:
    jobgate explain policy.yaml --token @token.jwt \\
      --method POST --path /deploy/production/eu
    buildkite-agent oidc request-token --audience https://deploy.acme.example |
      jobgate explain policy.yaml --token - --path /deploy/production/eu
    JOBGATE_TOKEN=... jobgate explain policy.yaml --path /deploy/production/eu

  The signature too:
    curl -s https://agent.buildkite.com/.well-known/jwks > jwks.json
    jobgate explain policy.yaml --token @token.jwt --jwks jwks.json \\
      --path /deploy/production/eu

  May the nightly pipeline deploy on a Friday evening? No token needed:
    jobgate explain policy.yaml --like buildkite \\
      --claim pipeline_slug=nightly --claim build_branch=main \\
      --method POST --path /deploy/production/eu --at 2026-11-20T17:00:00Z

  One of the policies in Kong's configuration:
    jobgate explain kong.yml --policy 'services[0]' \\
      --claims claims.yaml --path /deploy

  In a script:
    jobgate explain policy.yaml --claims claims.yaml --path /deploy \\
      --format json | jq -r .reason

Exit codes: 0 allowed, 1 denied, 2 wrong usage, 3 a file can't be read or the policy has errors";

impl ExplainArgs {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Exit, Failure> {
        self.check_stdin();
        let loaded = source::load(&self.policy)?;
        let chosen = loaded.choose(self.place.as_deref())?;
        if output.format == Format::Json
            && let Err(errors) = loaded.compile(chosen)
        {
            let errors: Vec<_> = errors
                .iter()
                .map(|error| error.json(&loaded.file))
                .collect();
            return invalid(output, &errors);
        }
        let policy = loaded.compile_or_report(chosen)?;
        self.check_rules(&policy)?;
        let job = self.job(&policy)?;
        let certificate = Certificate::parse(&self.request.certificate);
        let request = Request {
            method: self.request.method.clone(),
            target: self.request.path.clone(),
            host: self.request.host.clone(),
            route: self.request.route.clone(),
            service: self.request.service.clone(),
            certificate: certificate.unwrap_or_else(|why| misuse(format!("--certificate: {why}"))),
        };
        let keys = self.jwks.as_deref().map(key_set).transpose()?;
        let revocations = self
            .revocations
            .as_deref()
            .map(revocation_list)
            .transpose()?;
        let at = self.at.unwrap_or_else(now);
        let answer = evaluate(&Question {
            policy: &policy,
            job: &job,
            request: &request,
            keys: keys.as_ref(),
            revocations: revocations.as_ref(),
            at,
        });
        let explanation = Explanation {
            file: &loaded.file.name,
            place: &chosen.place,
            policy: &policy,
            request: &request,
            at,
            answer: &answer,
        };
        match output.format {
            Format::Human => {
                let shown = if self.all { Shown::All } else { Shown::Near };
                human::write(output, &explanation, shown, &self.rules)?;
            }
            Format::Plain => plain::write(output, &explanation, &self.rules)?,
            Format::Json => output.json(&json::document(&explanation, &self.rules))?,
        }
        output.flush()?;
        Ok(exit(&answer))
    }

    fn check_stdin(&self) {
        let files = [
            Some(self.policy.as_path()),
            self.job.claims.as_deref(),
            self.jwks.as_deref(),
            self.revocations.as_deref(),
            self.job.token.as_deref().map(Path::new),
        ];
        check_stdin(files.into_iter().flatten());
    }

    fn check_rules(&self, policy: &Policy) -> Result<(), Failure> {
        let ids: Vec<_> = policy.rules.iter().map(|rule| rule.id.as_str()).collect();
        match self
            .rules
            .iter()
            .find(|wanted| !ids.contains(&wanted.as_str()))
        {
            None => Ok(()),
            Some(unknown) => Err(Failure::new(format!("the policy has no rule {unknown:?}"))
                .help(format!("its rules are {}", ids.join(", ")))),
        }
    }

    fn job(&self, policy: &Policy) -> Result<Job, Failure> {
        let JobArgs {
            token,
            claims,
            claim,
            like,
            issuer,
        } = &self.job;
        if let Some(token) = token {
            return Ok(Job::Token(read_token(token)?));
        }
        if claims.is_none() && claim.is_empty() && like.is_none() && issuer.is_none() {
            return match std::env::var("JOBGATE_TOKEN") {
                Ok(token) => Ok(Job::Token(bare(&token))),
                Err(_) => misuse(
                    "there is no job to ask about; give its token with --token @FILE or in the environment's JOBGATE_TOKEN, or claims with --claims FILE, --claim NAME=VALUE or --like PRESET",
                ),
            };
        }
        let mut all = like
            .as_deref()
            .and_then(evaluate::example)
            .unwrap_or_default();
        if let Some(path) = claims {
            all.extend(claims_of(path)?);
        }
        all.extend(claim.iter().cloned());
        Job::of_claims(policy, all, issuer.as_deref()).map_err(Failure::new)
    }
}

/// Reads a claim: `build_number=42`, `groups=["a", "b"]`, `build_branch=main`.
fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

/// What the gate answers with such a policy.
fn invalid(output: &mut Output, errors: &[impl serde::Serialize]) -> Result<Exit, Failure> {
    let reason = jobgate::reason::Reason::ConfigInvalid;
    output.json(&serde_json::json!({
        "decision": Decision::Deny.as_str(),
        "reason": reason.code(),
        "status": reason.status(),
        "hint": reason.hint(),
        "rule": null,
        "errors": errors,
    }))?;
    output.flush()?;
    Ok(Exit::CouldNotRun)
}

fn exit(answer: &Answer) -> Exit {
    match answer.decision {
        Decision::Allow => Exit::Yes,
        Decision::Deny | Decision::ShadowDeny => Exit::No,
    }
}

/// The clock's time.
pub(super) fn now() -> UnixTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixTime::new(since_epoch.unwrap_or_default())
}

/// More than any token has that the gate reads, so that a file without an end does no harm.
const MAX_TOKEN_BYTES: u64 = 1 << 20;

/// Errors name the place that the token should come from, and nothing of what is there.
fn read_token(given: &str) -> Result<String, Failure> {
    let unreadable = |from: &str, error: std::io::Error| {
        Failure::new(format!("the token can't be read from {from}: {error}"))
    };
    let mut text = String::new();
    match given.strip_prefix('@') {
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(MAX_TOKEN_BYTES).read_to_string(&mut text))
            .map_err(|error| unreadable(path, error))?,
        None if given == STDIN => std::io::stdin()
            .lock()
            .take(MAX_TOKEN_BYTES)
            .read_to_string(&mut text)
            .map_err(|error| unreadable("standard input", error))?,
        None => return Ok(bare(given)),
    };
    Ok(bare(&text))
}

/// A token without the line's end and the scheme with which it may have been copied.
fn bare(text: &str) -> String {
    let text = text.trim();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        _ => text,
    }
    .to_owned()
}

fn claims_of(path: &Path) -> Result<Map<String, Value>, Failure> {
    let data = Data::read(path)?;
    match data.value {
        Value::Object(claims) => Ok(claims),
        _ => Err(
            Failure::new(format!("{}: is no object of claims", data.file.name))
                .help("write claims and their values, like pipeline_slug: deploy"),
        ),
    }
}

fn key_set(path: &Path) -> Result<KeySet, Failure> {
    let file = source::SourceFile::read(path)?;
    KeySet::parse(file.text.as_bytes()).map_err(|error| {
        Failure::new(format!("{}: {error}", file.name))
            .help("give the issuer's key set (JWKS), as its jwks_uri serves it")
    })
}

fn revocation_list(path: &Path) -> Result<RevocationList, Failure> {
    let file = source::SourceFile::read(path)?;
    RevocationList::parse(file.text.as_bytes()).map_err(|error| {
        Failure::new(format!("{}: {error}", file.name))
            .help("write {\"revocations\": [...]} with entries as in the policy")
    })
}
