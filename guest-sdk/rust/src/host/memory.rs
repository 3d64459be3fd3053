//! A host in memory, for tests: keeps what the task stores, says and submits, and answers as the test scripts it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::child::{Child, ChildId, ChildOutcome};
use crate::context::WaitMode;
use crate::json::any;
use crate::testing::{LogLine, SubmittedChild};
use crate::{Error, Level, Request};

/// Bytes of the longest key, as a node has it.
const MAX_KEY: usize = 256;

/// Answers for the child; none leaves it pending.
pub(crate) type ChildScript = Box<dyn Fn(&SubmittedChild) -> Option<ChildOutcome>>;

/// Everything that the test and the task's host share.
pub(crate) struct World {
    pub(crate) request: Request,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) state: BTreeMap<String, String>,
    pub(crate) log: Vec<LogLine>,
    pub(crate) children: Vec<SubmittedChild>,
    pub(crate) script: ChildScript,
    pub(crate) slept: Duration,
    pub(crate) cancelled: bool,
    pub(crate) remaining: Option<Duration>,
    /// What every call that can fail answers, once set.
    pub(crate) failure: Option<Error>,
}

/// The task's side of a world.
pub(crate) struct Host(pub(crate) Rc<RefCell<World>>);

impl Host {
    pub(crate) fn request(&self) -> Request {
        self.0.borrow().request.clone()
    }

    pub(crate) fn metadata(&self, key: &str) -> Result<Option<String>, Error> {
        self.answers(&[key])?;
        Ok(self.0.borrow().metadata.get(key).cloned())
    }

    pub(crate) fn all_metadata(&self) -> Result<Vec<(String, String)>, Error> {
        self.answers(&[])?;
        Ok(self.0.borrow().metadata.clone().into_iter().collect())
    }

    pub(crate) fn set_metadata(&self, given: Vec<(String, String)>) -> Result<(), Error> {
        let keys: Vec<&str> = given.iter().map(|(key, _)| key.as_str()).collect();
        self.answers(&keys)?;
        self.0.borrow_mut().metadata.extend(given);
        Ok(())
    }

    pub(crate) fn state(&self, key: &str) -> Result<Option<String>, Error> {
        self.answers(&[key])?;
        Ok(self.0.borrow().state.get(key).cloned())
    }

    pub(crate) fn set_state(&self, key: &str, value: &str) -> Result<(), Error> {
        self.answers(&[key])?;
        self.0.borrow_mut().state.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    pub(crate) fn pop_state(&self, key: &str) -> Result<Option<String>, Error> {
        self.answers(&[key])?;
        Ok(self.0.borrow_mut().state.remove(key))
    }

    pub(crate) fn clear_state(&self) -> Result<(), Error> {
        self.answers(&[])?;
        self.0.borrow_mut().state.clear();
        Ok(())
    }

    pub(crate) fn submit(&self, child: Child) -> Result<String, Error> {
        self.answers(&[])?;
        let mut world = self.0.borrow_mut();
        let id = format!("00000000-0000-4000-8000-{:012}", world.children.len() + 1);
        world.children.push(SubmittedChild::new(ChildId(id.clone()), child));
        Ok(id)
    }

    pub(crate) fn wait(&self, ids: &[ChildId], until: WaitMode, longest: Option<Duration>) -> Result<Vec<ChildOutcome>, Error> {
        self.answers(&[])?;
        if let Some(twice) = ids.iter().enumerate().find_map(|(at, id)| ids.iter().take(at).find(|earlier| *earlier == id)) {
            return Err(Error::Invalid(format!("id {twice} is there more than once: expected each child once")));
        }
        let outcomes = ids.iter().map(|id| self.outcome(id)).collect::<Result<Vec<_>, _>>()?;
        let enough = match until {
            WaitMode::All => outcomes.iter().all(ChildOutcome::is_done),
            WaitMode::Any => outcomes.is_empty() || outcomes.iter().any(ChildOutcome::is_done),
        };
        match longest {
            None if !enough => Err(Error::Unavailable("a wait without end: the test scripts no outcome, see TestContext::on_child".into())),
            Some(time) if !enough => {
                self.sleep(time);
                Ok(outcomes)
            }
            _ => Ok(outcomes),
        }
    }

    fn outcome(&self, id: &ChildId) -> Result<ChildOutcome, Error> {
        let world = self.0.borrow();
        let child = world.children.iter().find(|child| child.id == *id);
        let child = child.ok_or_else(|| Error::NotFound(format!("request {id} is no child of request {}", world.request.id)))?;
        Ok((world.script)(child).unwrap_or(ChildOutcome::Pending))
    }

    pub(crate) fn sleep(&self, time: Duration) {
        self.0.borrow_mut().slept += time;
    }

    pub(crate) fn cancelled(&self) -> bool {
        self.0.borrow().cancelled
    }

    pub(crate) fn remaining(&self) -> Option<Duration> {
        self.0.borrow().remaining
    }

    pub(crate) fn log(&self, level: Level, message: &str, fields: Vec<(String, String)>) {
        let fields: BTreeMap<String, Value> = fields.into_iter().map(|(key, text)| (key, any(&text))).collect();
        self.0.borrow_mut().log.push(LogLine { level, message: message.to_owned(), fields });
    }

    /// What a node checks of every call, and the failure that the test wants.
    fn answers(&self, keys: &[&str]) -> Result<(), Error> {
        if let Some(error) = &self.0.borrow().failure {
            return Err(error.clone());
        }
        match keys.iter().find(|key| key.is_empty() || key.len() > MAX_KEY || key.chars().any(char::is_control)) {
            Some(key) => Err(Error::Invalid(format!("invalid key {key:?}: expected 1 to {MAX_KEY} bytes without control characters"))),
            None => Ok(()),
        }
    }
}
