//! `context`: the request that runs, and the metadata of its result.

use mogbox_core::limits::Bound;
use mogbox_core::{ContextError, Entries, Json};

use super::Answer;
use crate::bindings::mogbox::task::{context, types};
use crate::convert;
use crate::guest::{Guest, World};

impl context::Host for Guest {
    async fn get_request(&mut self) -> wasmtime::Result<types::Request> {
        self.usage.call(0)?;
        match &self.world {
            World::Attempt(context) => {
                self.usage.answer(convert::request_size(context.facts()))?;
                Ok(convert::guest_request(context.facts()))
            }
            World::Describe => Err(wasmtime::Error::msg("describe called get-request, but no request runs")),
        }
    }

    async fn get_metadata(&mut self, key: String) -> Answer<Option<String>> {
        self.usage.call(key.len())?;
        let answer = self.metadata(&key).await;
        self.reply(answer, |found| found.as_ref().map_or(0, Json::size), |found| found.map(|json| json.as_str().to_owned()))
    }

    async fn list_metadata(&mut self) -> Answer<Vec<types::Entry>> {
        self.usage.call(0)?;
        let answer = self.all_metadata().await;
        self.reply(answer, Entries::size, |entries| convert::guest_entries(&entries))
    }

    async fn set_metadata(&mut self, entries: Vec<types::Entry>) -> Answer<()> {
        self.usage.call(convert::entries_size(&entries))?;
        let answer = self.store_metadata(entries).await;
        self.reply(answer, |()| 0, |()| ())
    }

    async fn cancelled(&mut self) -> wasmtime::Result<bool> {
        self.usage.call(0)?;
        Ok(self.context().is_ok_and(|context| context.facts().cancelled()))
    }

    async fn remaining_ms(&mut self) -> wasmtime::Result<Option<u64>> {
        self.usage.call(0)?;
        Ok(self.context().ok().map(|context| convert::milliseconds(context.facts().remaining())))
    }
}

impl Guest {
    async fn metadata(&mut self, key: &str) -> Result<Option<Json>, ContextError> {
        self.context()?.metadata(key).await
    }

    async fn all_metadata(&mut self) -> Result<Entries, ContextError> {
        self.context()?.all_metadata().await
    }

    async fn store_metadata(&mut self, entries: Vec<types::Entry>) -> Result<(), ContextError> {
        let context = self.context()?;
        let bytes = convert::entries_size(&entries);
        let entries = self.checked(bytes, |limits| convert::entries(entries, Bound::Metadata, limits)).await?;
        context.set_metadata(&entries).await
    }
}
