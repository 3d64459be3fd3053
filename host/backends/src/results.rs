//! What the result stores share: the first result of a request, and waiting. Knows no store.

use std::collections::HashSet;
use std::future::Future;

use jiff::Timestamp;
use mogbox_core::ids::{RequestId, Tenant};
use mogbox_core::request::Request;
use mogbox_core::result::{RequestResult, State};
use mogbox_core::store::{Beginning, Begun, StoreError, WaitMode};
use mogbox_core::wire::result::truncate;

use crate::error::BackendError;
use crate::topics::Topics;

/// Bytes of the arguments' text that are kept; it is for people only.
const MAX_KWARGS_REPR: usize = 16 << 10;

/// Results of one question to a store.
pub(crate) const CHUNK: usize = 256;

/// Children of a request that are ever read; more is not what we or Mognet write.
pub(crate) const MAX_CHILDREN: usize = 250_000;

/// Results that somebody waits for.
pub(crate) type Waiting = Topics<(Tenant, RequestId)>;

/// The result of a request that was just submitted.
pub(crate) fn pending(request: &Request, at: Timestamp) -> RequestResult {
    RequestResult {
        name: Some(request.name.to_string()),
        parent_id: request.parent(),
        created: Some(truncate(at)),
        request_kwargs_repr: request.kwargs_repr.as_deref().map(beginning),
        ..blank(request.id, State::Pending)
    }
}

/// The result of a request that was revoked before it was known.
pub(crate) fn revoked(id: RequestId, at: Timestamp) -> RequestResult {
    RequestResult { number_of_stops: 1, finished: Some(truncate(at)), ..blank(id, State::Revoked) }
}

fn blank(id: RequestId, state: State) -> RequestResult {
    RequestResult {
        id,
        name: None,
        state,
        number_of_starts: 0,
        number_of_stops: 0,
        parent_id: None,
        created: None,
        started: None,
        finished: None,
        node_id: None,
        request_kwargs_repr: None,
        retries: 0,
    }
}

fn beginning(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_KWARGS_REPR)).unwrap_or_default().to_owned()
}

/// Waits until results are final as `mode` says, and reads them. It listens first and looks then, so that no news is lost.
pub(crate) async fn wait<F, L>(
    waiting: &Waiting,
    tenant: &Tenant,
    ids: &[RequestId],
    mode: WaitMode,
    listen: impl AsyncFnOnce(Vec<(Tenant, RequestId)>) -> L,
    read: impl Fn(Vec<RequestId>) -> F,
) -> Result<Vec<Option<RequestResult>>, StoreError>
where
    F: Future<Output = Result<Vec<Option<RequestResult>>, StoreError>>,
{
    let distinct: HashSet<RequestId> = ids.iter().copied().collect();
    let keys: Vec<(Tenant, RequestId)> = distinct.iter().map(|id| (tenant.clone(), *id)).collect();
    let listener = waiting.listen(keys.clone());
    let _listening = listen(keys).await;
    let mut results = read(ids.to_vec()).await?;
    let mut open: HashSet<RequestId> = ids.iter().zip(&results).filter(|(_, result)| !is_final(result)).map(|(id, _)| *id).collect();
    let satisfied = |open: &HashSet<RequestId>| match mode {
        WaitMode::All => open.is_empty(),
        WaitMode::Any => ids.is_empty() || open.len() < distinct.len(),
    };
    while !satisfied(&open) {
        let news: Vec<RequestId> = listener.notified().await.into_iter().map(|(_, id)| id).filter(|id| open.contains(id)).collect();
        let found = read(news.clone()).await?;
        news.iter().zip(&found).filter(|(_, result)| is_final(result)).for_each(|(id, _)| {
            open.remove(id);
        });
        if satisfied(&open) {
            // Whoever waits for one has read it with the news.
            results = if news == ids { found } else { read(ids.to_vec()).await? };
        }
    }
    Ok(results)
}

/// The answers of a call for several things: its own error is that of each.
pub(crate) fn each<T>(answers: Result<Vec<Result<T, StoreError>>, BackendError>, count: usize) -> Vec<Result<T, StoreError>> {
    answers.unwrap_or_else(|error| {
        let error = StoreError::from(error);
        (0..count).map(|_| Err(error.clone())).collect()
    })
}

/// What makes no sense is the answer for that one thing; any other error is the whole call's, of which nothing is stored.
pub(crate) fn apart<T>(answer: Result<T, BackendError>) -> Result<Result<T, StoreError>, BackendError> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(BackendError::Malformed(text)) => Ok(Err(StoreError::Malformed(text))),
        Err(error) => Err(error),
    }
}

/// How a result stands: what steps depend on.
pub(crate) struct Standing {
    pub(crate) state: State,
    pub(crate) attempt: u32,
    pub(crate) starts: u32,
    pub(crate) stops: u32,
    pub(crate) retries: u32,
}

/// What becomes of a beginning whose result stands so, none where there is no result. `revoked` says of an ancestor whether it was
/// revoked, none where it does not exist.
pub(crate) fn begun<E>(
    one: &Beginning,
    standing: Option<&Standing>,
    mut revoked: impl FnMut(RequestId) -> Result<Option<bool>, E>,
) -> Result<Begun, E> {
    let Some(standing) = standing else { return Ok(Begun::Missing) };
    if standing.state.is_final() {
        return Ok(Begun::Final(standing.state));
    }
    if one.fence < standing.attempt {
        return Ok(Begun::Fenced);
    }
    let unexpected = standing.starts.saturating_sub(standing.stops).max(one.expiries);
    if unexpected > one.max_unexpected {
        return Ok(Begun::TooManyRetries(unexpected));
    }
    for ancestor in one.ancestors.iter().copied() {
        match revoked(ancestor)? {
            Some(false) => {}
            found => return Ok(Begun::Orphaned { ancestor, revoked: found.is_some() }),
        }
    }
    Ok(Begun::Admitted { retries: standing.retries })
}

fn is_final(result: &Option<RequestResult>) -> bool {
    result.as_ref().is_none_or(|result| result.state.is_final())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let mut request = Request::new("a".parse().unwrap());
        request.kwargs_repr = Some("é".repeat(MAX_KWARGS_REPR));
        let text = pending(&request, Timestamp::UNIX_EPOCH).request_kwargs_repr.unwrap();
        assert_eq!(text, "é".repeat(MAX_KWARGS_REPR / 2));
    }
}
