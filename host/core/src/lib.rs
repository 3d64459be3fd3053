//! The words of Mogbox and the work of a node: requests, results, outcomes, limits, the ports to brokers and stores, and the
//! worker that takes a request from one to the other. Knows no Redis, AMQP, SQL, WebAssembly or HTTP.

pub mod broker;
pub mod catalog;
pub mod context;
pub mod entries;
pub mod executor;
pub mod ids;
pub mod intake;
pub mod json;
pub mod limits;
pub mod module;
pub mod outcome;
pub mod report;
pub mod request;
pub mod result;
pub mod retry;
pub mod revoke;
pub mod signature;
pub mod store;
pub mod submit;
pub mod tree;
pub mod wire;
pub mod worker;

pub use broker::{Broker, BrokerError, Control, Delivery, Lease, Settlement, Submission, Verdict};
pub use context::{ContextError, TaskContext};
pub use entries::Entries;
pub use executor::{Attempt, Execution, Executor, Rejected, Stop, StopReason};
pub use ids::{Digest, NodeId, QueueName, RequestId, TaskName, Tenant};
pub use intake::{InTurn, Intake};
pub use json::Json;
pub use limits::{Bound, Limits};
pub use outcome::Outcome;
pub use report::{LogLine, Receipt, Report};
pub use request::{Deadline, Request};
pub use result::{RequestResult, State};
pub use store::{ModuleStore, ResultStore, StateStore, StoreError};
