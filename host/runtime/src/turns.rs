//! Whose guest computes next. As many guests compute at once as there are threads; the others wait for a turn, and turns go round between
//! tenants by their weight: a hundred guests of one tenant that compute do not stand before the one of another, nor before the node's own
//! work. A turn is one poll, which the engine's clock ends after a millisecond. Whoever waits for something else holds no turn.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use mogbox_core::Tenant;

/// What a turn counts for a tenant of weight 1.
const STEP: u64 = 1 << 20;

/// The turns of a process.
#[derive(Debug)]
pub(crate) struct Turns(Mutex<Line>);

#[derive(Debug, Default)]
struct Line {
    /// Turns that nobody holds; none while anybody waits.
    free: usize,
    tenants: HashMap<Tenant, Account>,
    /// Tenants with guests that wait, by what they had.
    waiting: BTreeSet<(u64, Tenant)>,
    /// What the tenant had that was called last: who comes anew begins there, without credit for the time it was away.
    at: u64,
}

/// What one tenant had, by its weight, and its guests that wait.
#[derive(Debug)]
struct Account {
    had: u64,
    step: u64,
    guests: VecDeque<Arc<Mutex<Ticket>>>,
}

/// How a guest stands that had to wait.
#[derive(Debug)]
enum Ticket {
    Waiting(Waker),
    /// A turn is held for it.
    Called,
    /// It waits no more.
    Gone,
}

impl Turns {
    /// Turns for so many guests at once.
    pub(crate) fn new(threads: usize) -> Self {
        Self(Mutex::new(Line { free: threads.max(1), ..Line::default() }))
    }

    /// Does a guest's work, each poll of it in turn.
    pub(crate) async fn take<F: Future>(&self, tenant: &Tenant, weight: u32, work: F) -> F::Output {
        let mut work = pin!(work);
        let mut guest = Guest { turns: self, tenant, step: STEP / u64::from(weight.max(1)), ticket: None };
        poll_fn(|cx| {
            if !guest.enter(cx) {
                return Poll::Pending;
            }
            let _held = Held(self);
            work.as_mut().poll(cx)
        })
        .await
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing panics between the parts of a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a turn on to the next guest.
    fn leave(&self) {
        let called = self.line().call();
        if let Some(waker) = called {
            waker.wake();
        }
    }
}

/// A turn, given on at the end, whatever ends it.
struct Held<'a>(&'a Turns);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// One guest that takes turns.
struct Guest<'a> {
    turns: &'a Turns,
    tenant: &'a Tenant,
    step: u64,
    ticket: Option<Arc<Mutex<Ticket>>>,
}

impl Guest<'_> {
    /// Whether it is this guest's turn; if not, it is woken once it is.
    fn enter(&mut self, cx: &Context<'_>) -> bool {
        if let Some(ticket) = &self.ticket {
            let mut ticket = locked(ticket);
            if let Ticket::Waiting(waker) = &mut *ticket {
                waker.clone_from(cx.waker());
                return false;
            }
            drop(ticket);
            self.ticket = None;
            return true;
        }
        self.ticket = self.turns.line().enter(self.tenant, self.step, cx.waker());
        self.ticket.is_none()
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        let before = self.ticket.take().map(|ticket| std::mem::replace(&mut *locked(&ticket), Ticket::Gone));
        if matches!(before, Some(Ticket::Called)) {
            self.turns.leave();
        }
    }
}

impl Line {
    /// Takes a free turn, or else a ticket to wait with.
    fn enter(&mut self, tenant: &Tenant, step: u64, waker: &Waker) -> Option<Arc<Mutex<Ticket>>> {
        if self.free > 0 {
            self.free -= 1;
            return None;
        }
        let ticket = Arc::new(Mutex::new(Ticket::Waiting(waker.clone())));
        let account = self.tenants.entry(tenant.clone()).or_insert_with(|| Account { had: 0, step, guests: VecDeque::new() });
        if account.guests.is_empty() {
            account.had = account.had.max(self.at);
            self.waiting.insert((account.had, tenant.clone()));
        }
        account.step = step;
        account.guests.push_back(Arc::clone(&ticket));
        Some(ticket)
    }

    /// Calls the first guest of the tenant that had least; frees the turn where nobody waits.
    fn call(&mut self) -> Option<Waker> {
        while let Some((had, tenant)) = self.waiting.pop_first() {
            let Some(account) = self.tenants.get_mut(&tenant) else { continue };
            self.at = self.at.max(had);
            let called = account.guests.pop_front().and_then(|ticket| called(&ticket));
            if called.is_some() {
                account.had = had.saturating_add(account.step);
            }
            if !account.guests.is_empty() {
                self.waiting.insert((account.had, tenant));
            }
            if called.is_some() {
                return called;
            }
        }
        // Nobody computes more than there are threads for: what any of them had is of no account.
        self.tenants.clear();
        self.at = 0;
        self.free += 1;
        None
    }
}

/// Calls a guest, if it still waits.
fn called(ticket: &Mutex<Ticket>) -> Option<Waker> {
    let mut ticket = locked(ticket);
    match std::mem::replace(&mut *ticket, Ticket::Called) {
        Ticket::Waiting(waker) => Some(waker),
        other => {
            *ticket = other;
            None
        }
    }
}

fn locked(ticket: &Mutex<Ticket>) -> MutexGuard<'_, Ticket> {
    ticket.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use futures::FutureExt as _;
    use futures::stream::{FuturesUnordered, StreamExt as _};

    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    /// Work that takes so many polls, each of which is noted.
    async fn compute(polls: usize, name: &'static str, order: Rc<RefCell<Vec<&'static str>>>) {
        let mut left = polls;
        poll_fn(|cx| {
            order.borrow_mut().push(name);
            left -= 1;
            // Ready again at once, as a guest is that computes.
            cx.waker().wake_by_ref();
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Runs guests, given by tenant, weight, number and polls of each, and returns whose turn it was, in order.
    fn run(guests: &[(&'static str, u32, usize, usize)]) -> Vec<&'static str> {
        let (turns, order) = (Turns::new(1), Rc::default());
        let each = guests.iter().flat_map(|(name, weight, number, polls)| (0..*number).map(move |_| (*name, *weight, *polls)));
        let tenants: Vec<_> = each.map(|(name, weight, polls)| (tenant(name), weight, polls, name)).collect();
        let mut all: FuturesUnordered<_> = tenants
            .iter()
            .map(|(tenant, weight, polls, name)| turns.take(tenant, *weight, compute(*polls, name, Rc::clone(&order))))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            // Somebody holds the only turn while all of them come.
            assert!(turns.line().enter(&tenant("first"), STEP, futures::task::noop_waker_ref()).is_none());
            assert!(futures::poll!(all.next()).is_pending());
            turns.leave();
            all.for_each(|()| async {}).await;
        });
        assert_eq!(turns.line().free, 1);
        assert!(turns.line().waiting.is_empty());
        order.take()
    }

    #[test]
    fn one_guest_does_not_wait_behind_a_hundred_of_another_tenant() {
        let order = run(&[("loud", 1, 100, 10), ("quiet", 1, 1, 10)]);
        let last = order.iter().rposition(|name| *name == "quiet").unwrap();
        assert!(last < 200 && order.len() == 1_010, "its tenth turn was number {last} of {}", order.len());
    }

    #[test]
    fn turns_follow_the_weights() {
        let order = run(&[("one", 1, 5, 100), ("four", 4, 5, 400)]);
        let among = &order[100..1_100];
        let four = among.iter().filter(|name| **name == "four").count();
        assert!((780..=820).contains(&four), "{four} of 1000 turns where 800 are due");
    }

    #[test]
    fn a_guest_that_goes_away_gives_its_turn_on() {
        let (turns, [a, b]) = (Turns::new(1), [tenant("a"), tenant("b")]);
        let waits = |tenant| turns.take(tenant, 1, std::future::pending::<()>());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let held = turns.line().enter(&a, STEP, futures::task::noop_waker_ref());
            assert!(held.is_none());
            let (mut first, mut second) = (Box::pin(waits(&a)), Box::pin(waits(&b)));
            assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
            turns.leave();
            drop(first);
            drop(second);
            assert_eq!(turns.line().free, 1);
        });
    }
}
