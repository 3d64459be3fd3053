//! What a cell says of the end of an attempt, checked: it may be a liar. Times of the clock are the node's own, CPU time is at most what
//! the system counted for the whole process, and everything that a guest could say is within the bounds that hold for guests.

use std::time::Duration;

use jiff::Timestamp;
use mogbox_core::limits::Bound;
use mogbox_core::outcome::{ArgumentError, Failure};
use mogbox_core::{Digest, Execution, Facts, Json, LogLine, Outcome, Receipt};

use crate::engine::ENGINE_NAME;
use crate::journal;
use crate::link::{End, Ended};
use crate::trap::for_people;

/// Bytes of a text that is the sandbox's own, with what the guest said when it crashed.
const MAX_TEXT: usize = 5 << 10;

/// Bytes of a class.
const MAX_CLASS: usize = 64;

/// The class of an end that cannot be.
const CLASS: &str = "process";

/// What the node knows of an attempt itself.
pub(super) struct Known {
    pub(super) module: Digest,
    pub(super) started: Timestamp,
    pub(super) elapsed: Duration,
    /// What the process used meanwhile, for all of its attempts.
    pub(super) cpu: Duration,
    /// Host calls that came to the node.
    pub(super) calls: u64,
}

impl Known {
    /// An attempt whose cell said nothing of its end: all that it used counts as this attempt's.
    pub(super) fn nothing_said(&self) -> Execution {
        let receipt = Receipt {
            started: Some(self.started),
            run_us: microseconds(self.elapsed),
            cpu_us: microseconds(self.cpu),
            host_calls: self.calls,
            module: Some(self.module),
            engine: ENGINE_NAME.into(),
            ..Receipt::default()
        };
        let outcome = Outcome::Unavailable(String::new());
        Execution { outcome, receipt, log: Vec::new(), dropped_lines: 0 }
    }
}

/// The attempt, as far as it is believed.
pub(super) fn execution(end: End, facts: &Facts, known: &Known) -> Execution {
    let limits = &facts.limits;
    let now = Timestamp::now();
    let within = |line: LogLine| LogLine { at: line.at.clamp(known.started.min(now), now), ..line };
    let (log, dropped) = journal::relayed(limits, end.log.into_iter().map(within));
    let nothing_said = known.nothing_said();
    let receipt = Receipt {
        cpu_us: end.cpu_us.min(microseconds(known.cpu)),
        peak_memory: end.peak_memory.min(limits.get(Bound::Memory)),
        // A call that passes the bound is the last, and counts.
        host_calls: end.host_calls.clamp(known.calls, limits.get(Bound::HostCalls).saturating_add(1).max(known.calls)),
        host_bytes: end.host_bytes,
        ..nothing_said.receipt
    };
    Execution { outcome: outcome(end.outcome, facts), receipt, log, dropped_lines: end.dropped_lines.saturating_add(dropped) }
}

fn outcome(ended: Ended, facts: &Facts) -> Outcome {
    let limits = &facts.limits;
    if size(&ended) > limits.length(Bound::Result) {
        return Outcome::OverBound { bound: Bound::Result, limit: limits.show(Bound::Result) };
    }
    match ended {
        Ended::Success(json) => Outcome::Success(json),
        Ended::Failed { kind, message, details } => Outcome::Failed(Failure { kind, message, details: details.into_iter().next() }),
        Ended::InvalidArguments(errors) => Outcome::InvalidArguments(errors.into_iter().map(argument_error).collect()),
        Ended::UnknownTask => Outcome::UnknownTask,
        Ended::Retry { message, after } => Outcome::Retry { message, after },
        Ended::Pause { after } => Outcome::Pause { after },
        Ended::Trapped { class, message } => {
            Outcome::Trapped { class: for_people(&class, MAX_CLASS), message: for_people(&message, MAX_TEXT) }
        }
        Ended::OverBound(bound) => Outcome::OverBound { bound, limit: limits.show(bound) },
        Ended::DeadlinePassed if is_due(facts) => Outcome::DeadlinePassed,
        Ended::Stopped if facts.stop.is_forced() => facts.stop.reason().map_or_else(impossible, Outcome::Stopped),
        Ended::DeadlinePassed | Ended::Stopped => impossible(),
        Ended::Unavailable(text) => Outcome::Unavailable(for_people(&text, MAX_TEXT)),
    }
}

fn impossible() -> Outcome {
    let message = "the sandbox process says that the attempt was ended from outside, but nobody did that".to_owned();
    Outcome::Trapped { class: CLASS.into(), message }
}

/// A cell learns of a deadline later than the node, and never sees it pass earlier.
fn is_due(facts: &Facts) -> bool {
    facts.deadline.is_some_and(|deadline| facts.started.elapsed() >= deadline)
}

fn argument_error((argument, message): (String, String)) -> ArgumentError {
    ArgumentError { argument, message }
}

/// Bytes of what is the guest's in it.
fn size(ended: &Ended) -> usize {
    match ended {
        Ended::Success(json) => json.size(),
        Ended::Failed { kind, message, details } => kind.len() + message.len() + details.iter().map(Json::size).sum::<usize>(),
        Ended::InvalidArguments(errors) => {
            errors.iter().map(|(argument, message)| argument.len() + message.len() + size_of::<ArgumentError>()).sum()
        }
        Ended::Retry { message, .. } => message.len(),
        _ => 0,
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mogbox_core::report::Level;
    use mogbox_core::{Entries, Limits, Request, Stop, StopReason};

    use super::*;

    fn facts(limits: Limits) -> Facts {
        let request = Arc::new(Request::new("t".parse().unwrap()));
        let (tenant, queue, started) = (Default::default(), Default::default(), std::time::Instant::now());
        Facts { tenant, queue, request, attempt: 1, limits, stop: Stop::new(), started, deadline: None, weight: 1, config: Arc::default() }
    }

    fn end(outcome: Ended) -> End {
        let line = LogLine { at: Timestamp::MAX, level: Level::Info, message: "x".repeat(100), fields: Entries::new() };
        let log = vec![line; 10];
        End { outcome, cpu_us: u64::MAX, peak_memory: u64::MAX, host_calls: 0, host_bytes: 7, log, dropped_lines: 1 }
    }

    fn believed(outcome: Ended, facts: &Facts) -> Execution {
        let (elapsed, cpu) = (Duration::from_secs(2), Duration::from_micros(1_500));
        let known = Known { module: Digest::of(b""), started: Timestamp::now(), elapsed, cpu, calls: 3 };
        execution(end(outcome), facts, &known)
    }

    #[test]
    fn a_cell_that_lies_about_what_it_used_is_believed_as_far_as_it_can_be_true() {
        let facts = facts(Limits { log_lines: 4, ..Limits::default() });
        let execution = believed(Ended::UnknownTask, &facts);
        let receipt = execution.receipt;
        assert_eq!((receipt.cpu_us, receipt.run_us, receipt.peak_memory, receipt.host_calls), (1_500, 2_000_000, 64 << 20, 3));
        assert_eq!((execution.log.len(), execution.dropped_lines), (4, 7));
        assert!(execution.log.iter().all(|line| line.at <= Timestamp::now()));
    }

    #[test]
    fn nobody_is_told_of_a_stop_or_a_deadline_that_was_not() {
        let facts = facts(Limits::default());
        for lie in [Ended::Stopped, Ended::DeadlinePassed] {
            let outcome = believed(lie, &facts).outcome;
            assert!(matches!(&outcome, Outcome::Trapped { class, .. } if class == "process"), "{outcome:?}");
        }
        facts.stop.force(StopReason::Revoked);
        assert_eq!(believed(Ended::Stopped, &facts).outcome, Outcome::Stopped(StopReason::Revoked));
        let due = Facts { deadline: Some(Duration::ZERO), ..facts };
        assert_eq!(believed(Ended::DeadlinePassed, &due).outcome, Outcome::DeadlinePassed);
    }

    #[test]
    fn a_value_over_its_bound_is_none() {
        let facts = facts(Limits { result: 10, ..Limits::default() });
        let outcome = |text: &str| believed(Ended::Success(Json::string(text)), &facts).outcome;
        assert_eq!(outcome("12345678"), Outcome::Success(Json::string("12345678")));
        assert_eq!(outcome("123456789"), Outcome::OverBound { bound: Bound::Result, limit: "10B".into() });
    }
}
