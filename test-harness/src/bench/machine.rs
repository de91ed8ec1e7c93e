//! Where a run took place, and of what.

use std::path::Path;
use std::process::Command;
use std::{fs, thread};

use rsa::sha2::{Digest, Sha256};
use serde::{Deserialize, Serialize};

use crate::envoy::EnvoyBinary;

/// Facts about a run that its figures depend on. What can't be told is empty.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many there are for this run.
    pub cores: usize,
    /// Whether Envoy had one of them and the load another.
    pub pinned: bool,
    /// The kernel's release.
    pub kernel: String,
    /// Envoy's version.
    pub envoy: String,
    /// SHA-256 of the gate's module.
    pub wasm_sha256: String,
    /// Its size in bytes.
    pub wasm_bytes: u64,
    /// The commit that is checked out; `-dirty` after it if that is not all.
    pub commit: String,
    /// The moment of the run's end, in seconds since the epoch.
    pub time: u64,
}

impl Machine {
    pub(super) fn look(binary: &EnvoyBinary, wasm: &Path, pinned: bool) -> Self {
        let module = fs::read(wasm).unwrap_or_default();
        let hash = Sha256::digest(&module);
        Self {
            cpu: cpu(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cores: thread::available_parallelism().map_or(1, usize::from),
            pinned,
            kernel: told(Command::new("uname").arg("-r")),
            envoy: version(&told(Command::new(binary.path()).arg("--version"))),
            wasm_sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            wasm_bytes: module.len() as u64,
            commit: told(
                Command::new("git")
                    .args([
                        "describe",
                        "--always",
                        "--dirty",
                        "--abbrev=12",
                        "--exclude=*",
                    ])
                    .current_dir(crate::repository()),
            ),
            time: super::tokens::now(),
        }
    }
}

fn told(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}

fn cpu(info: &str) -> String {
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    model
        .unwrap_or_default()
        .trim_matches([' ', '\t', ':'])
        .to_owned()
}

/// `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`
fn version(told: &str) -> String {
    let version = told
        .split_once("version:")
        .map_or("", |(_, version)| version);
    version.split('/').nth(1).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_found() {
        assert_eq!(
            cpu("processor\t: 0\nmodel name\t: AMD EPYC 9 x\nmodel\t: 3"),
            "AMD EPYC 9 x"
        );
        assert_eq!(cpu(""), "");
        let told = "/usr/bin/envoy  version: 0f1/1.40.0/Clean/RELEASE/BoringSSL";
        assert_eq!(version(told), "1.40.0");
        assert_eq!(version(""), "");
    }
}
