//! The messages, in a form that JSON keeps: where a value may be missing it is a list, as `null` is a value.

use std::time::Duration;

use mogbox_core::context::{ChildOutcome, NewChild};
use mogbox_core::executor::StopReason;
use mogbox_core::limits::{Bound, Limits};
use mogbox_core::outgoing::{FetchError, OutgoingRequest, OutgoingResponse};
use mogbox_core::store::WaitMode;
use mogbox_core::{ContextError, Digest, Entries, Json, LogLine, QueueName, Request, RequestId, Tenant};
use serde::{Deserialize, Serialize};

/// What the node says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToCell {
    /// Run an attempt, of a module that was sent before.
    Start(Box<Start>),
    /// Ask an attempt to end, or make it.
    Stop { number: u64, reason: StopReason, forced: bool },
    /// What came of the call of an attempt.
    Answer { number: u64, answer: Result<Answer, ContextError> },
    /// Let go of a module.
    Forget { module: Digest },
}

/// What a process says that runs attempts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromCell {
    /// It is confined, and waits for work.
    Ready,
    /// Its attempt asks something of the host, and waits for the answer.
    Call { number: u64, call: Call },
    /// Its attempt has ended.
    Finished { number: u64, end: Box<End> },
}

/// An attempt to run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Its number in all that is said of it, never used again.
    pub(crate) number: u64,
    pub(crate) module: Digest,
    pub(crate) tenant: Tenant,
    pub(crate) queue: QueueName,
    pub(crate) attempt: u32,
    pub(crate) request: Request,
    pub(crate) limits: Limits,
    /// Time since it started.
    pub(crate) elapsed: Duration,
    pub(crate) deadline: Option<Duration>,
    /// What its tenant's tasks are configured with, secrets among it.
    pub(crate) config: Vec<(String, String)>,
}

/// Keys and values as they came from the guest: whoever stores them checks them.
pub(crate) type Pairs = Vec<(String, Json)>;

/// What an attempt asks of the host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Call {
    Metadata { key: String },
    AllMetadata,
    SetMetadata { entries: Pairs },
    State { key: String },
    SetState { key: String, value: Json },
    PopState { key: String },
    ClearState,
    Submit(Box<Child>),
    Wait { ids: Vec<RequestId>, mode: WaitMode, timeout: Option<Duration> },
    Fetch(Box<OutgoingRequest>),
}

/// What the host answers, by kind of call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Found(Vec<Json>),
    Entries(Pairs),
    Submitted(RequestId),
    Children(Vec<ChildOutcome>),
    Fetched(Result<OutgoingResponse, FetchError>),
}

/// A child to submit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Child {
    name: String,
    args: Vec<Json>,
    kwargs: Pairs,
    metadata: Pairs,
    priority: Option<u8>,
    queue: Option<String>,
    deadline: Option<Duration>,
}

/// How an attempt ended, as its process has it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct End {
    pub(crate) outcome: Ended,
    pub(crate) cpu_us: u64,
    pub(crate) peak_memory: u64,
    pub(crate) host_calls: u64,
    pub(crate) host_bytes: u64,
    pub(crate) log: Vec<LogLine>,
    pub(crate) dropped_lines: u64,
}

/// An outcome, without what the node knows better.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ended {
    Success(Json),
    Failed { kind: String, message: String, details: Vec<Json> },
    InvalidArguments(Vec<(String, String)>),
    UnknownTask,
    Retry { message: String, after: Option<Duration> },
    Pause { after: Option<Duration> },
    Trapped { class: String, message: String },
    OverBound(Bound),
    DeadlinePassed,
    Stopped,
    Unavailable(String),
}

impl Answer {
    /// Bytes of what it says, at most as many as its process counts.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Done | Self::Submitted(_) | Self::Children(_) | Self::Fetched(_) => 0,
            Self::Found(found) => found.iter().map(Json::size).sum(),
            Self::Entries(pairs) => size_of_pairs(pairs),
        }
    }
}

impl Call {
    /// Bytes of what it brings, at most as many as its process counts.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Metadata { key } | Self::State { key } | Self::PopState { key } => key.len(),
            // HTTP has bounds of its own.
            Self::AllMetadata | Self::ClearState | Self::Wait { .. } | Self::Fetch(_) => 0,
            Self::SetMetadata { entries } => size_of_pairs(entries),
            Self::SetState { key, value } => key.len() + value.size(),
            Self::Submit(child) => {
                child.args.iter().map(Json::size).sum::<usize>() + size_of_pairs(&child.kwargs) + size_of_pairs(&child.metadata)
            }
        }
    }
}

fn size_of_pairs(pairs: &Pairs) -> usize {
    pairs.iter().map(|(key, value)| key.len() + value.size()).sum()
}

impl From<NewChild> for Child {
    fn from(child: NewChild) -> Self {
        let NewChild { name, args, kwargs, metadata, priority, queue, deadline } = child;
        let (kwargs, metadata) = (kwargs.into_iter().collect(), metadata.into_iter().collect());
        Self { name, args, kwargs, metadata, priority, queue, deadline }
    }
}

impl From<Child> for NewChild {
    fn from(child: Child) -> Self {
        let Child { name, args, kwargs, metadata, priority, queue, deadline } = child;
        let (kwargs, metadata) = (Entries::from_iter(kwargs), Entries::from_iter(metadata));
        Self { name, args, kwargs, metadata, priority, queue, deadline }
    }
}
