//! Takes the sandbox's place: each attempt at a task does the next thing that the test wrote down for it, over the real context.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt as _};
use mogbox_core::executor::{Attempt, Execution, Executor, Rejected};
use mogbox_core::json::Json;
use mogbox_core::limits::Limits;
use mogbox_core::module::Inspection;
use mogbox_core::outcome::{Failure, Outcome};
use mogbox_core::report::Receipt;
use serde::Serialize;

use crate::event::Event;

type Act = Box<dyn FnOnce(Attempt) -> BoxFuture<'static, Outcome> + Send>;

/// CPU time in every receipt, in microseconds.
pub(crate) const CPU_US: u64 = 1_234;

/// What attempts do, by task, in their order. Several nodes may play one script.
#[derive(Default)]
pub(crate) struct Script {
    acts: Mutex<HashMap<&'static str, VecDeque<Act>>>,
    executed: Mutex<Vec<(String, u32)>>,
}

impl Script {
    /// The next attempt at `task` does this.
    pub(crate) fn then<F>(self, task: &'static str, act: impl FnOnce(Attempt) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let act: Act = Box::new(move |attempt| act(attempt).boxed());
        self.acts.lock().unwrap().entry(task).or_default().push_back(act);
        self
    }

    /// The next attempt at `task` ends so at once.
    pub(crate) fn answer(self, task: &'static str, outcome: Outcome) -> Self {
        self.then(task, |_| std::future::ready(outcome))
    }

    /// The next attempt at `task` tells that it runs, and never ends.
    pub(crate) fn hang(self, task: &'static str, running: &Event) -> Self {
        let running = running.clone();
        self.then(task, |_| async move {
            running.happens();
            std::future::pending().await
        })
    }

    /// The next attempt at `task` tells that it runs, and ends only when the host makes it, as a guest that spins does.
    pub(crate) fn resist(self, task: &'static str, running: &Event) -> Self {
        let running = running.clone();
        self.then(task, |attempt| async move {
            running.happens();
            attempt.context.stop().forced().await;
            Outcome::Stopped(attempt.context.stop().reason().unwrap())
        })
    }

    pub(crate) fn ready(self) -> Arc<Self> {
        Arc::new(self)
    }

    /// The number of every attempt at `task` that was made.
    pub(crate) fn executed(&self, task: &str) -> Vec<u32> {
        let executed = self.executed.lock().unwrap();
        executed.iter().filter(|(name, _)| name == task).map(|(_, attempt)| *attempt).collect()
    }
}

#[async_trait]
impl Executor for Script {
    async fn execute(&self, attempt: Attempt) -> Execution {
        let name = attempt.context.request().name.to_string();
        let act = self.acts.lock().unwrap().get_mut(name.as_str()).and_then(VecDeque::pop_front);
        self.executed.lock().unwrap().push((name, attempt.context.attempt()));
        let outcome = match act {
            Some(act) => act(attempt).await,
            None => failed("the script is over"),
        };
        let receipt = Receipt { cpu_us: CPU_US, ..Receipt::default() };
        Execution { receipt, ..Execution::without_run(outcome) }
    }

    async fn inspect(&self, _bytes: Arc<[u8]>, _limits: &Limits) -> Result<Inspection, Rejected> {
        Err(Rejected("a script inspects nothing".into()))
    }
}

/// A task's success with what it saw, for the test to look at.
pub(crate) fn saw<T: Serialize>(what: &T) -> Outcome {
    Outcome::Success(Json::of(what).unwrap())
}

pub(crate) fn done() -> Outcome {
    saw(&"done")
}

pub(crate) fn failed(message: &str) -> Outcome {
    Outcome::Failed(Failure { kind: "Error".into(), message: message.into(), details: None })
}

/// What a guest would run until the host makes it end.
pub(crate) async fn unless_stopped(attempt: &Attempt, work: impl Future<Output = Outcome>) -> Outcome {
    tokio::select! {
        outcome = work => outcome,
        () = attempt.context.stop().forced() => Outcome::Stopped(attempt.context.stop().reason().unwrap()),
    }
}
