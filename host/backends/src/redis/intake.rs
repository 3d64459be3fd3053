//! New requests in one step on one server: result and message in one script. A cluster keeps them in different slots, so that they go
//! in one after the other there.

use async_trait::async_trait;
use futures::future::try_join_all;
use jiff::Timestamp;
use mogbox_core::broker::Submission;
use mogbox_core::ids::Tenant;
use mogbox_core::intake::Intake;
use mogbox_core::store::StoreError;
use mogbox_core::submit::SubmitError;
use redis::Script;

use super::broker::{Partition, RedisBroker, WITHIN_MEMORY, add_queued, script};
use super::{keys, results};
use crate::error::BackendError;

/// Most requests of one call.
const MOST_TAKEN_IN: usize = 64;

/// Takes requests in where a broker and the results are on one server.
pub struct RedisIntake {
    broker: RedisBroker,
    script: Script,
}

impl RedisIntake {
    /// Takes requests in for this broker, with results beside it.
    #[must_use]
    pub fn new(broker: RedisBroker) -> Self {
        let steps = [include_str!("results/standing.lua"), include_str!("results/create.lua"), include_str!("intake.lua")];
        Self { broker, script: script(WITHIN_MEMORY, &steps) }
    }

    async fn take_in_of(&self, partition: &Partition, tenant: &Tenant, group: &[&Submission], at: Timestamp) -> Result<(), BackendError> {
        let mut call = self.broker.queueing(&self.script, partition, tenant);
        call.arg(keys::RESULT_TTL);
        for submission in group {
            results::add_new(&mut call, tenant, &submission.request, at);
            add_queued(&mut call, submission, 0);
        }
        self.broker.connection().run(&call).await
    }
}

#[async_trait]
impl Intake for RedisIntake {
    async fn take_in(&self, submissions: Vec<Submission>, at: Timestamp) -> Result<(), SubmitError> {
        let groups = self.broker.by_tenant(&submissions);
        let chunks =
            groups.iter().flat_map(|((partition, tenant), group)| group.chunks(MOST_TAKEN_IN).map(move |chunk| (partition, tenant, chunk)));
        let calls = chunks.map(|(partition, tenant, chunk)| self.take_in_of(partition, tenant, chunk, at));
        try_join_all(calls).await.map(drop).map_err(|error| SubmitError::Store(StoreError::from(error)))
    }
}
