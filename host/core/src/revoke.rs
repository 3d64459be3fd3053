//! Revocation: the request first, then everything below it, so that a tree stops from its root down. The REVOKED result is the
//! truth; the broadcast only makes nodes notice sooner.

use std::collections::{HashSet, VecDeque};

use jiff::Timestamp;

use crate::broker::{Broker, BrokerError, Control};
use crate::ids::{RequestId, Tenant};
use crate::limits::{Bound, Limits};
use crate::result::State;
use crate::store::{ResultStore, StoreError};

/// Requests that one revocation reaches at most.
pub const MAX_REVOKED: usize = 100_000;

/// Why a revocation did not reach everything. What it reached before stays revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// The result store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker failed: results are REVOKED, nodes learn of it when they next look.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// What a revocation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// The state of the request before; none where there was no result. A final one was left as it was.
    pub before: Option<State>,
    /// Requests that are REVOKED now and were not before, descendants included.
    pub revoked: usize,
    /// Whether every descendant was reached: false over [`MAX_REVOKED`] or deeper than the bound on ancestors.
    pub complete: bool,
}

/// Revokes a request and its descendants, as Mognet's client does. One that is final already is left alone with all below it, unless
/// `force` says to look for open ones there: it stays as it is all the same.
///
/// # Errors
/// Where store or broker failed for any of them; the others are revoked all the same.
pub async fn revoke(
    results: &dyn ResultStore,
    broker: &dyn Broker,
    tenant: &Tenant,
    id: RequestId,
    force: bool,
    limits: &Limits,
) -> Result<Revocation, RevokeError> {
    let reached = Revocation { before: None, revoked: 0, complete: true };
    let deepest = limits.length(Bound::Depth);
    let mut walk =
        Walk { results, broker, tenant, force, deepest, seen: HashSet::from([id]), below: VecDeque::new(), reached, failure: None };
    walk.reached.before = walk.revoke_one(id, 0).await;
    while let Some((parent, depth)) = walk.below.pop_front() {
        walk.revoke_children(parent, depth).await;
    }
    walk.failure.map_or(Ok(walk.reached), Err)
}

/// A walk down a tree of requests, level by level.
struct Walk<'a> {
    results: &'a dyn ResultStore,
    broker: &'a dyn Broker,
    tenant: &'a Tenant,
    force: bool,
    deepest: usize,
    seen: HashSet<RequestId>,
    /// Requests whose children are still to be revoked, with their depth below the first.
    below: VecDeque<(RequestId, usize)>,
    reached: Revocation,
    failure: Option<RevokeError>,
}

impl Walk<'_> {
    async fn revoke_children(&mut self, parent: RequestId, depth: usize) {
        let Some(children) = self.note(self.results.children(self.tenant, parent).await) else { return };
        for child in children {
            if depth >= self.deepest || self.seen.len() >= MAX_REVOKED {
                self.reached.complete = false;
                return;
            }
            if self.seen.insert(child) {
                self.revoke_one(child, depth + 1).await;
            }
        }
    }

    /// Revokes one request and returns the state it had. Where the store failed, nodes are told nothing, as they would find nothing
    /// revoked, and the walk goes on below it.
    async fn revoke_one(&mut self, id: RequestId, depth: usize) -> Option<State> {
        let answer = self.note(self.results.revoke(self.tenant, id, Timestamp::now()).await);
        let is_final = answer.flatten().is_some_and(State::is_final);
        if self.force || !is_final {
            self.below.push_back((id, depth));
        }
        if is_final {
            return answer.flatten();
        }
        let before = answer?;
        self.reached.revoked += 1;
        let message = Control::Revoke { tenant: self.tenant.clone(), id };
        self.note(self.broker.broadcast(&message).await);
        before
    }

    /// Keeps the first failure; the walk goes on without what failed.
    fn note<T, E: Into<RevokeError>>(&mut self, answer: Result<T, E>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.failure.get_or_insert_with(|| error.into());
                None
            }
        }
    }
}
