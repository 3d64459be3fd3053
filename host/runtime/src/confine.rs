//! Takes from this process what it does not need, before it reads a byte of a stranger's: memory, time, files, the network, most system
//! calls, the rights of root, and life without its parent. For processes of one purpose; there is no way back. Knows not what runs afterwards.
//!
//! On other systems than Linux only the parent's own measures hold: an empty environment, bounded output, and a time limit.

#[cfg(target_os = "linux")]
mod calls;

use std::io;
use std::time::Duration;

/// What is left to a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Confinement<'a> {
    /// The process that started it. It ends with the *thread* that did.
    pub(crate) parent: u32,
    /// Memory that it may write to, beyond what it has already. Bytes.
    pub(crate) memory: u64,
    /// Processor time of all its threads together, rounded up to seconds.
    pub(crate) cpu: Option<Duration>,
    /// Bytes of a file that it writes.
    pub(crate) file: u64,
    /// Files open at once; what is open already stays so.
    pub(crate) open_files: u64,
    /// How much it leaves others before: 0 to 19.
    pub(crate) niceness: i32,
    /// Whether it may turn memory into code.
    pub(crate) makes_code: bool,
    /// Numbers of system calls that it may make beside those that any program with threads makes.
    pub(crate) further_calls: &'a [i64],
}

/// Confines this process. To be called while it has one thread.
///
/// # Errors
/// Where the system refuses: the process is then confined in part, and is to end.
#[cfg(target_os = "linux")]
pub(crate) fn confine(what: &Confinement<'_>) -> io::Result<()> {
    use rustix::process::{Resource, Signal};

    let has = writable_memory()?;
    // Should the machine run out of memory all the same, this process goes first. Some systems do not offer that.
    std::fs::write("/proc/self/oom_score_adj", "1000").ok();
    leave_the_network();
    become_nobody();
    // After the name spaces and the change of user: whoever gains a capability, if only over one of his own, is no longer bound to his parent.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(named("the end with its parent"))?;
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    if parent != what.parent {
        return Err(io::Error::other(format!("process {} is gone, which started this one", what.parent)));
    }
    // Where it has been lowered to the least already, there is nothing to do.
    rustix::process::nice(what.niceness).ok();
    limit(Resource::Core, 0, "core files")?;
    limit(Resource::Fsize, what.file, "files")?;
    limit(Resource::Nofile, what.open_files, "open files")?;
    // What it can write to counts, and no memory but that of its own: the list of calls leaves it none that it could share.
    limit(Resource::Data, has.saturating_add(what.memory), "memory")?;
    if let Some(cpu) = what.cpu {
        let seconds = cpu.as_secs() + u64::from(cpu.subsec_nanos() > 0);
        // The first is a signal that says which bound it was, the second cannot be held off.
        set(Resource::Cpu, seconds, seconds.saturating_add(1), "processor time")?;
    }
    calls::restrict(what.makes_code, what.further_calls).map_err(|error| io::Error::other(format!("cannot restrict system calls: {error}")))
}

/// Nothing that this system has is known here.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub(crate) fn confine(_what: &Confinement<'_>) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn limit(resource: rustix::process::Resource, most: u64, what: &'static str) -> io::Result<()> {
    set(resource, most, most, what)
}

/// Never more than it was: only the system's administrator may raise a limit.
#[cfg(target_os = "linux")]
fn set(resource: rustix::process::Resource, soft: u64, hard: u64, what: &'static str) -> io::Result<()> {
    let had = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = rustix::process::Rlimit { current: Some(soft.min(had)), maximum: Some(hard.min(had)) };
    rustix::process::setrlimit(resource, limit).map_err(named(what))
}

#[cfg(target_os = "linux")]
fn named(what: &'static str) -> impl Fn(rustix::io::Errno) -> io::Error {
    move |error| io::Error::other(format!("cannot set the bound of {what}: {}", io::Error::from(error)))
}

/// A user, a network and a shared memory of its own, where the system allows that to everybody or to this user. Where it does not, the
/// system calls that lead there are refused all the same.
#[cfg(target_os = "linux")]
#[allow(deprecated, reason = "deprecated for tables of open files only, which are not asked for here; the other form is unsafe for all")]
fn leave_the_network() {
    use rustix::thread::{UnshareFlags, unshare};

    let network = UnshareFlags::NEWNET | UnshareFlags::NEWIPC;
    // Whoever is root and takes users of his own stays root for what is outside of them, so he becomes somebody else instead.
    let others = if is_root() { unshare(network) } else { unshare(network | UnshareFlags::NEWUSER) };
    others.or_else(|_| unshare(network)).ok();
}

/// The user and the group that own nothing, by convention.
#[cfg(target_os = "linux")]
const NOBODY: u32 = 65_534;

/// What runs as root is nobody from now on, where the system has such a user: inside some containers there is none but root, who is
/// nobody outside.
#[cfg(target_os = "linux")]
fn become_nobody() {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

    let (group, user) = (Gid::from_raw(NOBODY), Uid::from_raw(NOBODY));
    if is_root() {
        set_thread_groups(&[]).ok();
        set_thread_res_gid(group, group, group).ok();
        set_thread_res_uid(user, user, user).ok();
    }
}

#[cfg(target_os = "linux")]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Memory that this process can write to already: its limit counts that as well. Bytes.
#[cfg(target_os = "linux")]
fn writable_memory() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = status.lines().find_map(|line| line.strip_prefix("VmData:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let missing = || io::Error::other("/proc/self/status does not say how much memory this process has");
    field.and_then(|kibibytes| kibibytes.checked_mul(1_024)).ok_or_else(missing)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::process::Command;

    /// What the test below starts: this program, with only this test in it, confined.
    const CONFINED: &str = "MOGBOX_TEST_CONFINED";

    #[test]
    fn within_a_confined_process() {
        let Ok(parent) = std::env::var(CONFINED) else { return };
        let confinement = Confinement {
            parent: parent.parse().unwrap(),
            memory: 64 << 20,
            cpu: Some(Duration::from_millis(20_500)),
            file: 1_000,
            open_files: 16,
            niceness: 5,
            makes_code: false,
            further_calls: &[],
        };
        confine(&confinement).unwrap();
        let absent = |error: Option<io::Error>| error.and_then(|error| error.raw_os_error()) == Some(libc::ENOSYS);
        assert!(absent(std::net::TcpListener::bind("127.0.0.1:0").err()));
        assert!(absent(std::net::UdpSocket::bind("127.0.0.1:0").err()));
        assert!(absent(std::os::unix::net::UnixStream::connect("/nowhere").err()));
        assert!(absent(std::fs::File::open("/proc/self/status").err()));
        assert!(absent(std::fs::read_dir("/").err()));
        assert!(absent(std::fs::remove_file("/nowhere").err()));
        assert!(Command::new("/bin/true").spawn().is_err());
        assert!(rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).is_err());
        assert!(Vec::<u8>::new().try_reserve_exact(48 << 20).is_ok());
        assert!(Vec::<u8>::new().try_reserve_exact(65 << 20).is_err());
        assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7);
        std::io::Write::write_all(&mut io::stdout(), b"confined").unwrap();
    }

    fn confined(parent: u32) -> std::process::Output {
        let this = std::env::current_exe().unwrap();
        let mut command = Command::new(this);
        command.args(["--exact", "confine::tests::within_a_confined_process", "--nocapture", "--test-threads=1"]);
        command.env_clear().env(CONFINED, parent.to_string()).output().unwrap()
    }

    #[test]
    fn a_confined_process_reaches_nothing_and_has_no_more_than_it_was_left() {
        let output = confined(std::process::id());
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("confined"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn a_process_whose_parent_is_gone_does_nothing() {
        let output = confined(1);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success() && said.contains("process 1 is gone, which started this one"), "{said}");
    }
}
