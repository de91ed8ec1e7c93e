//! The process, and that it never outlives its handle.
//!
//! Dropping the handle kills it, which a panic does too. A test run that is killed itself drops nothing: for that case
//! a watchdog waits on a pipe whose other end only this process holds, and when the pipe closes it kills Envoy and
//! removes its files. Both are in process groups of their own: Ctrl-C in a terminal ends the run, and by that them.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::{ADMIN_ADDRESS, BOOTSTRAP, EnvoyBinary, EnvoyConfig, LOG};

#[derive(Debug)]
pub(super) struct Process {
    envoy: Child,
    watchdog: Child,
}

impl Process {
    pub(super) fn spawn(
        binary: &EnvoyBinary,
        config: &EnvoyConfig,
        directory: &Path,
    ) -> io::Result<Self> {
        let log = File::create(directory.join(LOG))?;
        let mut envoy = Command::new(binary.path())
            .arg("--config-path")
            .arg(directory.join(BOOTSTRAP))
            .arg("--admin-address-path")
            .arg(directory.join(ADMIN_ADDRESS))
            .args(["--concurrency", &config.concurrency.to_string()])
            // Without it instances would meet in shared memory, by their base id.
            .arg("--disable-hot-restart")
            .args(log_levels(&config.log_level))
            .envs(&config.environment)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let watchdog = Command::new("sh")
            .args(["-c", r#"read _; kill -KILL "$1"; rm -rf "$2""#, "watchdog"])
            .arg(envoy.id().to_string())
            .arg(directory)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match watchdog {
            Ok(watchdog) => Ok(Self { envoy, watchdog }),
            Err(error) => {
                end(&mut envoy);
                Err(error)
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.envoy.id()
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.envoy.try_wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watchdog first: once Envoy is waited for, its id may be that of another process.
        end(&mut self.watchdog);
        end(&mut self.envoy);
    }
}

fn end(child: &mut Child) {
    // Both fail only if the child has ended and been waited for, which is what is wanted.
    let _ = child.kill();
    let _ = child.wait();
}

/// `info,wasm:debug` is one level for all, and then single components.
fn log_levels(level: &str) -> Vec<String> {
    let (components, all): (Vec<_>, Vec<_>) = level.split(',').partition(|part| part.contains(':'));
    let mut arguments = Vec::new();
    if let Some(level) = all.first() {
        arguments.extend(["--log-level".to_owned(), (*level).to_owned()]);
    }
    if !components.is_empty() {
        arguments.extend(["--component-log-level".to_owned(), components.join(",")]);
    }
    arguments
}
