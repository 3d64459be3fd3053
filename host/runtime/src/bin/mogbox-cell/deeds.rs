//! What native code in a cell tries. What can be told is told as text: the names of what worked.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

/// Calls of the system that have no business in a cell, each with arguments that would work for somebody who may make it.
fn forbidden() -> [(&'static str, i64, [i64; 4]); 21] {
    [
        ("socket of the internet", libc::SYS_socket, [libc::AF_INET as i64, libc::SOCK_STREAM as i64, 0, 0]),
        ("socket of Unix", libc::SYS_socket, [libc::AF_UNIX as i64, libc::SOCK_STREAM as i64, 0, 0]),
        ("socket of the kernel", libc::SYS_socket, [libc::AF_NETLINK as i64, libc::SOCK_RAW as i64, 0, 0]),
        ("fork", libc::SYS_clone, [libc::SIGCHLD as i64, 0, 0, 0]),
        ("fork in a name space", libc::SYS_clone, [libc::CLONE_NEWUSER as i64 | libc::SIGCHLD as i64, 0, 0, 0]),
        ("ptrace", libc::SYS_ptrace, [0, 0, 0, 0]),
        ("unshare", libc::SYS_unshare, [libc::CLONE_NEWUSER as i64, 0, 0, 0]),
        ("memfd_create", libc::SYS_memfd_create, [c"x".as_ptr() as i64, 0, 0, 0]),
        ("io_uring_setup", libc::SYS_io_uring_setup, [1, 0, 0, 0]),
        ("userfaultfd", libc::SYS_userfaultfd, [1, 0, 0, 0]),
        ("keyctl", libc::SYS_keyctl, [0, -3, 1, 0]),
        ("bpf", libc::SYS_bpf, [0, 0, 0, 0]),
        ("perf_event_open", libc::SYS_perf_event_open, [0, 0, 0, 0]),
        ("personality", libc::SYS_personality, [0xffff_ffff, 0, 0, 0]),
        ("chroot", libc::SYS_chroot, [c"/".as_ptr() as i64, 0, 0, 0]),
        ("pipe2", libc::SYS_pipe2, [PIPE.as_ptr() as i64, 0, 0, 0]),
        ("openat", libc::SYS_openat, [libc::AT_FDCWD as i64, c"/".as_ptr() as i64, 0, 0]),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, [0, 0, 0, 0]),
        ("a bound that is raised", libc::SYS_prlimit64, [0, libc::RLIMIT_NOFILE as i64, LIMIT.as_ptr() as i64, 0]),
        ("setuid", libc::SYS_setuid, [0, 0, 0, 0]),
        ("dumpable again", libc::SYS_prctl, [libc::PR_SET_DUMPABLE as i64, 1, 0, 0]),
    ]
}

static PIPE: [i32; 2] = [0; 2];
static LIMIT: [u64; 2] = [1_000, 1_000];

/// Does what a task's name says, if that is a deed.
pub(crate) fn deed(task: &str, argument: &str) -> Option<String> {
    let argument: String = serde_json::from_str(argument).unwrap_or_default();
    Some(match task.strip_prefix("deed.")? {
        "calls" => call_the_system(),
        "read" => argument.split(',').filter(|path| fs::read(path).is_ok() || fs::write(path, "x").is_ok()).collect(),
        "connect" => argument.split(',').filter(|to| TcpStream::connect(to).is_ok() || UnixStream::connect(to).is_ok()).collect(),
        "environment" => std::env::vars().map(|(name, value)| format!("{name}={value} ")).collect(),
        "kill" => kill(argument.parse().ok()?),
        "crash" => crash(),
        "scribble" => scribble(),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "eat" => eat(),
        "say" => say(&argument),
        "claim" => claim(argument.as_bytes()),
        other => format!("no deed {other}"),
    })
}

fn call_the_system() -> String {
    let worked = |(_, call, [a, b, c, d]): &&(&str, i64, [i64; 4])| {
        // SAFETY: what works is an error of the test, and the process ends soon.
        unsafe { libc::syscall(*call, *a, *b, *c, *d) != -1 }
    };
    forbidden().iter().filter(worked).map(|(name, ..)| format!("{name}; ")).collect()
}

/// Kills a process, or all that it may.
fn kill(process: i32) -> String {
    let signals = [(process, libc::SIGKILL), (process, 0), (-1, libc::SIGKILL)];
    // SAFETY: numbers only.
    let sent = signals.iter().filter(|(to, signal)| unsafe { libc::kill(*to, *signal) } == 0);
    // SAFETY: as above; `tgkill` is what programs end themselves with.
    let sent_to_thread = unsafe { libc::syscall(libc::SYS_tgkill, process, process, libc::SIGKILL) } == 0;
    format!("{}{}", if sent_to_thread { "a thread " } else { "" }, sent.map(|(to, _)| format!("{to} ")).collect::<String>())
}

fn crash() -> String {
    // SAFETY: none, on purpose.
    unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
    "still there".into()
}

/// Overwrites its own stack upwards, whatever is there.
fn scribble() -> String {
    let mut here = 0u64;
    let mut at = &raw mut here;
    loop {
        // SAFETY: none, on purpose.
        unsafe {
            at.write_volatile(0xdead_beef);
            at = at.add(1);
        }
    }
}

/// Takes all the memory that it gets, and says how many MiB that is.
fn eat() -> String {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut piece = Vec::new();
        if piece.try_reserve_exact(16 << 20).is_err() {
            return (eaten.len() * 16).to_string();
        }
        piece.resize(16 << 20, 1u8);
        eaten.push(piece);
    }
}

/// Says each line to the node in a frame of its own, and nothing more.
fn say(messages: &str) -> String {
    let mut frames = Vec::new();
    for message in messages.lines() {
        frames.extend_from_slice(&u32::try_from(message.len()).unwrap_or(0).to_le_bytes());
        frames.push(0);
        frames.extend_from_slice(message.as_bytes());
    }
    write(&frames)
}

/// Begins a frame of so many bytes, then writes as much as it can.
fn claim(length: &[u8]) -> String {
    let length: u32 = std::str::from_utf8(length).ok().and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
    let mut frame = length.to_le_bytes().to_vec();
    frame.push(0);
    frame.resize(1 << 20, b' ');
    write(&frame)
}

fn write(bytes: &[u8]) -> String {
    // SAFETY: the bytes are there; the socket is the standard input.
    unsafe { libc::write(0, bytes.as_ptr().cast(), bytes.len()) };
    loop {
        std::thread::park();
    }
}
