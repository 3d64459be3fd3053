//! What ends a guest's call from outside, whether it spins or waits: the host's stop, the deadline, the bounds on wall time and
//! CPU time. A call that is cut short is dropped, and its sandbox is never entered again.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use cpu_time::ThreadTime;
use mogbox_core::Outcome;
use mogbox_core::executor::{Stop, StopReason};
use mogbox_core::limits::{Bound, Limits};
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
pub(crate) struct Ends {
    stop: Stop,
    deadline: Option<Instant>,
    wall_time: Option<Instant>,
}

impl Ends {
    /// The deadline counts from now; the bound on wall time does not count yet.
    pub(crate) fn new(stop: Stop, deadline: Option<Duration>) -> Self {
        Self { stop, deadline: deadline.and_then(from_now), wall_time: None }
    }

    /// The bound on wall time counts from now.
    pub(crate) fn with_wall_time(self, longest: Duration) -> Self {
        Self { wall_time: from_now(longest), ..self }
    }

    /// The call's answer, or what ended it.
    pub(crate) async fn race<F: Future>(&self, call: F) -> Result<F::Output, Cut> {
        // In this order, the host's stop counts before the deadline, and the deadline before the bound on wall time.
        tokio::select! {
            biased;
            () = self.stop.forced() => Err(Cut::Stopped(self.stop.reason().unwrap_or(StopReason::Draining))),
            () = reached(self.deadline) => Err(Cut::DeadlinePassed),
            () = reached(self.wall_time) => Err(Cut::OverBound(Bound::WallTime)),
            answer = call => Ok(answer),
        }
    }
}

fn from_now(duration: Duration) -> Option<Instant> {
    Instant::now().checked_add(duration)
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// CPU time of a guest: what the thread used each time that it was polled, host functions included.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    nanoseconds: AtomicU64,
    limit: Duration,
}

impl CpuMeter {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { nanoseconds: AtomicU64::new(0), limit }
    }

    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    /// Polls the call to its end, or until it has used up its CPU time.
    pub(crate) async fn measure<F: Future>(&self, call: F) -> Result<F::Output, Cut> {
        let mut call = pin!(call);
        poll_fn(|context| {
            let before = ThreadTime::try_now();
            let polled = call.as_mut().poll(context);
            self.add(before.and_then(|before| before.try_elapsed()).unwrap_or_default());
            match polled {
                Poll::Ready(answer) => Poll::Ready(Ok(answer)),
                Poll::Pending if self.used() > self.limit => Poll::Ready(Err(Cut::OverBound(Bound::CpuTime))),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    fn add(&self, used: Duration) {
        self.nanoseconds.fetch_add(u64::try_from(used.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_counts_before_a_deadline_and_that_before_the_bound_on_wall_time() {
        let stop = Stop::new();
        let ends = Ends::new(stop.clone(), Some(Duration::ZERO)).with_wall_time(Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(ends.race(std::future::pending::<()>()).await, Err(Cut::DeadlinePassed));
        stop.force(StopReason::Revoked);
        assert_eq!(ends.race(async {}).await, Err(Cut::Stopped(StopReason::Revoked)));
        let ends = Ends::new(Stop::new(), None).with_wall_time(Duration::ZERO);
        assert_eq!(ends.race(std::future::pending::<()>()).await, Err(Cut::OverBound(Bound::WallTime)));
    }
}
