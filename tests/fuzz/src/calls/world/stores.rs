//! The embedded stores and broker in a folder that is gone with them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mogbox_backends::broker::BrokerSettings;
use mogbox_backends::embedded::broker::EmbeddedBroker;
use mogbox_backends::embedded::{Database, EmbeddedResults, EmbeddedState};
use mogbox_core::result::{Exception, Value};
use mogbox_core::store::{Start, Transition};
use mogbox_core::{Bound, Broker, Delivery, Json, Limits, NodeId, RequestId, ResultStore, State, StateStore, Tenant, Wanted};
use tempfile::TempDir;

pub(super) struct Stores {
    pub(super) database: Database,
    pub(super) results: Arc<dyn ResultStore>,
    pub(super) state: Arc<dyn StateStore>,
    pub(super) broker: Arc<dyn Broker>,
    _folder: TempDir,
}

impl Stores {
    pub(super) fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(folder.path()).expect("a database");
        let broker = EmbeddedBroker::new(database.clone(), BrokerSettings::default()).expect("a broker");
        Self {
            results: Arc::new(EmbeddedResults::new(database.clone())),
            state: Arc::new(EmbeddedState::new(database.clone())),
            broker: Arc::new(broker),
            database,
            _folder: folder,
        }
    }

    /// Ends every child as it comes, one well and the next badly.
    pub(super) async fn finish_children(&self) {
        let mut well = false;
        loop {
            let deliveries = self.broker.receive(&Wanted::any(8), Duration::from_secs(60)).await.expect("the broker answers");
            for delivery in deliveries {
                well = !well;
                self.finish(delivery, well).await;
            }
        }
    }

    async fn finish(&self, delivery: Delivery, well: bool) {
        let (tenant, id, fence) = (Tenant::default(), delivery.request.id, delivery.lease.fence);
        let start = Transition::Start(Start { node_id: NodeId::random(), at: Timestamp::now() });
        self.results.transition(&tenant, id, fence, &start).await.expect("a start is stored");
        let (state, value) = match well {
            true => (State::Success, Value::Success(Json::string("done"))),
            false => (State::Failure, Value::Exception(Exception::UnknownTask("x".into()))),
        };
        let finish = Transition::Finish { state, value, at: Timestamp::now(), report: None, waits: Default::default(), kept_state: true };
        self.results.transition(&tenant, id, fence, &finish).await.expect("an end is stored");
        self.broker.settle(&[delivery.done(Duration::ZERO)]).await.expect("the broker answers");
    }

    /// What an attempt left behind is within its bounds.
    pub(super) async fn check_bounds(&self, id: RequestId, limits: &Limits) {
        let tenant = Tenant::default();
        let metadata = self.results.metadata(&tenant, id).await.expect("the store answers").expect("there is a result");
        assert!(metadata.len() <= limits.length(Bound::MetadataKeys), "{} keys of metadata", metadata.len());
        assert!(metadata.size() <= limits.length(Bound::Metadata), "{} bytes of metadata", metadata.size());
        let children = self.results.children(&tenant, id).await.expect("the store answers");
        assert!(children.len() <= limits.length(Bound::Children), "{} children", children.len());
        self.state.clear(&tenant, id, None).await.expect("the store answers");
    }
}
