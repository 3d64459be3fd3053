//! A context in memory, to test tasks natively: give a request, run the function, look at what it stored, said and submitted.
//!
//! ```
//! use mogbox_guest::testing::{TestContext, TestRequest};
//! use mogbox_guest::{Child, Context, Result};
//!
//! fn total(ctx: &Context) -> Result<f64> {
//!     let child = ctx.submit(Child::new("example.add").arg(1).arg(2))?;
//!     let outcomes = ctx.wait_all(&[child])?;
//!     ctx.progress(1, 1, "summed")?;
//!     outcomes.iter().map(|outcome| outcome.value::<f64>()).sum()
//! }
//!
//! let test = TestContext::new(TestRequest::new("example.total"));
//! test.on_child(|child| TestContext::success(child.args.len()));
//! assert_eq!(total(&test).unwrap(), 2.0);
//! assert_eq!(test.stored_metadata()["progress"]["message"], "summed");
//! assert_eq!(test.children()[0].name, "example.add");
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::arguments::Arguments;
use crate::child::{Child, ChildId, ChildOutcome};
use crate::host::{Host, World};
use crate::json::any;
use crate::{Context, Error, Level, Request, TaskError, Tasks};

/// A request for a test.
#[derive(Debug, Clone)]
#[must_use = "a request does nothing until a context is made of it"]
pub struct TestRequest(Request);

impl TestRequest {
    /// A request for the task of this name, its first attempt.
    pub fn new(name: impl Into<String>) -> Self {
        Self(Request {
            id: "00000000-0000-4000-8000-000000000000".into(),
            name: name.into(),
            args: Vec::new(),
            kwargs: Map::new(),
            metadata: Map::new(),
            stack: Vec::new(),
            attempt: 1,
            priority: 5,
            queue: "tasks".into(),
            tenant: "test".into(),
            deadline: None,
        })
    }

    /// Adds an argument by position.
    pub fn arg(mut self, value: impl Into<Value>) -> Self {
        self.0.args.push(value.into());
        self
    }

    /// Adds an argument by name.
    pub fn kwarg(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.kwargs.insert(name.into(), value.into());
        self
    }

    /// Adds metadata, which the result starts with.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.metadata.insert(key.into(), value.into());
        self
    }

    /// Which run of the request it is, from 1.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.0.attempt = attempt;
        self
    }

    /// Time left until its deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.0.deadline = Some(deadline);
        self
    }
}

/// A log line of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub message: String,
    /// Its fields.
    pub fields: BTreeMap<String, Value>,
}

/// A child that a task submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmittedChild {
    /// Its id.
    pub id: ChildId,
    /// The task's name.
    pub name: String,
    /// Arguments by position.
    pub args: Vec<Value>,
    /// Arguments by name.
    pub kwargs: BTreeMap<String, Value>,
    /// Metadata.
    pub metadata: BTreeMap<String, Value>,
    /// Its priority, where it has one of its own.
    pub priority: Option<u8>,
    /// Its queue, where it has one of its own.
    pub queue: Option<String>,
    /// Its deadline.
    pub deadline: Option<Duration>,
}

impl SubmittedChild {
    pub(crate) fn new(id: ChildId, child: Child) -> Self {
        let map = |pairs: Vec<(String, String)>| pairs.into_iter().map(|(key, text)| (key, any(&text))).collect();
        Self {
            id,
            name: child.name,
            args: child.args.iter().map(|text| any(text)).collect(),
            kwargs: map(child.kwargs),
            metadata: map(child.metadata),
            priority: child.priority,
            queue: child.queue,
            deadline: child.deadline,
        }
    }
}

/// A context in memory; it is used as the [`Context`] that it derefs to.
pub struct TestContext {
    context: Context,
    world: Rc<RefCell<World>>,
}

impl Deref for TestContext {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl TestContext {
    /// A context for a request.
    #[must_use]
    pub fn new(request: TestRequest) -> Self {
        let request = request.0;
        let world = World {
            metadata: request.metadata.iter().map(|(key, value)| (key.clone(), value.to_string())).collect(),
            state: BTreeMap::new(),
            log: Vec::new(),
            children: Vec::new(),
            script: Box::new(|_| None),
            slept: Duration::ZERO,
            cancelled: false,
            remaining: request.deadline,
            failure: None,
            request,
        };
        let world = Rc::new(RefCell::new(world));
        Self { context: Context { host: Host(Rc::clone(&world)) }, world }
    }

    /// Runs the request by its name and JSON arguments, as a node does.
    ///
    /// # Errors
    /// As [`Tasks::run`].
    pub fn run(&self, tasks: &Tasks) -> Result<Value, TaskError> {
        let request = self.request();
        let args = request.args.iter().map(Value::to_string).collect();
        let kwargs = request.kwargs.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
        Ok(serde_json::from_str(&tasks.run(&self.context, &request.name, Arguments::new(args, kwargs))?)?)
    }

    /// Makes the next run the next attempt: metadata and state stay.
    pub fn next_attempt(&self) {
        self.world.borrow_mut().request.attempt += 1;
    }

    /// Asks the task to finish soon, as a revocation does.
    pub fn cancel(&self) {
        self.world.borrow_mut().cancelled = true;
    }

    /// Sets the time that [`Context::remaining`] tells.
    pub fn set_remaining(&self, remaining: Option<Duration>) {
        self.world.borrow_mut().remaining = remaining;
    }

    /// Makes every call of the host that can fail do so; none ends it.
    pub fn fail_calls(&self, error: Option<Error>) {
        self.world.borrow_mut().failure = error;
    }

    /// Scripts how children stand when the task waits for them; until then they are pending.
    pub fn on_child(&self, outcome: impl Fn(&SubmittedChild) -> ChildOutcome + 'static) {
        self.world.borrow_mut().script = Box::new(move |child| Some(outcome(child)));
    }

    /// A child's success with a value, for [`TestContext::on_child`].
    #[must_use]
    pub fn success(value: impl Serialize) -> ChildOutcome {
        match serde_json::to_string(&value) {
            Ok(text) => ChildOutcome::Success(text),
            Err(error) => ChildOutcome::Failure(error.to_string()),
        }
    }

    /// The result's metadata now.
    #[must_use]
    pub fn stored_metadata(&self) -> BTreeMap<String, Value> {
        values(&self.world.borrow().metadata)
    }

    /// The request's state now.
    #[must_use]
    pub fn stored_state(&self) -> BTreeMap<String, Value> {
        values(&self.world.borrow().state)
    }

    /// What the task logged.
    #[must_use]
    pub fn log_lines(&self) -> Vec<LogLine> {
        self.world.borrow().log.clone()
    }

    /// The children that the task submitted.
    #[must_use]
    pub fn children(&self) -> Vec<SubmittedChild> {
        self.world.borrow().children.clone()
    }

    /// How long the task slept and waited in vain. No time passes for the test.
    #[must_use]
    pub fn slept(&self) -> Duration {
        self.world.borrow().slept
    }
}

fn values(stored: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    stored.iter().map(|(key, text)| (key.clone(), any(text))).collect()
}
