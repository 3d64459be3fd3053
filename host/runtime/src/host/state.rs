//! `state`: JSON that the request keeps across its attempts.

use mogbox_core::limits::Bound;
use mogbox_core::{ContextError, Json};

use super::Answer;
use crate::bindings::mogbox::task::state;
use crate::convert;
use crate::guest::Guest;

impl state::Host for Guest {
    async fn get(&mut self, key: String) -> Answer<Option<String>> {
        self.usage.call(key.len())?;
        let answer = self.load(&key).await;
        self.reply_json(answer)
    }

    async fn set(&mut self, key: String, value: String) -> Answer<()> {
        self.usage.call(key.len().saturating_add(value.len()))?;
        let answer = self.store(&key, value).await;
        self.reply(answer, |()| 0, |()| ())
    }

    async fn pop(&mut self, key: String) -> Answer<Option<String>> {
        self.usage.call(key.len())?;
        let answer = self.remove(&key).await;
        self.reply_json(answer)
    }

    async fn clear(&mut self) -> Answer<()> {
        self.usage.call(0)?;
        let answer = self.remove_all().await;
        self.reply(answer, |()| 0, |()| ())
    }
}

impl Guest {
    fn reply_json(&mut self, answer: Result<Option<Json>, ContextError>) -> Answer<Option<String>> {
        self.reply(answer, |found| found.as_ref().map_or(0, Json::size), |found| found.map(|json| json.as_str().to_owned()))
    }

    async fn load(&mut self, key: &str) -> Result<Option<Json>, ContextError> {
        self.context()?.state(key).await
    }

    async fn store(&mut self, key: &str, value: String) -> Result<(), ContextError> {
        let context = self.context()?;
        let value = self.checked(value.len(), move |limits| convert::json(&value, Bound::State, limits)).await?;
        context.set_state(key, &value).await
    }

    async fn remove(&mut self, key: &str) -> Result<Option<Json>, ContextError> {
        self.context()?.pop_state(key).await
    }

    async fn remove_all(&mut self) -> Result<(), ContextError> {
        self.context()?.clear_state().await
    }
}
