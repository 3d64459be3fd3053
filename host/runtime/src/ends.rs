//! What ends a guest's call from outside, whether it spins or waits: the host's stop, the deadline, the bounds on wall time and
//! CPU time. A call that is cut short is dropped, and its sandbox is never entered again.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use cpu_time::ThreadTime;
use mogbox_core::executor::{Stop, StopReason};
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::{Facts, Outcome};
use tokio::time::Instant;

/// Why a call was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The host wants it so.
    Stopped(StopReason),
    /// The request's deadline passed.
    DeadlinePassed,
    /// Its time is up.
    OverBound(Bound),
}

impl Cut {
    pub(crate) fn outcome(self, limits: &Limits) -> Outcome {
        match self {
            Self::Stopped(reason) => Outcome::Stopped(reason),
            Self::DeadlinePassed => Outcome::DeadlinePassed,
            Self::OverBound(bound) => Outcome::OverBound { bound, limit: limits.show(bound) },
        }
    }
}

/// When a call ends, at the latest.
#[derive(Debug, Clone)]
pub(crate) struct Ends<'a> {
    stop: &'a Stop,
    deadline: Option<Instant>,
    wall_time: Option<Instant>,
}

impl<'a> Ends<'a> {
    /// The bound on wall time does not count yet.
    pub(crate) fn new(stop: &'a Stop, deadline: Option<Instant>) -> Self {
        Self { stop, deadline, wall_time: None }
    }

    /// Those of an attempt.
    pub(crate) fn of(facts: &'a Facts) -> Self {
        let deadline = facts.deadline.and_then(|deadline| Instant::from(facts.started).checked_add(deadline));
        Self::new(&facts.stop, deadline)
    }

    /// The bound on wall time counts from this moment.
    pub(crate) fn with_wall_time(self, from: Instant, longest: Duration) -> Self {
        Self { wall_time: from.checked_add(longest), ..self }
    }

    /// The call's answer, or what ended it. The host's stop counts before the deadline, that before the bound on wall time, and that
    /// before an answer.
    pub(crate) async fn race<F: Future>(&self, call: F) -> Result<F::Output, Cut> {
        if let Some(cut) = self.passed() {
            return Err(cut);
        }
        let mut call = pin!(call);
        // Most calls are answered at once, before any timer is set.
        if let Poll::Ready(answer) = futures::poll!(call.as_mut()) {
            return Ok(answer);
        }
        tokio::select! {
            biased;
            () = self.stop.forced() => Err(self.stopped()),
            () = reached(self.deadline) => Err(Cut::DeadlinePassed),
            () = reached(self.wall_time) => Err(Cut::OverBound(Bound::WallTime)),
            answer = call => Ok(answer),
        }
    }

    /// What has ended the call by now.
    pub(crate) fn passed(&self) -> Option<Cut> {
        if self.stop.is_forced() {
            return Some(self.stopped());
        }
        if self.deadline.is_none() && self.wall_time.is_none() {
            return None;
        }
        let now = Instant::now();
        let is_over = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        is_over(self.deadline).then_some(Cut::DeadlinePassed).or_else(|| is_over(self.wall_time).then_some(Cut::OverBound(Bound::WallTime)))
    }

    fn stopped(&self) -> Cut {
        Cut::Stopped(self.stop.reason().unwrap_or(StopReason::Draining))
    }
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// CPU time of a guest: what the thread used each time that it was polled, host functions included. The first time is taken from
/// the clock: it ends with the engine's next tick, and asking the system for the thread's time takes longer than most tasks. Whoever
/// works for the guest elsewhere has a clone, which is the same meter.
#[derive(Debug, Clone)]
pub(crate) struct CpuMeter {
    nanoseconds: Arc<AtomicU64>,
    limit: Duration,
}

impl CpuMeter {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { nanoseconds: Arc::default(), limit }
    }

    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    /// Polls the call to its end, or until it has used up its CPU time.
    pub(crate) async fn measure<F: Future>(&self, call: F) -> Result<F::Output, Cut> {
        let mut call = pin!(call);
        let mut polled_before = false;
        poll_fn(|context| {
            let before = if std::mem::replace(&mut polled_before, true) { Start::of_thread() } else { Start::of_clock() };
            let polled = call.as_mut().poll(context);
            self.add(before.elapsed());
            match polled {
                Poll::Ready(answer) => Poll::Ready(Ok(answer)),
                Poll::Pending if self.used() > self.limit => Poll::Ready(Err(Cut::OverBound(Bound::CpuTime))),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// More time that was used.
    pub(crate) fn add(&self, used: Duration) {
        self.nanoseconds.fetch_add(u64::try_from(used.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// When a poll began.
enum Start {
    Clock(std::time::Instant),
    Thread(ThreadTime),
}

impl Start {
    fn of_clock() -> Self {
        Self::Clock(std::time::Instant::now())
    }

    fn of_thread() -> Self {
        ThreadTime::try_now().map_or_else(|_| Self::of_clock(), Self::Thread)
    }

    fn elapsed(&self) -> Duration {
        match self {
            Self::Clock(start) => start.elapsed(),
            Self::Thread(start) => start.try_elapsed().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_counts_before_a_deadline_and_that_before_the_bound_on_wall_time() {
        let stop = Stop::new();
        let ends = Ends::new(&stop, Some(Instant::now())).with_wall_time(Instant::now(), Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(ends.race(std::future::pending::<()>()).await, Err(Cut::DeadlinePassed));
        stop.force(StopReason::Revoked);
        assert_eq!(ends.race(async {}).await, Err(Cut::Stopped(StopReason::Revoked)));
        let never = Stop::new();
        let ends = Ends::new(&never, None).with_wall_time(Instant::now(), Duration::ZERO);
        assert_eq!(ends.race(std::future::pending::<()>()).await, Err(Cut::OverBound(Bound::WallTime)));
    }

    #[tokio::test]
    async fn time_that_was_used_elsewhere_counts_as_the_guests_own() {
        let meter = CpuMeter::new(Duration::from_secs(60));
        meter.clone().add(Duration::from_secs(61));
        assert_eq!(meter.measure(std::future::pending::<()>()).await, Err(Cut::OverBound(Bound::CpuTime)));
    }
}
