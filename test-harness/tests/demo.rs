//! The demo tells its story to the end, and leaves nothing behind.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use jobgate_harness::exchange::eventually;
use serde_json::Value;

#[test]
fn every_row_of_the_story_is_as_expected() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--format", "json"])
        .output()
        .unwrap();
    let progress = String::from_utf8_lossy(&output.stderr);
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {progress}"));
    let differences: Vec<_> = rows
        .iter()
        .filter(|row| row["differences"] != Value::Array(Vec::new()))
        .collect();
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(output.status.success(), "{progress}");
    assert!(rows.len() >= 14, "only {} rows", rows.len());
}

#[test]
fn nothing_is_left_after_it_was_told_to_end() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--keep")
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Held open: the demo must not find its output closed.
    let mut stdout = BufReader::new(demo.stdout.take().unwrap());
    let admin = stdout
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("admin interface")?.1.trim().to_owned()));
    let interrupted = Command::new("kill")
        // Not INT, which a run in the background of a script is made to ignore.
        .args(["-TERM", &demo.id().to_string()])
        .status();
    let status = eventually(Duration::from_secs(20), || demo.try_wait().unwrap());
    if status.is_none() {
        demo.kill().unwrap();
    }
    let status = status.expect("it ends when it is told to");

    assert!(interrupted.unwrap().success());
    assert!(!status.success(), "it ends as what was told to");
    let admin = admin.expect("it says where Envoy is");
    let address = admin.trim_start_matches("http://");
    eventually(Duration::from_secs(20), || {
        let gone = std::net::TcpStream::connect(address).is_err();
        let files = std::fs::read_dir(temporary.path()).unwrap().count();
        (gone && files == 0).then_some(())
    })
    .expect("Envoy and its files are gone");
}
