//! The system calls of a confined process: a list of those that it may make. Every other one does not exist for it, which libraries
//! are used to from older systems. Nothing in the list opens a file or a connection, starts a program, or reaches another process.

use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{BackendError, BpfProgram, Error, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule};

/// What any program with threads does.
const ALWAYS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getcpu,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

/// The arguments of `mmap` (the first also of `mprotect`) that say what the memory is for, and whose it is.
const PROTECTION: u8 = 2;
const FLAGS: u8 = 3;

/// Leaves this process the calls above, those that are conditional below, and the further ones.
pub(super) fn restrict(makes_code: bool, further: &[i64]) -> Result<(), Error> {
    seccompiler::apply_filter_all_threads(&program(makes_code, further)?)
}

fn program(makes_code: bool, further: &[i64]) -> Result<BpfProgram, BackendError> {
    let mut rules: std::collections::BTreeMap<i64, Vec<SeccompRule>> =
        ALWAYS.iter().chain(further).map(|call| (*call, Vec::new())).collect();
    // Threads, but no processes. The newer form of the call hides what it wants in memory: programs fall back on this one.
    let threads = (libc::CLONE_THREAD | libc::CLONE_VM).unsigned_abs().into();
    rules.insert(libc::SYS_clone, vec![only(SeccompCondition::new(0, Qword, MaskedEq(threads), threads)?)?]);
    rules.insert(libc::SYS_prctl, vec![only(SeccompCondition::new(0, Dword, Eq, libc::PR_SET_NAME.unsigned_abs().into())?)?]);
    // What fails ends itself with a signal, and nobody else.
    rules.insert(libc::SYS_tgkill, vec![only(SeccompCondition::new(0, Dword, Eq, std::process::id().into())?)?]);
    let code = (!makes_code).then_some((PROTECTION, libc::PROT_EXEC));
    rules.insert(libc::SYS_mprotect, without(code)?);
    // What is shared would not count against the memory that this process may have.
    rules.insert(libc::SYS_mmap, without(code.into_iter().chain([(FLAGS, libc::MAP_SHARED)]))?);
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    SeccompFilter::new(rules, absent, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?.try_into()
}

fn only(condition: SeccompCondition) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![condition])
}

/// A call whose arguments have none of these bits.
fn without(bits: impl IntoIterator<Item = (u8, i32)>) -> Result<Vec<SeccompRule>, BackendError> {
    let none = |(argument, bits): (u8, i32)| SeccompCondition::new(argument, Dword, MaskedEq(bits.unsigned_abs().into()), 0);
    let conditions: Vec<SeccompCondition> = bits.into_iter().map(none).collect::<Result<_, _>>()?;
    Ok(if conditions.is_empty() { Vec::new() } else { vec![SeccompRule::new(conditions)?] })
}
