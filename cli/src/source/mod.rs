//! Files that hold policies: a policy itself, or a gateway's configuration with policies in it.
//!
//! [`load`] reads a file and finds them all. Each is compiled from the very JSON that the filter would be
//! given ([`LoadedPolicy::compile`]), and knows where each of its parts stands in the file
//! ([`LoadedPolicy::locate`]).

mod choose;
mod data;
mod embedded;
mod fails_open;
mod find;
mod flaw;
mod json;
mod kong;
mod kubernetes;
mod remark;
mod scalar;
#[cfg(test)]
mod tests;
mod tree;
mod upgrades;
mod yaml;
mod yaml11;

pub(crate) use data::Data;
pub(crate) use flaw::Flaw;
pub(crate) use remark::Remark;
pub(crate) use tree::{Place, Span};

use self::find::Given;
use self::tree::{Kind, Node};
use crate::failure::Failure;
use jobgate::policy::{ConfigErrors, Policy};
use serde_json::Value;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

/// The name under which standard input is given and shown.
pub(crate) const STDIN: &str = "-";

/// The most that is read of a file: many times a gateway's configuration. What has no end, such as a device, must
/// not take all memory.
const MAX_BYTES: u64 = 64 << 20;

/// A file as it was read.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// As it was given; `<stdin>` for standard input.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl SourceFile {
    /// Reads a file, or standard input for `-`.
    ///
    /// # Errors
    /// It can't be read, is larger than 64 MiB, or is not UTF-8.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let is_stdin = path.as_os_str() == STDIN;
        let name = if is_stdin {
            "<stdin>".to_owned()
        } else {
            path.display().to_string()
        };
        let mut text = String::new();
        let read = if is_stdin {
            let stdin = std::io::stdin().lock();
            stdin.take(MAX_BYTES + 1).read_to_string(&mut text)
        } else {
            std::fs::File::open(path)
                .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
        };
        match read {
            Ok(read) if u64::try_from(read).is_ok_and(|read| read <= MAX_BYTES) => {
                Ok(Self { name, text })
            }
            Ok(_) => Err(Failure::new(format!("{name}: is larger than 64 MiB"))),
            Err(error) => Err(Failure::new(format!("{name}: {error}"))),
        }
    }

    /// Line and column of a byte, both from 1; columns count characters.
    pub(crate) fn line_and_column(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before[start..].chars().count() + 1)
    }
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) file: SourceFile,
    /// In the order of the file.
    pub(crate) policies: Vec<LoadedPolicy>,
    /// What can't be read as a policy and should be one; by the place of that policy in the file.
    pub(crate) flaws: Vec<(String, Flaw)>,
    /// By what the gateway lets requests past its gates.
    pub(crate) remarks: Vec<Remark>,
}

impl Loaded {
    /// The file's text as reports may show it: where a secret may be written, each letter and digit is a star.
    pub(crate) fn shown_text(&self) -> String {
        let mut text = self.file.text.clone();
        for policy in &self.policies {
            for path in SECRETS {
                let mut places = Vec::new();
                below(&policy.tree, path, &mut places);
                for span in places {
                    if let Some(secret) = text.get(span.clone()) {
                        let stars = secret.replace(|each: char| each.is_ascii_alphanumeric(), "*");
                        text.replace_range(span, &stars);
                    }
                }
            }
        }
        text
    }
}

/// Where policies have secrets; a star is any member.
const SECRETS: [&[&str]; 3] = [
    &["assertion", "keys"],
    &["exchange", "*", "token_exchange", "client", "secret"],
    &["sessions", "end", "webhook", "secret"],
];

/// The places of what this path leads to. What is no object where the path goes on may be the secret itself.
fn below(node: &Node, path: &[&str], places: &mut Vec<Range<usize>>) {
    match path.split_first() {
        Some((&"*", rest)) if !node.members().is_empty() => {
            let members = node.members().iter();
            members.for_each(|member| below(&member.value, rest, places));
        }
        Some((name, rest)) if !node.members().is_empty() => {
            if let Some(member) = node.get(name) {
                below(member, rest, places);
            }
        }
        _ => places.push(node.span.clone()),
    }
}

/// One policy of a file.
#[derive(Debug)]
pub(crate) struct LoadedPolicy {
    /// Where in the file: `services[0].plugins[1].config`; empty if the file is the policy.
    pub(crate) place: String,
    /// The JSON that the filter is given.
    pub(crate) json: String,
    pub(crate) value: Value,
    /// What tools that carry it to the gateway may read in another way.
    pub(crate) doubts: Vec<Flaw>,
    tree: Rc<Node>,
}

impl LoadedPolicy {
    /// Compiles it as the filter does, but for what only the gateway has: the keys in its environment.
    ///
    /// # Errors
    /// All that is wrong with it; [`Self::locate`] has the places.
    pub(crate) fn compile(&self) -> Result<Policy, ConfigErrors> {
        Policy::examine(self.json.as_bytes())
    }

    /// Where a path of the policy, as in [`jobgate::policy::ConfigError::path`], stands in the file. What is not
    /// there is placed where it would be: in the innermost part that is.
    pub(crate) fn locate(&self, path: &str) -> Place {
        self.tree.locate(path)
    }
}

/// Reads a file, or standard input for `-`, and finds its policies.
///
/// # Errors
/// The file can't be read, or there is no policy in it. What is in it and can't be understood is one of
/// [`Loaded::flaws`].
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    let file = SourceFile::read(path)?;
    let mut loaded = Loaded {
        file,
        policies: Vec::new(),
        flaws: Vec::new(),
        remarks: Vec::new(),
    };
    let (document, is_json) = match document(&loaded.file.text, path) {
        Ok(document) => document,
        Err(flaw) => {
            loaded.flaws.push((String::new(), flaw));
            return Ok(loaded);
        }
    };
    for found in find::find(&document) {
        let place = found.place;
        loaded.remarks.extend(found.remarks);
        match found.what {
            Given::Nothing { at, message, fix } => {
                let flaw = Flaw::new(at.span.clone(), message, fix);
                loaded.flaws.push((place, flaw));
            }
            Given::Policy(node) => match policy(&loaded.file.text, &node, is_json) {
                Ok(policy) => loaded.policies.push(LoadedPolicy { place, ..policy }),
                Err(flaw) => loaded.flaws.push((place, flaw)),
            },
        }
    }
    if loaded.policies.is_empty() && loaded.flaws.is_empty() {
        return Err(no_policy(&loaded.file.name));
    }
    let of_kong = kong::remarks(&document, &loaded.policies);
    loaded.remarks.extend(of_kong);
    Ok(loaded)
}

fn no_policy(name: &str) -> Failure {
    Failure::new(format!("{name}: there is no policy in here")).help(
        "a policy has issuers and rules; in Kong's configuration it is the config of a plugin or filter with the name jobgate, in Envoy's the configuration of a Wasm filter with jobgate in its name, root_id, vm_id or code, in Istio's and Envoy Gateway's that of a WasmPlugin or an EnvoyExtensionPolicy",
    )
}

/// The document of a file, and whether it is JSON: by the file's name, else by how the text begins.
fn document(text: &str, path: &Path) -> Result<(Rc<Node>, bool), Flaw> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("json") => Ok((json::parse(text)?, true)),
        Some("yaml" | "yml") => Ok((yaml::parse(text)?, false)),
        _ if text.trim_start().starts_with('{') => {
            let flaw = match json::parse(text) {
                Ok(document) => return Ok((document, true)),
                Err(flaw) => flaw,
            };
            // YAML's own `{a: b}` begins so too.
            yaml::parse(text).map_or(Err(flaw), |document| Ok((document, false)))
        }
        _ => Ok((yaml::parse(text)?, false)),
    }
}

/// The policy that a value of a document is, without its place.
fn policy(file: &str, node: &Rc<Node>, is_json: bool) -> Result<LoadedPolicy, Flaw> {
    let mut doubts = Vec::new();
    // The JSON that a gateway makes of the value for the filter, and the places of its parts.
    let (json, tree) = match &node.kind {
        Kind::Text { text, quoting } => {
            let tree = embedded::parse(file, &node.span, *quoting, text)?;
            (text.clone(), tree)
        }
        _ if is_json => {
            let written = file.get(node.span.clone()).unwrap_or_default();
            (written.to_owned(), Rc::clone(node))
        }
        _ => {
            doubts = yaml11::doubts(file, node);
            (node.to_value().to_string(), Rc::clone(node))
        }
    };
    Ok(LoadedPolicy {
        place: String::new(),
        json,
        value: tree.to_value(),
        doubts,
        tree,
    })
}
