//! Where guests compute, and whose turn it is. A guest that computes for longer than a moment leaves the threads that serve the node's
//! own work for threads kept for guests. There a turn is one poll, which the engine's clock ends after a millisecond, and turns go
//! round between tenants by the time that they took and by their weights: a hundred guests of one tenant that compute do not stand before
//! the one of another.

mod line;
mod pace;
mod task;
mod threads;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use mogbox_core::Tenant;
use tokio::sync::oneshot;

use task::Task;
use threads::Threads;

pub(crate) use pace::Pace;

/// A poll that takes as long ended with the engine's clock, as a rule: the guest computes.
const COMPUTES: Duration = Duration::from_micros(500);

/// The turns of a process.
#[derive(Debug)]
pub(crate) struct Turns(Arc<Threads>);

/// Whose turns a guest takes, and how long those of its module take.
#[derive(Debug)]
pub(crate) struct Whose<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) weight: u32,
    pub(crate) pace: &'a Arc<Pace>,
}

impl Turns {
    /// Turns for so many guests at once. Their threads start when they are needed.
    pub(crate) fn new(threads: usize) -> Self {
        Self(Threads::new(threads))
    }

    /// Does a guest's work: here as long as it takes but moments, elsewhere from then on. None where it panicked.
    pub(crate) async fn serve<T: Send + 'static>(&self, whose: Whose<'_>, mut work: BoxFuture<'static, T>) -> Option<T> {
        if whose.pace.is_quick() {
            let here = poll_fn(|cx| {
                let began = Instant::now();
                let polled = work.as_mut().poll(cx);
                let took = began.elapsed();
                whose.pace.note(took);
                match polled {
                    Poll::Ready(done) => Poll::Ready(Some(done)),
                    Poll::Pending if took >= COMPUTES || !whose.pace.is_quick() => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            });
            if let Some(done) = here.await {
                return Some(done);
            }
        }
        let (sender, receiver) = oneshot::channel();
        let work = async move { drop(sender.send(work.await)) };
        let _given_up = GivenUp(Task::start(&self.0, &whose, Box::pin(work)));
        receiver.await.ok()
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Ends the work of a guest that nobody waits for any more.
struct GivenUp(Arc<Task>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn slow() -> Arc<Pace> {
        let pace = Pace::unknown();
        pace.note(COMPUTES);
        pace
    }

    /// Computes for so many polls of a little more than a moment.
    async fn compute(polls: usize) -> std::thread::ThreadId {
        for _ in 0..polls {
            let began = Instant::now();
            while began.elapsed() < COMPUTES + Duration::from_micros(50) {}
            tokio::task::yield_now().await;
        }
        std::thread::current().id()
    }

    #[tokio::test]
    async fn what_takes_a_moment_is_done_here_and_what_computes_elsewhere() {
        let (turns, tenant, pace) = (Turns::new(2), "t".parse().unwrap(), Pace::unknown());
        pace.note(Duration::ZERO);
        let whose = || Whose { tenant: &tenant, weight: 1, pace: &pace };
        let here = std::thread::current().id();
        let quick = turns.serve(whose(), Box::pin(async { std::thread::current().id() })).await;
        assert_eq!(quick, Some(here));
        assert_ne!(turns.serve(whose(), Box::pin(compute(3))).await, Some(here));
        // It is known by now that this module's guests compute.
        assert!(!pace.is_quick());
        assert_ne!(turns.serve(whose(), Box::pin(async { std::thread::current().id() })).await, Some(here));
    }

    #[tokio::test]
    async fn timers_and_messages_wake_a_guest_elsewhere() {
        let (turns, tenant, pace) = (Turns::new(1), "t".parse().unwrap(), slow());
        let (sender, receiver) = oneshot::channel();
        let waits = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            receiver.await.unwrap()
        };
        let sends = async {
            tokio::time::sleep(Duration::from_millis(3)).await;
            sender.send(7).unwrap();
        };
        let whose = Whose { tenant: &tenant, weight: 1, pace: &pace };
        let (got, ()) = tokio::join!(turns.serve(whose, Box::pin(waits)), sends);
        assert_eq!(got, Some(7));
    }

    #[tokio::test]
    async fn a_panic_ends_one_guest_and_no_thread() {
        let (turns, tenant, pace) = (Turns::new(1), "t".parse().unwrap(), slow());
        let whose = || Whose { tenant: &tenant, weight: 1, pace: &pace };
        for _ in 0..3 {
            assert_eq!(turns.serve::<()>(whose(), Box::pin(async { panic!("on purpose") })).await, None);
        }
        assert_eq!(turns.serve(whose(), Box::pin(async { 1 })).await, Some(1));
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_dropped() {
        struct Alive(Arc<AtomicUsize>);
        impl Drop for Alive {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::AcqRel);
            }
        }
        let (turns, tenant, pace, alive) = (Turns::new(1), "t".parse().unwrap(), slow(), Arc::new(AtomicUsize::new(2)));
        let whose = || Whose { tenant: &tenant, weight: 1, pace: &pace };
        let (waiting, computing) = (Alive(Arc::clone(&alive)), Alive(Arc::clone(&alive)));
        let waits = async move {
            let _waiting = waiting;
            std::future::pending::<()>().await;
        };
        let computes = async move {
            let _computing = computing;
            compute(usize::MAX).await;
        };
        let both = async { tokio::join!(turns.serve(whose(), Box::pin(waits)), turns.serve(whose(), Box::pin(computes))) };
        assert!(tokio::time::timeout(Duration::from_millis(20), both).await.is_err());
        while alive.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
