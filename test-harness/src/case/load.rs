//! From files to cases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use serde_json::Value;

use super::expect::RawExpect;
use super::{Case, CaseFile, Host, KeyState, Outcome, Policy, Request, template};
use crate::mint::TokenSpec;

/// What is wrong, and in which file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .path.display())]
pub struct LoadError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a case file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It can't be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// It isn't YAML, or not of this shape; the text shows where.
    #[error("{0}")]
    Yaml(String),
    /// A policy is wrong.
    #[error("policy `{policy}`: {message}")]
    Policy {
        /// Its name.
        policy: String,
        /// What is wrong with it.
        message: String,
    },
    /// A case is wrong.
    #[error("case `{case}`: {message}")]
    Case {
        /// Its name, or its number if it has none.
        case: String,
        /// What is wrong with it, with the path of the field.
        message: String,
    },
    /// There is nothing in it.
    #[error("there are no cases here")]
    Empty,
}

/// Reads all `*.yaml` files of a folder, in the order of their names.
///
/// # Errors
///
/// If one can't be read or isn't right, if two cases have the same name, or if there are none: a run over nothing
/// would pass.
pub fn load_all(folder: &Path) -> Result<Vec<CaseFile>, LoadError> {
    let at_folder = |problem| LoadError {
        path: folder.to_owned(),
        problem,
    };
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<Vec<_>>>()
        })
        .map_err(|error| at_folder(error.into()))?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    paths.sort();
    if paths.is_empty() {
        return Err(at_folder(Problem::Empty));
    }

    let mut names = BTreeSet::new();
    paths.iter().map(|path| read(path, &mut names)).collect()
}

/// Parses files that were read already: their paths and texts.
///
/// # Errors
///
/// As [`load_all`].
pub fn load_texts<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<CaseFile>, LoadError> {
    let mut names = BTreeSet::new();
    files
        .into_iter()
        .map(|(path, text)| read_text(Path::new(path), text, &mut names))
        .collect()
}

/// Reads one file.
///
/// # Errors
///
/// If it can't be read or isn't right.
pub fn load(path: &Path) -> Result<CaseFile, LoadError> {
    read(path, &mut BTreeSet::new())
}

fn read(path: &Path, names: &mut BTreeSet<String>) -> Result<CaseFile, LoadError> {
    let at_file = |problem| LoadError {
        path: path.to_owned(),
        problem,
    };
    let text = fs::read_to_string(path).map_err(|error| at_file(error.into()))?;
    read_text(path, &text, names)
}

fn read_text(path: &Path, text: &str, names: &mut BTreeSet<String>) -> Result<CaseFile, LoadError> {
    let (policies, cases) = parse(text, names).map_err(|problem| LoadError {
        path: path.to_owned(),
        problem,
    })?;
    Ok(CaseFile {
        path: path.to_owned(),
        name: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        policies,
        cases,
    })
}

/// A file as it is written. Its cases are parsed one by one, so that a mistake can be told with the case's name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    policies: BTreeMap<String, Value>,
    cases: Vec<Value>,
}

/// A case as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    policy: String,
    #[serde(default)]
    token: Option<TokenSpec>,
    request: Request,
    #[serde(default)]
    keys: KeyState,
    expect: RawExpect,
    #[serde(default)]
    hosts: BTreeMap<Host, RawExpect>,
}

type Parsed = (BTreeMap<String, Policy>, Vec<Case>);

/// Parses a file whose cases must not have any of `names`, to which theirs are added.
pub(super) fn parse(text: &str, names: &mut BTreeSet<String>) -> Result<Parsed, Problem> {
    // YAML 1.2: `on` and `no` are words.
    let options = serde_saphyr::options! { strict_booleans: true };
    let file: RawFile = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| Problem::Yaml(error.to_string()))?;
    let policies: BTreeMap<_, _> = file
        .policies
        .into_iter()
        .map(|(name, policy)| Ok((name.clone(), parse_policy(name, policy)?)))
        .collect::<Result<_, Problem>>()?;
    if file.cases.is_empty() {
        return Err(Problem::Empty);
    }

    let mut cases = Vec::with_capacity(file.cases.len());
    for (index, value) in file.cases.iter().enumerate() {
        let label = value["name"]
            .as_str()
            .map_or_else(|| format!("number {}", index + 1), str::to_owned);
        let case = parse_case(value, &policies)
            .and_then(|case| match names.insert(case.name.clone()) {
                true => Ok(case),
                false => Err("name: another case has this name".to_owned()),
            })
            .map_err(|message| Problem::Case {
                case: label,
                message,
            })?;
        cases.push(case);
    }
    Ok((policies, cases))
}

fn parse_policy(name: String, policy: Value) -> Result<Policy, Problem> {
    match template::unknown_in(&policy) {
        Some(placeholder) => Err(Problem::Policy {
            policy: name,
            message: format!("nothing stands for `{{{{{placeholder}}}}}`"),
        }),
        None => Ok(Policy(policy)),
    }
}

fn parse_case(value: &Value, policies: &BTreeMap<String, Policy>) -> Result<Case, String> {
    let raw: RawCase =
        serde_path_to_error::deserialize(value).map_err(|error| error.to_string())?;
    if !policies.contains_key(&raw.policy) {
        let known: Vec<_> = policies.keys().map(String::as_str).collect();
        return Err(format!(
            "policy: there is no `{}` but {}",
            raw.policy,
            known.join(", ")
        ));
    }
    if raw.token.is_none() && raw.request.places_token() {
        return Err("request.headers: `{{token}}` stands here, but there is no token".to_owned());
    }
    if let Some(placeholder) = template::unknown_in(&value["token"]) {
        return Err(format!("token: nothing stands for `{{{{{placeholder}}}}}`"));
    }
    let hosts = raw
        .hosts
        .into_iter()
        .map(|(host, over)| {
            let outcome = raw.expect.overridden(over).resolve();
            let outcome = outcome.map_err(|message| format!("hosts.{host}: {message}"))?;
            Ok((host, outcome))
        })
        .collect::<Result<BTreeMap<_, Outcome>, String>>()?;
    Ok(Case {
        name: raw.name,
        policy: raw.policy,
        token: raw.token,
        request: raw.request,
        keys: raw.keys,
        expect: raw
            .expect
            .resolve()
            .map_err(|message| format!("expect: {message}"))?,
        hosts,
    })
}
