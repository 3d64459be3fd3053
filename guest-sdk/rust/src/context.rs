//! What a running task can do: typed methods over the host's calls. Knows no WebAssembly; the host behind it is chosen in `host`.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::child::{Child, ChildId, ChildOutcome};
use crate::host::Host;
use crate::json::{any, decode, encode, entries};
use crate::{Error, Level, Request};

/// The metadata key of progress, by convention of every client that shows it.
const PROGRESS: &str = "progress";

/// What a running task can do. Its calls may wait, for the store or for a child, and hold no thread of the host meanwhile.
pub struct Context {
    pub(crate) host: Host,
}

impl Context {
    /// The request of this attempt. Costs no access to the store.
    #[must_use]
    pub fn request(&self) -> Request {
        self.host.request()
    }

    /// The value under a key of the result's metadata now, or none. The request's own is in [`Request::metadata`].
    ///
    /// ```
    /// # use mogbox_guest::testing::{TestContext, TestRequest};
    /// # let ctx = TestContext::new(TestRequest::new("demo").metadata("user_id", "dol"));
    /// let user: Option<String> = ctx.metadata("user_id")?;
    /// assert_eq!(user.as_deref(), Some("dol"));
    /// # Ok::<(), mogbox_guest::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] where the key is malformed or the value is no `T`, and as the host answers.
    pub fn metadata<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let stored = self.host.metadata(key)?;
        stored.map(|text| decode(&format!("metadata {key:?}"), &text)).transpose()
    }

    /// All metadata of the result now.
    ///
    /// # Errors
    /// As the host answers.
    pub fn all_metadata(&self) -> Result<Map<String, Value>, Error> {
        Ok(self.host.all_metadata()?.into_iter().map(|(key, text)| (key, any(&text))).collect())
    }

    /// Stores metadata under a key: any JSON. Readers outside see it at once; the request does not change.
    ///
    /// # Errors
    /// Where a bound of the tenant is not kept, the attempt no longer holds the request, or the store does not answer.
    pub fn set_metadata(&self, key: &str, value: impl Serialize) -> Result<(), Error> {
        self.host.set_metadata(vec![(key.to_owned(), encode(key, value)?)])
    }

    /// Stores metadata under several keys, all or none.
    ///
    /// ```
    /// # use mogbox_guest::testing::{TestContext, TestRequest};
    /// # use serde_json::json;
    /// # let ctx = TestContext::new(TestRequest::new("demo"));
    /// ctx.set_all_metadata([("user_id", json!("dkl")), ("seen", json!({"at": [1, 2]}))])?;
    /// assert_eq!(ctx.all_metadata()?.len(), 2);
    /// # Ok::<(), mogbox_guest::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Context::set_metadata`].
    pub fn set_all_metadata<K: Into<String>, V: Serialize>(&self, given: impl IntoIterator<Item = (K, V)>) -> Result<(), Error> {
        self.host.set_metadata(entries(given)?)
    }

    /// Tells clients how far the task is: metadata `progress` with `done`, `total` and `message`.
    ///
    /// # Errors
    /// As [`Context::set_metadata`].
    pub fn progress(&self, done: u64, total: impl Into<Option<u64>>, message: impl Into<String>) -> Result<(), Error> {
        self.set_metadata(PROGRESS, json!({"done": done, "total": total.into(), "message": message.into()}))
    }

    /// JSON by key that the request keeps across its attempts.
    #[must_use]
    pub fn state(&self) -> State<'_> {
        State { host: &self.host }
    }

    /// Submits a child of this request and returns its id at once.
    ///
    /// # Errors
    /// Where a value or name is malformed, a bound (children, depth, bytes) is not kept, the attempt no longer holds the request, or
    /// store or broker do not answer.
    pub fn submit(&self, child: Child) -> Result<ChildId, Error> {
        match child.error {
            Some(error) => Err(error),
            None => self.host.submit(child).map(ChildId),
        }
    }

    /// Waits until every child is done, and says how each ended, in the order of `children`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an id that is no child of this request, [`Error::Invalid`] for one that comes twice,
    /// [`Error::Limit`] for more than 1,000 of them, and as the host answers.
    pub fn wait_all(&self, children: &[ChildId]) -> Result<Vec<ChildOutcome>, Error> {
        self.host.wait(children, WaitMode::All, None)
    }

    /// Waits until every child is done or the time has passed, and says how each stands.
    ///
    /// # Errors
    /// As [`Context::wait_all`].
    pub fn wait_all_for(&self, children: &[ChildId], longest: Duration) -> Result<Vec<ChildOutcome>, Error> {
        self.host.wait(children, WaitMode::All, Some(longest))
    }

    /// Waits until at least one child is done, and says how each stands.
    ///
    /// # Errors
    /// As [`Context::wait_all`].
    pub fn wait_any(&self, children: &[ChildId]) -> Result<Vec<ChildOutcome>, Error> {
        self.host.wait(children, WaitMode::Any, None)
    }

    /// Waits until at least one child is done or the time has passed, and says how each stands.
    ///
    /// # Errors
    /// As [`Context::wait_all`].
    pub fn wait_any_for(&self, children: &[ChildId], longest: Duration) -> Result<Vec<ChildOutcome>, Error> {
        self.host.wait(children, WaitMode::Any, Some(longest))
    }

    /// Waits for a time.
    pub fn sleep(&self, time: Duration) {
        self.host.sleep(time);
    }

    /// True once the request was revoked or its node is draining: finish soon, what still runs after a grace time is stopped.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.host.cancelled()
    }

    /// Time until the attempt is stopped, by the request's deadline or the node's bound on wall time.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.host.remaining()
    }

    /// Keeps a log line with fields. Logging never fails. Of more lines than the bounds of an attempt allow, the
    /// first ones and the last few are kept, and those between are counted and dropped.
    ///
    /// ```
    /// # use mogbox_guest::{Level, testing::{TestContext, TestRequest}};
    /// # let ctx = TestContext::new(TestRequest::new("demo"));
    /// ctx.log(Level::Warn, "slow", [("milliseconds", 1200)]);
    /// ```
    pub fn log<K: Into<String>, V: Serialize>(&self, level: Level, message: impl AsRef<str>, fields: impl IntoIterator<Item = (K, V)>) {
        let each = fields.into_iter().map(|(key, value)| (key.into(), serde_json::to_string(&value)));
        let fields = each.filter_map(|(key, text)| text.ok().map(|text| (key, text))).collect();
        self.host.log(level, message.as_ref(), fields);
    }

    /// Logs a line that matters only while looking for a fault, step by step.
    pub fn trace(&self, message: impl AsRef<str>) {
        self.host.log(Level::Trace, message.as_ref(), Vec::new());
    }

    /// Logs a line for the author.
    pub fn debug(&self, message: impl AsRef<str>) {
        self.host.log(Level::Debug, message.as_ref(), Vec::new());
    }

    /// Logs what happens.
    pub fn info(&self, message: impl AsRef<str>) {
        self.host.log(Level::Info, message.as_ref(), Vec::new());
    }

    /// Logs what may be wrong.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.host.log(Level::Warn, message.as_ref(), Vec::new());
    }

    /// Logs what is wrong.
    pub fn error(&self, message: impl AsRef<str>) {
        self.host.log(Level::Error, message.as_ref(), Vec::new());
    }
}

/// What ends a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitMode {
    All,
    Any,
}

/// JSON by key that a request keeps across its attempts, for checkpoints. It is gone when the request is done.
pub struct State<'a> {
    host: &'a Host,
}

impl State<'_> {
    /// The value under a key, or none.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the key is malformed or the value is no `T`, and as the host answers.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        decoded(key, self.host.state(key)?)
    }

    /// Stores a value under a key: any JSON.
    ///
    /// # Errors
    /// Where a bound of the tenant is not kept, the attempt no longer holds the request, or the store does not answer.
    pub fn set(&self, key: &str, value: impl Serialize) -> Result<(), Error> {
        self.host.set_state(key, &encode(key, value)?)
    }

    /// Removes a key and returns what it held, or none.
    ///
    /// # Errors
    /// As [`State::get`], and where the attempt no longer holds the request.
    pub fn pop<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        decoded(key, self.host.pop_state(key)?)
    }

    /// Removes every key.
    ///
    /// # Errors
    /// As the host answers.
    pub fn clear(&self) -> Result<(), Error> {
        self.host.clear_state()
    }
}

fn decoded<T: DeserializeOwned>(key: &str, stored: Option<String>) -> Result<Option<T>, Error> {
    stored.map(|text| decode(&format!("state {key:?}"), &text)).transpose()
}
