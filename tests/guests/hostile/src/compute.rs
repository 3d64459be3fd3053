//! Instructions: none that is legal, or too many.

use std::hint::black_box;

use mogbox_guest::task;

/// Runs into an instruction that ends the instance.
#[task(name = "hostile.trap")]
pub(crate) fn trap() {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    std::process::abort();
}

/// Panics with a message.
#[task(name = "hostile.panic")]
#[allow(clippy::panic, reason = "this is what the task is for")]
pub(crate) fn panic(message: Option<String>) {
    panic!("{}", message.as_deref().unwrap_or("the guest panics on purpose"));
}

/// Computes and never ends, without a call of the host.
#[task(name = "hostile.loop_for_ever")]
pub(crate) fn loop_for_ever() {
    loop {
        black_box(0);
    }
}

/// Calls itself until the stack ends.
#[task(name = "hostile.recurse")]
pub(crate) fn recurse() -> u64 {
    deeper(black_box(1))
}

#[allow(unconditional_recursion, reason = "this is what the task is for")]
fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    deeper(depth + 1) + frame.iter().sum::<u64>()
}

/// Computes for so many milliseconds, without a pause.
#[task(name = "hostile.spin")]
pub(crate) fn spin(ms: u64) -> u64 {
    let (end, mut rounds) = (now() + ms * 1_000_000, 0u64);
    while now() < end {
        for _ in 0..10_000 {
            rounds = black_box(rounds.wrapping_add(1));
        }
    }
    rounds
}

/// Nanoseconds of a clock that only goes forward.
#[cfg(target_family = "wasm")]
fn now() -> u64 {
    wasip2::clocks::monotonic_clock::now()
}

#[cfg(not(target_family = "wasm"))]
fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
