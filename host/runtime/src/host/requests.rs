//! `requests`: children of the request that runs.

use std::collections::HashSet;
use std::time::Duration;

use mogbox_core::context::{ChildOutcome, MAX_WAIT_IDS};
use mogbox_core::{ContextError, RequestId};

use super::Answer;
use crate::bindings::mogbox::task::requests;
use crate::convert;
use crate::guest::Guest;

/// Bytes of an id's text.
const ID_SIZE: usize = 36;

impl requests::Host for Guest {
    async fn submit(&mut self, child: requests::NewRequest) -> Answer<String> {
        self.usage.call(convert::child_size(&child))?;
        let answer = self.submit_child(child).await;
        self.reply(answer, |_| ID_SIZE, |id| id.to_string())
    }

    async fn wait(&mut self, ids: Vec<String>, until: requests::WaitMode, timeout_ms: Option<u64>) -> Answer<Vec<requests::ChildOutcome>> {
        self.usage.call(convert::texts_size(&ids))?;
        let answer = self.wait_for(&ids, until, timeout_ms).await;
        let size = |outcomes: &Vec<ChildOutcome>| outcomes.iter().map(convert::child_outcome_size).sum();
        self.reply(answer, size, |outcomes| outcomes.into_iter().map(convert::guest_child_outcome).collect())
    }
}

impl Guest {
    async fn submit_child(&mut self, child: requests::NewRequest) -> Result<RequestId, ContextError> {
        let context = self.context()?;
        let child = self.checked(convert::child_size(&child), |limits| convert::child(child, limits)).await?;
        context.submit(child).await
    }

    async fn wait_for(
        &mut self,
        ids: &[String],
        until: requests::WaitMode,
        timeout_ms: Option<u64>,
    ) -> Result<Vec<ChildOutcome>, ContextError> {
        let context = self.context()?;
        if ids.len() > MAX_WAIT_IDS {
            return Err(ContextError::Limit(format!("{} ids to wait for, at most {MAX_WAIT_IDS} are allowed", ids.len())));
        }
        let ids = convert::request_ids(ids)?;
        check_distinct(&ids)?;
        context.wait(&ids, convert::wait_mode(until), timeout_ms.map(Duration::from_millis)).await
    }
}

/// An id that comes twice would have its value read and copied twice, for one name that the guest paid for.
fn check_distinct(ids: &[RequestId]) -> Result<(), ContextError> {
    let mut seen = HashSet::new();
    match ids.iter().find(|id| !seen.insert(**id)) {
        Some(twice) => Err(ContextError::Invalid(format!("id {twice} is there more than once: expected each child once"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_comes_twice_is_named() {
        let (one, other) = (RequestId::random(), RequestId::random());
        check_distinct(&[one, other]).unwrap();
        let error = check_distinct(&[one, other, one]).unwrap_err();
        assert_eq!(error.to_string(), format!("invalid: id {one} is there more than once: expected each child once"));
    }
}
