//! What became of a guest whose call failed: which outcome it is, in a short class and a text for people.

use mogbox_core::Outcome;
use mogbox_core::limits::Bound;
use mogbox_core::text::plays_tricks;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::convert::INVALID_ANSWER;
use crate::guest::Guest;
use crate::memory::Denied;
use crate::usage::{OverBound, largest_copy};

/// Bytes of the text for people.
const MAX_MESSAGE: usize = 4 << 10;

/// How the engine says that one call copies more than it may; it has no public type of its own.
const TOO_MUCH_COPIED: &str = "fuel allocated for hostcalls has been exhausted";

/// The outcome of a call that failed.
pub(crate) fn outcome(error: &wasmtime::Error, guest: &Guest) -> Outcome {
    if let Some(bound) = bound_passed(error, guest) {
        return Outcome::OverBound { bound, limit: guest.limits.show(bound) };
    }
    if let Some(full) = guest.memory.no_memory_left() {
        return Outcome::Unavailable(full);
    }
    if error.is::<PoolConcurrencyLimitError>() || is_of_the_machine(error) {
        return Outcome::Unavailable(format!("no room for another guest on this node: {error:#}"));
    }
    let class = class(error);
    // A panic ends in one of these, and what it says is in the log only.
    let panic = if ["unreachable", "exit"].contains(&class) { guest.journal.last_panic() } else { None };
    let cause = if copies_too_much(error) { too_large(guest) } else { error.root_cause().to_string() };
    Outcome::Trapped { class: class.into(), message: message(error, &cause, panic) }
}

/// Whether the machine refused something, such as memory: no fault of the guest's.
pub(crate) fn is_of_the_machine(error: &wasmtime::Error) -> bool {
    // The engine passes errors of system calls on in a type that is not public; all of them are shown alike.
    error.is::<std::io::Error>() || error.root_cause().to_string().contains("(os error ")
}

fn bound_passed(error: &wasmtime::Error, guest: &Guest) -> Option<Bound> {
    if let Some(OverBound(bound)) = error.downcast_ref::<OverBound>() {
        return Some(*bound);
    }
    if copies_too_much(error) && !error.is::<WasmBacktrace>() {
        // What the guest returns is copied once no code of its own runs any more.
        return Some(Bound::Result);
    }
    guest.passed_bound().or_else(|| (guest.memory.denied() == Some(Denied::Bound)).then_some(Bound::Memory))
}

/// Whether a call of the host brings more than any call may, or what is returned is as large.
fn copies_too_much(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| cause.to_string().contains(TOO_MUCH_COPIED))
}

fn class(error: &wasmtime::Error) -> &'static str {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return trap_class(*trap);
    }
    match error {
        error if copies_too_much(error) => "too-large",
        error if error.is::<I32Exit>() => "exit",
        error if error.is::<WasmBacktrace>() => "invalid-call",
        _ => INVALID_ANSWER,
    }
}

fn trap_class(trap: Trap) -> &'static str {
    match trap {
        Trap::UnreachableCodeReached => "unreachable",
        Trap::StackOverflow => "stack-overflow",
        Trap::MemoryOutOfBounds | Trap::TableOutOfBounds | Trap::ArrayOutOfBounds => "out-of-bounds",
        Trap::StringOutOfBounds | Trap::ListOutOfBounds | Trap::UnalignedPointer | Trap::InvalidDiscriminant | Trap::InvalidChar => {
            INVALID_ANSWER
        }
        Trap::IntegerDivisionByZero => "integer-division",
        Trap::IntegerOverflow => "integer-overflow",
        Trap::BadConversionToInteger => "float-conversion",
        Trap::IndirectCallToNull | Trap::BadSignature | Trap::NullReference => "bad-call",
        Trap::CannotEnterComponent | Trap::CannotLeaveComponent => "reentrance",
        _ => "trap",
    }
}

fn too_large(guest: &Guest) -> String {
    let bounds = [Bound::Result, Bound::State, Bound::Arguments, Bound::Metadata, Bound::Log];
    let named: Vec<String> = bounds.iter().map(|bound| format!("{bound} of {}", guest.limits.show(*bound))).collect();
    let most = largest_copy(&guest.limits);
    format!("one call brings more than {most} bytes to the host, which is more than any of the bounds allows: {}", named.join(", "))
}

/// What the guest said of it, the cause, then where in the guest it happened, innermost first.
fn message(error: &wasmtime::Error, cause: &str, panic: Option<String>) -> String {
    let cause = cause.trim_start_matches("wasm trap: ").to_owned();
    let place = error.downcast_ref::<WasmBacktrace>().filter(|backtrace| !backtrace.frames().is_empty()).map(ToString::to_string);
    let text = panic.into_iter().chain([cause]).chain(place).collect::<Vec<_>>().join("\n");
    for_people(text.trim_end(), MAX_MESSAGE)
}

/// Text that came from a guest, at most so many bytes, without characters that could play tricks on a terminal or a reader.
pub(crate) fn for_people(text: &str, most: usize) -> String {
    let end = text.floor_char_boundary(most);
    let shown = text.get(..end).unwrap_or_default();
    let mut clean: String = shown.chars().map(|c| if plays_tricks(c) && c != '\n' { '\u{fffd}' } else { c }).collect();
    if end < text.len() {
        clean.push('…');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_system_call_is_the_machines_and_one_of_the_guest_is_not() {
        let refused = std::io::Error::from_raw_os_error(12);
        assert!(is_of_the_machine(&wasmtime::Error::msg(refused.to_string()).context("mapping code")));
        assert!(is_of_the_machine(&wasmtime::Error::new(refused)));
        assert!(!is_of_the_machine(&wasmtime::Error::msg("magic header not detected")));
    }

    #[test]
    fn text_for_people_is_cut_at_a_character_and_has_no_control_characters() {
        assert_eq!(for_people("a\u{1b}[31m\nb", 100), "a\u{fffd}[31m\nb");
        assert_eq!(for_people("user\u{202e}gpj.exe", 100), "user\u{fffd}gpj.exe");
        assert_eq!(for_people("äää", 3), "ä…");
    }
}
