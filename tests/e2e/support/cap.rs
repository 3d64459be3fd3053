//! A cap on the memory of a running process: the kernel ends it, or refuses it memory, where it goes over. What a process holds
//! when it is capped does not count, so that the cap is as tight as the test says.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a test saw is printed for whoever looks at it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Memory of a process, capped where the system has a way to.
pub(crate) struct MemoryCap {
    pid: u32,
    idle: u64,
    most: u64,
    /// Removes the control group once this process is gone, however it ends: its standard input closes then.
    _remover: Option<Child>,
}

impl MemoryCap {
    /// Lets a process have so many bytes more than it has now.
    pub(crate) fn beyond_idle(pid: u32, most: u64) -> Self {
        let remover = by_control_group(pid, most);
        if remover.is_none() && !by_limit_on_data(pid, most) {
            eprintln!("this system has no way to cap the memory of process {pid}: its peak is checked all the same, where it is known");
        }
        Self { pid, idle: status(pid, "VmRSS").unwrap_or(0), most, _remover: remover }
    }

    /// Checks that the process never held more than it may, and prints the most that it held.
    #[track_caller]
    pub(crate) fn check(&self, after: &str) {
        let Some(peak) = status(self.pid, "VmHWM") else { return };
        let (beyond, most) = (peak.saturating_sub(self.idle) >> 20, self.most >> 20);
        println!("{after}: the node held at most {} MiB, {beyond} MiB more than idle, of {most} MiB", peak >> 20);
        assert!(beyond <= most, "after {after}, the node had held {beyond} MiB more than idle, of {most} MiB");
    }
}

/// A number of kilobytes from what the system says of a process, in bytes.
fn status(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// Only what a process is given from now on counts in its new group.
fn by_control_group(pid: u32, most: u64) -> Option<Child> {
    let (parent, limit) = own_group()?;
    let group = parent.join(format!("mogbox-test-{pid}"));
    fs::create_dir(&group).ok()?;
    let removal = format!("cat; for attempt in $(seq 100); do rmdir {} 2>/dev/null && exit; sleep 0.1; done", group.display());
    let remover = Command::new("sh").args(["-c", &removal]).stdin(Stdio::piped()).spawn().unwrap();
    let set = |file: &str, value: u64| fs::write(group.join(file), value.to_string());
    let capped = set(limit, most).and_then(|()| set("cgroup.procs", u64::from(pid)));
    capped.is_ok().then_some(remover)
}

/// The folder of this process's control group for memory, and the name of the file that caps one below it.
fn own_group() -> Option<(PathBuf, &'static str)> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = |start: fn(&str) -> Option<&str>| groups.lines().find_map(|line| start(line.split_once(':')?.1));
    let below = |mount: &str, path: &str| Path::new(mount).join(path.trim_start_matches('/'));
    let first = path(|rest| rest.strip_prefix("memory:")).map(|path| (below("/sys/fs/cgroup/memory", path), "memory.limit_in_bytes"));
    let second = path(|rest| rest.strip_prefix(':')).map(|path| (below("/sys/fs/cgroup", path), "memory.max"));
    let has_memory = |group: &Path| fs::read_to_string(group.join("cgroup.subtree_control")).is_ok_and(|text| text.contains("memory"));
    let first = first.filter(|(group, limit)| group.join(limit).is_file());
    first.or_else(|| second.filter(|(group, _)| has_memory(group)))
}

/// Counts what may be written to, which a pool's reserved address space is not until a guest grows into it.
fn by_limit_on_data(pid: u32, most: u64) -> bool {
    let Some(now) = status(pid, "VmData") else { return false };
    let limit = format!("--data={}", now + most);
    Command::new("prlimit").args(["--pid", &pid.to_string(), &limit]).status().is_ok_and(|status| status.success())
}
