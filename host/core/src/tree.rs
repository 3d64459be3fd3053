//! A request with what it submitted, level by level, within bounds.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::ids::{RequestId, Tenant};
use crate::result::RequestResult;
use crate::store::{ResultStore, StoreError};

/// Requests of one tree at most.
pub const MOST: usize = 10_000;

/// How much of a tree is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Levels, the request itself counted: from 1.
    pub depth: usize,
    /// Children of each request.
    pub width: usize,
}

/// A request with what it submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The request.
    pub result: RequestResult,
    /// What it submitted, in the order in which it did.
    pub children: Vec<Tree>,
    /// Children that are not here: too many, too deep, or their results are gone.
    pub left_off: usize,
}

/// Reads a request and its descendants; none where there is no such request.
///
/// # Errors
/// Where the store fails.
pub async fn tree(results: &dyn ResultStore, tenant: &Tenant, id: RequestId, extent: Extent) -> Result<Option<Tree>, StoreError> {
    let Some(root) = results.read(tenant, &[id]).await?.pop().flatten() else { return Ok(None) };
    let mut walk = Walk { results, tenant, extent, seen: HashSet::from([id]), children: HashMap::new() };
    let mut level = vec![id];
    for depth in 1..=extent.depth {
        level = walk.descend(&level, depth == extent.depth).await?;
    }
    Ok(Some(walk.assemble(root)))
}

/// What a request submitted, as far as it was read.
#[derive(Default)]
struct Below {
    results: Vec<RequestResult>,
    left_off: usize,
}

struct Walk<'a> {
    results: &'a dyn ResultStore,
    tenant: &'a Tenant,
    extent: Extent,
    /// A request that is its own ancestor, which only a stranger's hand can bring about, is there once.
    seen: HashSet<RequestId>,
    children: HashMap<RequestId, Below>,
}

impl Walk<'_> {
    /// Reads what these submitted; returns the requests of the next level. Below the last level they are only counted.
    async fn descend(&mut self, level: &[RequestId], last: bool) -> Result<Vec<RequestId>, StoreError> {
        let mut next = Vec::new();
        for parent in level {
            let mut ids = self.results.children(self.tenant, *parent).await?;
            ids.sort_unstable();
            let all = ids.len();
            let room = if last { 0 } else { self.extent.width.min(MOST.saturating_sub(self.seen.len())) };
            let taken: Vec<_> = ids.into_iter().filter(|id| self.seen.insert(*id)).take(room).collect();
            let mut results: Vec<RequestResult> = match taken.as_slice() {
                [] => Vec::new(),
                ids => self.results.read(self.tenant, ids).await?.into_iter().flatten().collect(),
            };
            results.sort_by_key(|result| (result.created, result.id));
            next.extend(results.iter().map(|result| result.id));
            let left_off = all - results.len();
            self.children.insert(*parent, Below { results, left_off });
        }
        Ok(next)
    }

    fn assemble(&mut self, result: RequestResult) -> Tree {
        let Below { results, left_off } = self.children.remove(&result.id).unwrap_or_default();
        let children = results.into_iter().map(|child| self.assemble(child)).collect();
        Tree { result, children, left_off }
    }
}
