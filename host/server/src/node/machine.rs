//! What the machine, or the container that the node runs in, has. Read once, at the start.

use std::fs;
use std::path::Path;

/// Where the kernel shows control groups.
const GROUPS: &str = "/sys/fs/cgroup";

/// Assumed where the machine does not say. Bytes.
const UNKNOWN: u64 = 4 << 30;

/// Memory that the node may use: the machine's, or what its control group allows where that is less. Bytes.
pub(super) fn memory() -> u64 {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let machine = total_memory(&read("/proc/meminfo"));
    let groups = read("/proc/self/cgroup");
    let bounds = group_files(&groups).into_iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    machine.into_iter().chain(bounds).min().unwrap_or(UNKNOWN)
}

/// The machine's memory in the text of `/proc/meminfo`.
fn total_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1 << 10)
}

/// The files that bound the memory of a process, given the text of its `/proc/self/cgroup`: of its group and of every one around it,
/// in both versions of control groups. Inside a container only some of them are there.
fn group_files(text: &str) -> Vec<String> {
    text.lines().flat_map(files_of_line).collect()
}

fn files_of_line(line: &str) -> Vec<String> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (top, file) = match controllers {
        "" => (GROUPS.to_owned(), "memory.max"),
        names if names.split(',').any(|name| name == "memory") => (format!("{GROUPS}/memory"), "memory.limit_in_bytes"),
        _ => return Vec::new(),
    };
    let shown = |group: &Path| format!("{top}{}/{file}", group.display().to_string().trim_end_matches('/'));
    Path::new(path).ancestors().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_this_machine_is_known() {
        assert!(memory() >= 64 << 20);
        assert_eq!(total_memory("MemTotal:       24689396 kB\nMemFree: 1 kB\n"), Some(24_689_396 << 10));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn every_group_around_the_process_counts() {
        let second = ["/sys/fs/cgroup/a/b/memory.max", "/sys/fs/cgroup/a/memory.max", "/sys/fs/cgroup/memory.max"];
        assert_eq!(group_files("0::/a/b\n"), second);
        let first = ["/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
        assert_eq!(group_files("9:name=systemd:/\n4:hugetlb,memory:/a\n1:cpu:/\n"), first);
        assert_eq!(group_files("nonsense"), Vec::<String>::new());
    }
}
