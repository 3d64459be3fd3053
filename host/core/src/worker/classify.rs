//! What follows from an outcome. Pure: the table of the design in code.

use std::time::Duration;

use crate::broker::Verdict;
use crate::executor::StopReason;
use crate::limits::{Bound, Limits, over_bound};
use crate::outcome::{Failure, Outcome};
use crate::request::Request;
use crate::result::{Exception, State, Value};
use crate::retry::Backoff;
use crate::store::Transition;

/// The wait of a pause that names none.
const PAUSE: Duration = Duration::from_secs(1);

/// The shortest wait of a pause or a retry: a task that asks for none at all would be a hot loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait that a task can ask for: two weeks, as a result is kept for three.
const LONGEST_WAIT: Duration = Duration::from_secs(14 * 24 * 3_600);

/// What is to be done after an attempt.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// The request is done.
    Finish {
        /// Its final state.
        state: State,
        /// Its value or error.
        value: Value,
        /// Why it goes to the dead letters, where it does.
        dead: Option<String>,
    },
    /// It runs again.
    Again {
        /// How its result changes.
        step: Transition,
        /// When.
        verdict: Verdict,
    },
    /// It was revoked: its result says so already.
    Acknowledge,
    /// Somebody else holds it by now.
    Abandon,
}

/// What an outcome depends on beside itself.
pub(super) struct Circumstances<'a> {
    pub(super) request: &'a Request,
    pub(super) limits: &'a Limits,
    /// Further attempts that the task asked for before this one.
    pub(super) retries: u32,
    /// Hand-outs so far.
    pub(super) fence: u32,
    /// Why the guest was asked to finish, where it was.
    pub(super) stop: Option<StopReason>,
}

/// What follows from an outcome.
pub(super) fn classify(outcome: Outcome, circumstances: &Circumstances<'_>) -> Next {
    match outcome {
        Outcome::Success(json) => finish(State::Success, Value::Success(json)),
        Outcome::Failed(failure) => fail(State::Failure, failed(failure)),
        Outcome::InvalidArguments(errors) => {
            let errors = errors.into_iter().map(|error| (error.argument, error.message)).collect();
            fail(State::Invalid, Exception::InvalidTaskArguments(errors))
        }
        Outcome::UnknownTask => fail(State::Invalid, Exception::UnknownTask(circumstances.request.name.to_string())),
        Outcome::Retry { message, after } => retry(message, after, circumstances),
        // A guest that paused because it was asked to finish is to go on elsewhere at once.
        Outcome::Pause { .. } if circumstances.stop == Some(StopReason::Draining) => given_back(),
        Outcome::Pause { after } => {
            let wait = after.unwrap_or(PAUSE).clamp(SHORTEST_WAIT, LONGEST_WAIT);
            Next::Again { step: Transition::Suspend, verdict: Verdict::RetryAfter(wait) }
        }
        Outcome::Trapped { class, message } => fail(State::Failure, text(&class, message)),
        Outcome::OverBound { bound, limit } => fail(State::Failure, text("OverBound", over_bound(bound, &limit))),
        Outcome::DeadlinePassed => fail(State::Revoked, Exception::Timeout),
        Outcome::Stopped(StopReason::Revoked) => Next::Acknowledge,
        Outcome::Stopped(StopReason::Draining) => given_back(),
        Outcome::Stopped(StopReason::LeaseLost) => Next::Abandon,
        Outcome::Unavailable(reason) => {
            tracing::warn!(request = %circumstances.request.id, %reason, "an attempt could not be made; it is tried again");
            let wait = Backoff::ATTEMPTS.wait(circumstances.fence).max(SHORTEST_WAIT);
            Next::Again { step: Transition::Suspend, verdict: Verdict::RetryAfter(wait) }
        }
    }
}

fn given_back() -> Next {
    Next::Again { step: Transition::Suspend, verdict: Verdict::GiveBack }
}

fn finish(state: State, value: Value) -> Next {
    Next::Finish { state, value, dead: None }
}

fn fail(state: State, exception: Exception) -> Next {
    finish(state, Value::Exception(exception))
}

fn text(kind: &str, message: String) -> Exception {
    Exception::Failed { kind: kind.to_owned(), message, traceback: String::new() }
}

fn failed(failure: Failure) -> Exception {
    let traceback = failure.details.map(|details| details.to_string()).unwrap_or_default();
    Exception::Failed { kind: failure.kind, message: failure.message, traceback }
}

fn retry(message: String, after: Option<Duration>, circumstances: &Circumstances<'_>) -> Next {
    let allowed = circumstances.limits.get(Bound::Retries);
    if u64::from(circumstances.retries) >= allowed {
        let message = format!("{message} (given up after {} retries, the bound {} allows no more)", circumstances.retries, Bound::Retries);
        let dead = Some(message.clone());
        return Next::Finish { state: State::Failure, value: Value::Exception(text("Retry", message)), dead };
    }
    let wait = after.unwrap_or_else(|| Backoff::ATTEMPTS.wait(circumstances.retries.saturating_add(1)));
    Next::Again { step: Transition::Retry, verdict: Verdict::RetryAfter(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(outcome: Outcome, retries: u32) -> Next {
        let request = Request::new("demo.task".parse().unwrap());
        classify(outcome, &Circumstances { request: &request, limits: &Limits::default(), retries, fence: 1, stop: None })
    }

    fn retry(after: Option<Duration>) -> Outcome {
        Outcome::Retry { message: "the mail server is away".into(), after }
    }

    #[test]
    fn a_task_that_asks_for_a_retry_gets_three_and_then_fails_into_the_dead_letters() {
        assert!(matches!(next(retry(None), 2), Next::Again { step: Transition::Retry, .. }));
        let Next::Finish { state: State::Failure, dead: Some(reason), .. } = next(retry(None), 3) else { panic!("it was not given up") };
        assert_eq!(reason, "the mail server is away (given up after 3 retries, the bound retries allows no more)");
    }

    #[test]
    fn a_wait_of_nothing_is_no_hot_loop_and_a_wait_of_ages_is_bounded() {
        let wait = |outcome| match next(outcome, 0) {
            Next::Again { verdict: Verdict::RetryAfter(wait), .. } => wait,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(retry(Some(Duration::ZERO))), SHORTEST_WAIT);
        assert_eq!(wait(Outcome::Pause { after: Some(Duration::ZERO) }), SHORTEST_WAIT);
        assert_eq!(wait(Outcome::Pause { after: Some(Duration::MAX) }), LONGEST_WAIT);
        assert_eq!(wait(Outcome::Pause { after: None }), PAUSE);
    }

    #[test]
    fn over_a_bound_the_error_names_it_its_value_and_how_to_raise_it() {
        let outcome = Outcome::OverBound { bound: Bound::Memory, limit: "64MiB".into() };
        let Next::Finish { state: State::Failure, value: Value::Exception(exception), .. } = next(outcome, 0) else { panic!("no failure") };
        assert_eq!(
            exception.to_string(),
            "OverBound: over the bound memory of 64MiB; a node started with --limit memory=VALUE raises it, up to 4GiB"
        );
    }

    #[test]
    fn each_way_to_be_stopped_has_its_own_end() {
        assert_eq!(next(Outcome::Stopped(StopReason::Revoked), 0), Next::Acknowledge);
        assert_eq!(next(Outcome::Stopped(StopReason::LeaseLost), 0), Next::Abandon);
        let given_back = Next::Again { step: Transition::Suspend, verdict: Verdict::GiveBack };
        assert_eq!(next(Outcome::Stopped(StopReason::Draining), 0), given_back);
        assert_eq!(
            next(Outcome::DeadlinePassed, 0),
            Next::Finish { state: State::Revoked, value: Value::Exception(Exception::Timeout), dead: None }
        );
    }
}
