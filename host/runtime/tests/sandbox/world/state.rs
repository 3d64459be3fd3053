//! The state of the sandbox under test: one for all requests.

use async_trait::async_trait;
use mogbox_core::store::{Popped, Written};
use mogbox_core::{Json, Limits, RequestId, StateStore, Tenant};

use super::{Memory, NEVER_ANSWERED, Stored};

#[async_trait]
impl StateStore for Memory {
    async fn get(&self, _: &Tenant, _: RequestId, key: &str) -> Stored<Option<Json>> {
        self.answer().await;
        if key == NEVER_ANSWERED {
            self.never().await;
        }
        Ok(self.state.lock().unwrap().get(key).cloned())
    }

    async fn set(&self, _: &Tenant, id: RequestId, _: u32, key: &str, value: &Json, _: &Limits) -> Stored<Written> {
        self.expect_start(id);
        self.answer().await;
        self.state.lock().unwrap().insert(key.to_owned(), value.clone());
        Ok(Written::Stored)
    }

    async fn pop(&self, _: &Tenant, id: RequestId, _: u32, key: &str) -> Stored<Popped> {
        self.expect_start(id);
        self.answer().await;
        Ok(Popped::Value(self.state.lock().unwrap().remove(key)))
    }

    async fn clear(&self, _: &Tenant, id: RequestId, _: Option<u32>) -> Stored<Written> {
        self.expect_start(id);
        self.answer().await;
        self.state.lock().unwrap().clear();
        Ok(Written::Stored)
    }
}
