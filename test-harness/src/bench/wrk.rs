//! The load generator: wrk, the one on `PATH`, or Debian's package unpacked below `target/tools`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

use serde::Deserialize;

use super::error::Error;
use super::job::{METHOD, PATH};
use super::tokens::Tokens;

const SCRIPT: &str = include_str!("load.lua");

/// wrk, and how it is run.
#[derive(Debug)]
pub(super) struct Wrk {
    program: PathBuf,
    /// Where its libraries are, if not where the system has its own.
    libraries: Option<OsString>,
    script: PathBuf,
    /// The processor that it is to use.
    pub(super) processor: Option<usize>,
    /// How many connections it keeps open.
    pub(super) connections: u32,
}

/// What wrk saw.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Load {
    /// Answers.
    pub(super) requests: u64,
    /// How long it took.
    pub(super) micros: u64,
    /// The median of the times from request to answer.
    pub(super) p50_micros: u64,
    /// The time that 99 in 100 took at most.
    pub(super) p99_micros: u64,
    /// Answers with a status of 400 or more.
    pub(super) refused: u64,
    /// Connections that failed, and requests without an answer in time.
    pub(super) broken: u64,
}

impl Wrk {
    /// Finds wrk, or fetches it, and writes the script that it runs into `folder`.
    pub(super) fn ready(folder: &Path, progress: impl Fn(&str)) -> Result<Self, Error> {
        let script = folder.join("load.lua");
        fs::write(&script, SCRIPT).map_err(Error::io(format!("writing {}", script.display())))?;
        let tools = crate::repository().join("target/tools/wrk");
        let mut wrk = Self {
            program: "wrk".into(),
            libraries: None,
            script,
            processor: None,
            connections: 0,
        };
        if wrk.runs() {
            return Ok(wrk);
        }
        wrk.program = tools.join("usr/bin/wrk");
        wrk.libraries = libraries(&tools);
        if wrk.runs() {
            return Ok(wrk);
        }
        progress("fetching wrk, the load generator, into target/tools");
        unpack(&tools)?;
        wrk.libraries = libraries(&tools);
        if wrk.runs() {
            return Ok(wrk);
        }
        let lacks = "what was unpacked into target/tools/wrk does not run here";
        Err(Error::NoWrk(lacks.to_owned()))
    }

    /// Whether it is there with all of its libraries: it has no other way to say so.
    fn runs(&self) -> bool {
        let told = self.command(None).arg("--version").output();
        told.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).starts_with("wrk "))
    }

    fn command(&self, processor: Option<usize>) -> Command {
        let mut command = match processor {
            Some(processor) => {
                let mut command = Command::new("taskset");
                command
                    .args(["--cpu-list", &processor.to_string()])
                    .arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Sends requests for whole seconds, as many as are answered, beginning with the token at `first`.
    pub(super) fn run(
        &self,
        variant: &'static str,
        addr: SocketAddr,
        tokens: &Tokens,
        first: usize,
        seconds: u64,
    ) -> Result<Load, Error> {
        let output = self
            .command(self.processor)
            .arg("--threads=1")
            .arg(format!("--connections={}", self.connections))
            .arg(format!("--duration={seconds}s"))
            .arg("--script")
            .arg(&self.script)
            .arg(format!("http://{addr}"))
            .arg("--")
            .arg(&tokens.file)
            .args([&first.to_string(), METHOD, PATH])
            .output()
            .map_err(Error::io("running wrk"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match parse(&text) {
            Some(load) if output.status.success() => Ok(load),
            _ => Err(Error::Wrk {
                variant,
                status: output.status,
                told: format!("{text}{}", String::from_utf8_lossy(&output.stderr)),
            }),
        }
    }
}

/// The line that the script writes.
fn parse(output: &str) -> Option<Load> {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix("bench "))?;
    serde_json::from_str(line).ok()
}

/// The folder of libraries of a package that was unpacked: `usr/lib/x86_64-linux-gnu` and the like.
fn libraries(tools: &Path) -> Option<OsString> {
    let folders = fs::read_dir(tools.join("usr/lib")).ok()?;
    let folders = folders.filter_map(|folder| Some(folder.ok()?.path()));
    env::join_paths(folders.filter(|folder| folder.is_dir())).ok()
}

/// Debian's packages, without installing anything: that needs no root.
fn unpack(tools: &Path) -> Result<(), Error> {
    let packages = tools.join("packages");
    fs::create_dir_all(&packages).map_err(Error::io(format!("making {}", packages.display())))?;
    let download = || {
        Command::new("apt-get")
            .args(["download", "wrk", "libluajit-5.1-2"])
            .current_dir(&packages)
            .stdin(Stdio::null())
            .output()
    };
    let failed = |what: &str, output: Output| {
        let told = String::from_utf8_lossy(&output.stderr)
            .trim()
            .replace('\n', "; ");
        Error::NoWrk(format!("{what} failed: {told}"))
    };
    let absent = |error| {
        Error::NoWrk(format!(
            "it is not on PATH, and apt-get can't be run ({error})"
        ))
    };
    let mut output = download().map_err(absent)?;
    if !output.status.success() {
        // The lists of packages may be missing. Only root may fetch them, and others learn why below.
        let _ = Command::new("apt-get")
            .arg("update")
            .stdin(Stdio::null())
            .output();
        output = download().map_err(absent)?;
    }
    if !output.status.success() {
        return Err(failed("`apt-get download wrk libluajit-5.1-2`", output));
    }
    let listed =
        fs::read_dir(&packages).map_err(Error::io(format!("reading {}", packages.display())))?;
    for package in listed.filter_map(Result::ok) {
        let output = Command::new("dpkg")
            .arg("--extract")
            .args([&package.path(), tools])
            .output()
            .map_err(Error::io("running dpkg"))?;
        if !output.status.success() {
            return Err(failed("unpacking it with dpkg", output));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_s_line_is_found_among_what_wrk_says() {
        let output = "Running 1s test @ http://127.0.0.1:1\n  1 threads\n\
            bench {\"requests\":7,\"micros\":1000,\"p50_micros\":3,\"p99_micros\":9,\"refused\":1,\"broken\":0}\n";
        let load = Load {
            requests: 7,
            micros: 1000,
            p50_micros: 3,
            p99_micros: 9,
            refused: 1,
            broken: 0,
        };
        assert_eq!(parse(output), Some(load));
        assert_eq!(parse("Running 1s test\n"), None);
    }
}
