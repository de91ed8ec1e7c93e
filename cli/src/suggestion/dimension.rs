//! By what requests are told apart.

use crate::records::{Seen, Value, whole};
use jobgate::policy::{ClaimName, HostGlob, IdentityField, Issuer, PathGlob};
use jobgate::token::scalar_text;
use std::str::FromStr;

/// One of the things by which rules tell requests apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dimension {
    /// A claim, by its name as policies write it.
    Claim(String),
    Method,
    Path,
    Host,
    Route,
}

/// What rules can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Any {
    /// Of a tenant's pipelines, any
    Pipeline,
    /// On any branch
    Branch,
    /// With any method
    Method,
    /// To any path
    Path,
}

/// What rules can ask for beside the usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Also {
    Host,
    Route,
    Identity(IdentityField),
    Claim(String),
}

impl FromStr for Also {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut fields = IdentityField::ALL.into_iter();
        match text {
            "host" => Ok(Self::Host),
            "route" => Ok(Self::Route),
            _ => match (fields.find(|field| field.name() == text), text.strip_prefix("claims.")) {
                (Some(field), _) => Ok(Self::Identity(field)),
                (None, Some(claim)) if !claim.is_empty() => {
                    ClaimName::parse(claim).map(|_| Self::Claim(claim.to_owned()))
                }
                _ => Err("write host, route, step, agent, another part of the identity, or claims. and a claim's name".into()),
            },
        }
    }
}

/// What a dimension is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Rules are grouped by it.
    Group,
    /// Rules ask for it.
    Asked,
    /// Requests that differ in it only are to be treated alike.
    Any,
}

/// A dimension, and what it is for.
pub(super) type Told = (Dimension, Use);

/// By what requests of an issuer are told apart: its tenant and pipeline first, by which rules are grouped.
///
/// # Errors
/// What is asked for can't be told of this issuer.
pub(super) fn dimensions(issuer: &Issuer, any: &[Any], also: &[Also]) -> Result<Vec<Told>, String> {
    let claim = |field: IdentityField| {
        let mut parts = issuer.identity.iter();
        let (_, claim) = parts.find(|(known, _)| *known == field)?;
        Some(Dimension::Claim(written(claim)))
    };
    let unless = |each: Any| {
        if any.contains(&each) {
            Use::Any
        } else {
            Use::Asked
        }
    };
    let mut told: Vec<Told> = Vec::new();
    let mut add = |dimension: Dimension, used: Use| {
        if !told.iter().any(|(known, _)| *known == dimension) {
            told.push((dimension, used));
        }
    };
    let pins: Vec<_> = issuer
        .tenant_claims
        .iter()
        .map(|name| Dimension::Claim(written(name)))
        .collect();
    let organization = claim(IdentityField::Organization);
    let pipeline = claim(IdentityField::Pipeline);
    let any_pipeline = any.contains(&Any::Pipeline);
    let fixed = [
        organization.clone(),
        pipeline.clone().filter(|_| !any_pipeline),
    ];
    let is_pinned = pins.is_empty() || fixed.iter().flatten().any(|each| pins.contains(each));
    if let Some(pin) = pins.first().filter(|_| !is_pinned) {
        add(pin.clone(), Use::Group);
    }
    if let Some(organization) = organization {
        add(organization, Use::Group);
    }
    if let Some(pipeline) = pipeline {
        add(pipeline, if any_pipeline { Use::Any } else { Use::Group });
    }
    if let Some(branch) = claim(IdentityField::Branch) {
        add(branch, unless(Any::Branch));
    }
    for each in also {
        let dimension = match each {
            Also::Host => Dimension::Host,
            Also::Route => Dimension::Route,
            Also::Claim(name) => Dimension::Claim(name.clone()),
            Also::Identity(field) => claim(*field).ok_or_else(|| {
                format!(
                    "which claim is the {} of {}'s jobs is not known; write --also claims.NAME",
                    field.name(),
                    issuer.issuer
                )
            })?,
        };
        add(dimension, Use::Asked);
    }
    add(Dimension::Method, unless(Any::Method));
    add(Dimension::Path, unless(Any::Path));
    Ok(told)
}

/// A whole name, as policies write it.
fn written(name: &str) -> String {
    if name.starts_with('/') {
        format!("/{}", name.replace('~', "~0").replace('/', "~1"))
    } else {
        name.to_owned()
    }
}

impl Dimension {
    /// What a record tells of it.
    ///
    /// # Errors
    /// Why no rule could ask for just this.
    pub(super) fn value(&self, seen: &Seen<'_>) -> Result<String, String> {
        let record = seen.record;
        let uncut = |text: &str, what: &str| {
            whole(text)
                .map(str::to_owned)
                .ok_or_else(|| format!("the {what} is clipped in the record"))
        };
        match self {
            Self::Method => {
                let is_method = |text: &String| {
                    !text.is_empty()
                        && text
                            .bytes()
                            .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
                };
                let method = uncut(&record.method, "method")?;
                Some(method)
                    .filter(is_method)
                    .ok_or_else(|| "the method is none that a rule can name".into())
            }
            Self::Path => uncut(record.path.as_deref().unwrap_or_default(), "path"),
            Self::Route => match record.route.as_deref() {
                None | Some("") => Err("the gateway named no route".into()),
                Some(route) => uncut(route, "route"),
            },
            Self::Host => {
                let host = record.host.as_deref().ok_or("the request named no host")?;
                let host = uncut(host, "host")?;
                let is_host = HostGlob::parse(&host).is_ok_and(|glob| glob.matches(&host));
                is_host
                    .then_some(host)
                    .ok_or_else(|| "the host is none that a rule can name".into())
            }
            Self::Claim(name) => {
                let parsed = ClaimName::parse(name)?;
                match seen.claim(&parsed) {
                    Value::Is(value) => scalar_text(&value)
                        .map(std::borrow::Cow::into_owned)
                        .ok_or_else(|| format!("{name} is no scalar")),
                    Value::Text(text) => Ok(text),
                    Value::Absent => Err(format!("{name} is missing in the token")),
                    Value::Unknown => Err(format!("{name} is not in the record, or clipped")),
                }
            }
        }
    }
}

/// The pattern for a path: a glob that was given, or the path alone.
///
/// # Errors
/// The path can't be written as a pattern for itself.
pub(super) fn pattern(path: &str, globs: &[PathGlob]) -> Result<String, String> {
    if let Some(glob) = globs.iter().find(|glob| glob.matches(path)) {
        return Ok(glob.as_str().to_owned());
    }
    // In a pattern a star is a wildcard, and `%2A` is the path with that escape: no pattern is for a star.
    if path.contains('*') {
        return Err("the path holds a *, for which a rule can't ask alone; --path with a glob that covers it allows more".into());
    }
    PathGlob::parse(path).map(|glob| glob.as_str().to_owned())
}
