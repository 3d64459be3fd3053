//! What processes use, as Linux tells it; nothing elsewhere.

/// Ticks a second in which Linux counts processor time for programs, on every processor that Mogbox runs on.
const TICKS: f64 = 100.0;

/// Seconds of processor time that these processes have used so far.
pub(super) fn cpu_seconds(pids: &[u32]) -> Option<f64> {
    pids.iter().map(|pid| read_ticks(*pid)).sum::<Option<u64>>().map(|ticks| precise(ticks) / TICKS)
}

fn read_ticks(pid: u32) -> Option<u64> {
    ticks(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// User and system time of a line whose second field, a name in parentheses, may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(|field| field.parse::<u64>().ok());
    times.next()??.checked_add(times.next()??)
}

/// Bytes of memory that these processes hold.
pub(super) fn resident(pids: &[u32]) -> Option<u64> {
    pids.iter()
        .map(|pid| resident_kib(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?))
        .sum::<Option<u64>>()
        .map(|kib| kib << 10)
}

fn resident_kib(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

/// Bytes in the unit of memory.
pub(super) fn mebibytes(bytes: u64) -> f64 {
    precise(bytes) / f64::from(1 << 20)
}

/// A count as a number to calculate with; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts and bytes of a bench are far below 2^53")]
pub(super) const fn precise(count: u64) -> f64 {
    count as f64
}

/// As [`precise`], for a length.
pub(super) fn count(length: usize) -> f64 {
    precise(u64::try_from(length).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b ) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 1 2 3";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("7 (a"), None);
    }

    #[test]
    fn memory_is_read_from_its_own_line() {
        assert_eq!(resident_kib("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t  1234 kB\n"), Some(1234));
        assert_eq!(resident_kib("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_uses_something() {
        if cfg!(target_os = "linux") {
            assert!(resident(&[std::process::id()]).unwrap() > 1 << 20);
            assert!(cpu_seconds(&[std::process::id()]).is_some());
        }
        assert_eq!(resident(&[u32::MAX]), None);
    }
}
