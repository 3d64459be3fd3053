//! How many requests of an application a node could run now and has not been handed: as many are moved from RabbitMQ, and no more, so that
//! what waits lies where Mognet's clients count it, purge it, and leave it to other workers. A node of several applications keeps
//! some of each ready: whose turn it is can only be told among those that are there.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Calls whose places are kept filled in stock: so many may be made before what was taken is there again.
const CALLS_AHEAD: usize = 4;

/// Of one application: shared by the calls for work, which tell how many places are free, and by what moves requests to fill them.
#[derive(Default)]
pub(super) struct Demand {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Whether some are kept ready.
    ahead: bool,
    /// Places of the call that waits for work.
    receiving: usize,
    /// Places that the last other call could not fill.
    beside: usize,
    /// The most places that a call had.
    most: usize,
    /// Requests that are being moved.
    moving: usize,
    /// Requests that were moved and not handed out yet, as far as this node knows.
    stock: usize,
    /// Requests that were ever moved.
    moved: u64,
    /// Pumps that RabbitMQ sends messages to.
    pumping: usize,
    /// Whether the node takes nothing more.
    closed: bool,
}

impl State {
    fn free(&self) -> usize {
        let places = self.receiving + self.beside;
        let wanted = if self.ahead { places.max(CALLS_AHEAD * self.most) } else { places };
        if self.closed { 0 } else { wanted.saturating_sub(self.stock + self.moving) }
    }
}

/// A call for work under way.
pub(super) struct Call {
    places: usize,
    waits: bool,
    moved_before: u64,
}

impl Demand {
    /// Nothing is wanted before the first call. `ahead` keeps some ready.
    pub(super) fn new(ahead: bool) -> Self {
        Self { state: Mutex::new(State { ahead, ..State::default() }), changed: Notify::default() }
    }

    /// A call for work begins, with so many places to fill; one that waits fills them when something comes.
    pub(super) fn begins(&self, places: usize, waits: bool) -> Call {
        let mut state = self.lock();
        // Each call takes all places that are free along.
        state.beside = 0;
        state.most = state.most.max(places);
        if waits {
            state.receiving = places;
        }
        let moved_before = state.moved;
        drop(state);
        self.changed.notify_waiters();
        Call { places, waits, moved_before }
    }

    /// It brought so many requests of the application, and left so many places free.
    pub(super) fn ends(&self, call: &Call, brought: usize, free: usize) {
        let mut state = self.lock();
        state.stock = if free > 0 && brought < call.places {
            // There was nothing more, but for what was moved meanwhile.
            usize::try_from(state.moved - call.moved_before).unwrap_or(usize::MAX).saturating_sub(brought)
        } else {
            state.stock.saturating_sub(brought)
        };
        if call.waits {
            state.receiving = 0;
        }
        state.beside = free.min(call.places.saturating_sub(brought));
        drop(state);
        self.changed.notify_waiters();
    }

    /// Waits until a place is free, and takes up to `most`: so many requests are moved next.
    pub(super) async fn take(&self, most: usize) -> usize {
        self.until(|state| {
            let taken = state.free().min(most);
            state.moving += taken;
            (taken > 0).then_some(taken)
        })
        .await
    }

    /// Of those taken, so many were moved; for the others there was nothing.
    pub(super) fn done(&self, taken: usize, moved: usize) {
        let mut state = self.lock();
        state.moving = state.moving.saturating_sub(taken);
        state.stock += moved;
        state.moved += moved as u64;
        drop(state);
        self.changed.notify_waiters();
    }

    /// Waits until no place has been free for so long, or the node takes nothing more.
    pub(super) async fn gone(&self, span: Duration) {
        loop {
            let closed = self.until(|state| (state.free() == 0).then_some(state.closed)).await;
            let closing = self.until(|state| (state.closed || state.free() > 0).then_some(state.closed));
            if closed || tokio::time::timeout(span, closing).await.unwrap_or(true) {
                return;
            }
        }
    }

    /// Notes that RabbitMQ sends messages, until what it returns is dropped.
    pub(super) fn pumping(&self) -> Pumping<'_> {
        self.lock().pumping += 1;
        Pumping(self)
    }

    /// The node takes nothing more: returns when RabbitMQ sends it nothing any more.
    pub(super) async fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
        self.until(|state| (state.pumping == 0).then_some(())).await;
    }

    /// Waits until a place is free.
    pub(super) async fn some(&self) {
        self.until(|state| (state.free() > 0).then_some(())).await;
    }

    /// The most requests that may be in stock at a time; at least one.
    pub(super) fn most(&self) -> usize {
        let state = self.lock();
        state.most.max(1) * if state.ahead { CALLS_AHEAD } else { 1 }
    }

    async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            // Before the look, so that no change after it is missed.
            let changed = self.changed.notified();
            if let Some(found) = look(&mut self.lock()) {
                return found;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change under this lock is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Demand::pumping`].
pub(super) struct Pumping<'a>(&'a Demand);

impl Drop for Pumping<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.pumping = state.pumping.saturating_sub(1);
        drop(state);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const SOON: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn as_many_are_moved_as_there_are_places_and_no_more() {
        let demand = Demand::default();
        assert_eq!(demand.take(9).now_or_never(), None);
        let call = demand.begins(3, true);
        assert_eq!((demand.take(2).await, demand.take(9).await, demand.take(9).now_or_never()), (2, 1, None));
        demand.done(3, 3);
        assert_eq!(demand.take(9).now_or_never(), None);
        demand.ends(&call, 3, 0);
        demand.gone(SOON).await;
    }

    #[tokio::test]
    async fn what_was_moved_and_not_found_yet_is_not_moved_twice() {
        let demand = Demand::default();
        let call = demand.begins(1, false);
        demand.ends(&call, 0, 1);
        let taken = demand.take(1).await;
        demand.done(taken, 1);
        let waiting = demand.begins(1, true);
        assert_eq!(demand.take(1).now_or_never(), None);
        // Another node has taken it: this one finds nothing, and asks for more.
        demand.ends(&waiting, 0, 1);
        demand.begins(1, true);
        assert_eq!(demand.take(1).await, 1);
    }

    #[tokio::test]
    async fn what_was_moved_while_a_call_was_under_way_counts_after_it() {
        let demand = Demand::default();
        let call = demand.begins(2, false);
        demand.begins(2, true);
        let taken = demand.take(1).await;
        demand.done(taken, 1);
        demand.ends(&call, 0, 2);
        // Two places wait and two were left over; one request is there already.
        assert_eq!(demand.take(9).await, 3);
    }

    #[tokio::test]
    async fn a_node_that_takes_nothing_more_waits_for_those_that_move_and_has_no_place() {
        let demand = Demand::default();
        demand.begins(4, true);
        let pumping = demand.pumping();
        assert_eq!(demand.close().now_or_never(), None);
        demand.gone(Duration::from_secs(3_600)).await;
        assert_eq!(demand.take(1).now_or_never(), None);
        drop(pumping);
        demand.close().await;
    }

    #[tokio::test]
    async fn places_for_which_there_was_nothing_are_free_again() {
        let demand = Demand::default();
        demand.begins(4, true);
        let taken = demand.take(4).await;
        demand.done(taken, 1);
        assert_eq!((demand.take(9).await, demand.most()), (3, 4));
        tokio::time::timeout(SOON, demand.some()).await.unwrap_err();
    }

    #[tokio::test]
    async fn what_others_took_the_places_of_stays_in_stock() {
        let demand = Demand::new(true);
        let call = demand.begins(4, false);
        demand.ends(&call, 0, 4);
        let taken = demand.take(99).await;
        demand.done(taken, 16);
        // Three places went to requests of another application.
        let call = demand.begins(4, false);
        demand.ends(&call, 1, 0);
        assert_eq!((demand.take(9).await, demand.take(9).now_or_never()), (1, None));
    }
}
