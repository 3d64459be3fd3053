//! Ends attempts whose requests were revoked. The REVOKED result is the truth and is looked at now and then; the broadcast only
//! makes it fast.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Ports;
use super::running::Running;
use crate::executor::StopReason;
use crate::ids::{RequestId, Tenant};
use crate::result::State;
use crate::store::StoreError;

/// How often results of running requests are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Most results of one look-up.
const BATCH: usize = 256;

/// The watch over what was revoked.
pub(super) struct Revocations {
    pub(super) ports: Ports,
    pub(super) running: Arc<Running>,
    /// Time that a revoked guest gets to finish.
    pub(super) grace: Duration,
}

impl Revocations {
    /// A message alone stops nothing: an attempt that was stopped for a result that is not REVOKED would leave it RUNNING for ever.
    pub(super) async fn told_of(&self, tenant: &Tenant, id: RequestId) {
        if self.running.stops_of(tenant, id).is_empty() {
            return;
        }
        if let Err(error) = self.stop_revoked(tenant, &[id]).await {
            tracing::warn!(%error, request = %id, "cannot look whether a request was revoked");
        }
    }

    /// Looks until it is aborted.
    pub(super) async fn look(&self) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.look_once().await {
                tracing::warn!(%error, "cannot look for revoked requests");
            }
        }
    }

    async fn look_once(&self) -> Result<(), StoreError> {
        let mut by_tenant: HashMap<Tenant, Vec<RequestId>> = HashMap::new();
        for (tenant, id) in self.running.requests() {
            by_tenant.entry(tenant).or_default().push(id);
        }
        for (tenant, ids) in by_tenant {
            for batch in ids.chunks(BATCH) {
                self.stop_revoked(&tenant, batch).await?;
            }
        }
        Ok(())
    }

    async fn stop_revoked(&self, tenant: &Tenant, ids: &[RequestId]) -> Result<(), StoreError> {
        let results = self.ports.results.read(tenant, ids).await?;
        let revoked = results.into_iter().flatten().filter(|result| result.state == State::Revoked);
        revoked.for_each(|result| self.stop(tenant, result.id));
        Ok(())
    }

    fn stop(&self, tenant: &Tenant, id: RequestId) {
        for stop in self.running.stops_of(tenant, id) {
            stop.ask(StopReason::Revoked);
            let grace = self.grace;
            tokio::spawn(async move {
                tokio::time::sleep(grace).await;
                stop.force(StopReason::Revoked);
            });
        }
    }
}
