//! What Linux accounts of a process, and on which processor it runs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, io};

/// The unit of times in `/proc`: `USER_HZ`, which is 100 on every Linux that Envoy runs on.
const TICK: Duration = Duration::from_millis(10);

/// The CPU time that a process has used, in user and kernel mode, by all of its threads.
///
/// By the scheduler's own count to the nanosecond where the kernel keeps one, else in hundredths of a second.
pub(super) fn cpu_time(pid: u32) -> io::Result<Duration> {
    let process = Path::new("/proc").join(pid.to_string());
    match of_threads(&process) {
        Ok(Some(time)) => Ok(time),
        _ => of_stat(&fs::read_to_string(process.join("stat"))?)
            .ok_or_else(|| io::Error::other("/proc/PID/stat can't be read as proc(5) has it")),
    }
}

/// Envoy's threads all live as long as it does, so none takes its time along.
fn of_threads(process: &Path) -> io::Result<Option<Duration>> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(process.join("task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let Some(nanos) = text.split_whitespace().next().and_then(|n| n.parse().ok()) else {
            return Ok(None);
        };
        sum += Duration::from_nanos(nanos);
    }
    Ok((!sum.is_zero()).then_some(sum))
}

/// proc(5): the process's name, in parentheses, may have anything in it; `utime` and `stime` are the 12th and 13th
/// field after it.
fn of_stat(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(TICK * ticks()?.checked_add(ticks()?)?)
}

/// The memory that a process holds, in bytes.
pub(super) fn resident(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    of_status(&status).ok_or_else(|| io::Error::other("/proc/PID/status has no VmRSS"))
}

fn of_status(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The processors that this process may run on.
pub(super) fn processors() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.and_then(|list| listed(list.trim()))
        .unwrap_or_default()
}

/// `0-2,5`, as in cpuset(7).
fn listed(list: &str) -> Option<Vec<usize>> {
    let mut processors = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        processors.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
    }
    Some(processors)
}

/// Whether processes can be bound to processors here.
pub(super) fn can_pin() -> bool {
    let told = Command::new("taskset").arg("--version").output();
    told.is_ok_and(|told| told.status.success())
}

/// Lets a running process use one processor only. Whether that was done.
pub(super) fn pin(pid: u32, processor: usize) -> bool {
    Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid"])
        .args([processor.to_string(), pid.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_found_behind_any_name() {
        let stat =
            "4711 (wrk) evil) 3 4) S 1 4711 4711 0 -1 4194560 9 8 7 6 250 31 5 5 20 0 3 0 100 1 2";
        assert_eq!(of_stat(stat), Some(Duration::from_millis(2_810)));
        assert_eq!(of_stat("4711 (short) S 1 2"), None);
        assert_eq!(of_stat(""), None);
    }

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(
            of_status("VmHWM:\t 9 kB\nVmRSS:\t   1024 kB\n"),
            Some(1 << 20)
        );
        assert_eq!(of_status("VmHWM:\t 9 kB\n"), None);
    }

    #[test]
    fn lists_of_processors_have_ranges() {
        assert_eq!(listed("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(listed("3"), Some(vec![3]));
        assert_eq!(listed("a-b"), None);
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let pid = std::process::id();
        let before = cpu_time(pid).expect("it is accounted");
        assert!(resident(pid).expect("it has memory") > 1 << 20);
        assert!(cpu_time(pid).expect("it is accounted") >= before);
        assert!(!processors().is_empty());
    }
}
