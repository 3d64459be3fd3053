//! One attempt that runs in a cell, from the node's side: its host calls are made here, on the context that only the node has, and its end
//! is checked before anybody believes it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mogbox_core::limits::Bound;
use mogbox_core::{Attempt, ContextError, Digest, Entries, Execution, Facts, Outcome, StopReason, TaskContext};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::cell::{Cell, Event};
use super::check::{Known, execution};
use super::{Cells, ProcessSettings};
use crate::attempt::{load, not_started};
use crate::cache::{ModuleCache, Ready};
use crate::link::{Answer, Call, End, Start, ToCell};
use crate::places::{Place, Places};
use crate::usage::Usage;

/// Cells that an attempt is offered to.
const TRIES: usize = 3;

/// A host call under way.
type Calling = Pin<Box<dyn Future<Output = Result<Answer, ContextError>> + Send>>;

/// Runs an attempt in a cell of its tenant.
pub(crate) async fn execute(cells: &Cells, cache: &Arc<ModuleCache>, places: &Arc<Places>, attempt: Attempt) -> Execution {
    let Attempt { module: digest, context } = attempt;
    let module = match load(cache, context.facts(), digest).await {
        Ok(module) => module,
        Err(outcome) => return not_started(digest, outcome),
    };
    let begun =
        take(places, context.facts()).map_err(Outcome::Unavailable).and_then(|place| begin(cells, &context, digest, &module, &place));
    match begun {
        Ok(running) => running.finish(context, digest, cells.settings()).await,
        Err(outcome) => not_started(digest, outcome),
    }
}

/// A place with all the memory that the attempt may come to have: what it holds, only its process knows.
fn take(places: &Arc<Places>, facts: &Facts) -> Result<Arc<Place>, String> {
    let place = places.take(facts)?;
    place.grow(facts.limits.get(Bound::Memory)).map_err(|full| place.explain(full))?;
    Ok(place)
}

/// A cell may be ended between being found and being used: one that had nothing to do, or that failed just now.
fn begin(cells: &Cells, context: &TaskContext, digest: Digest, module: &Ready, place: &Arc<Place>) -> Result<Running, Outcome> {
    let mut last = Outcome::Unavailable("no process".into());
    for _ in 0..TRIES {
        let cell = cells.cell_for(context.facts()).map_err(Outcome::Unavailable)?;
        let (started, cpu) = (Timestamp::now(), cell.cpu().unwrap_or_default());
        match cell.begin(start(context.facts(), digest), || serialized(module), Arc::clone(place)) {
            Ok((number, events)) => return Ok(Running { cell, number, events, cpu, started, ended: false }),
            Err(outcome) if cell.is_gone() => last = outcome,
            Err(outcome) => return Err(outcome),
        }
    }
    Err(last)
}

fn serialized(module: &Ready) -> Result<Vec<u8>, String> {
    module.task.instance_pre().component().serialize().map_err(|error| format!("{error:#}"))
}

fn start(facts: &Facts, module: Digest) -> Start {
    let mut request = (*facts.request).clone();
    // Its moment may be one of the node's local time; the cell is told how long it has.
    request.deadline = None;
    Start {
        number: 0,
        module,
        tenant: facts.tenant.clone(),
        queue: facts.queue.clone(),
        attempt: facts.attempt,
        request,
        limits: facts.limits.clone(),
        elapsed: facts.started.elapsed(),
        deadline: facts.deadline,
        config: facts.config.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

/// An attempt that runs in a cell. Dropped before its end, it is made to end.
struct Running {
    cell: Arc<Cell>,
    number: u64,
    events: mpsc::Receiver<Event>,
    /// CPU time of the cell before it.
    cpu: Duration,
    started: Timestamp,
    ended: bool,
}

impl Running {
    async fn finish(mut self, context: Arc<TaskContext>, digest: Digest, settings: &ProcessSettings) -> Execution {
        let (clock, facts) = (std::time::Instant::now(), context.facts());
        let mut usage = Usage::new(&facts.limits);
        let end = self.serve(&context, &mut usage, settings.grace).await;
        let elapsed = clock.elapsed();
        let cpu = self.cell.cpu().map_or(elapsed, |now| now.saturating_sub(self.cpu));
        let known = Known { module: digest, started: self.started, elapsed, cpu, calls: usage.calls() };
        self.ended = true;
        match end {
            Some(end) => execution(*end, facts, &known),
            None => Execution { outcome: self.cell.gone(), ..known.nothing_said() },
        }
    }

    /// Makes the attempt's host calls until it has ended; none where its cell ends first.
    async fn serve(&mut self, context: &Arc<TaskContext>, usage: &mut Usage, grace: Duration) -> Option<Box<End>> {
        let facts = context.facts();
        let mut calling: Option<Calling> = None;
        let mut told = Told::Nothing;
        let mut overdue = longest(facts).checked_add(grace).and_then(|longest| Instant::now().checked_add(longest));
        loop {
            tokio::select! {
                event = self.events.recv() => match event? {
                    Event::Finished(end) => return Some(end),
                    Event::Called(_) if calling.is_some() => self.cell.condemn("it made two host calls at once for one attempt"),
                    Event::Called(call) => match usage.call(call.size()) {
                        Ok(()) => calling = Some(Box::pin(make(Arc::clone(context), call))),
                        Err(over) => self.cell.condemn(&format!("it went on calling the host when it was {over}")),
                    },
                },
                answer = made(&mut calling) => {
                    calling = None;
                    self.answer(usage, answer);
                }
                () = facts.stop.asked(), if told == Told::Nothing => told = self.tell(facts, false),
                () = facts.stop.forced(), if told == Told::Asked => {
                    told = self.tell(facts, true);
                    overdue = Instant::now().checked_add(grace);
                }
                () = reached(overdue) => {
                    overdue = None;
                    self.cell.condemn("an attempt did not end when its time was up");
                }
            }
        }
    }

    fn answer(&self, usage: &mut Usage, answer: Result<Answer, ContextError>) {
        // What is too much ends the attempt in its cell; should it go on all the same, the next call is refused.
        usage.answer(answer.as_ref().map_or(0, Answer::size)).ok();
        if !self.cell.say(&ToCell::Answer { number: self.number, answer }) {
            let error = ContextError::TooLarge("the answer is too large for a process".into());
            self.cell.say(&ToCell::Answer { number: self.number, answer: Err(error) });
        }
    }

    fn tell(&self, facts: &Facts, forced: bool) -> Told {
        let reason = facts.stop.reason().unwrap_or(StopReason::Draining);
        self.cell.say(&ToCell::Stop { number: self.number, reason, forced });
        if forced { Told::Made } else { Told::Asked }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.cell.abandon(self.number);
        }
    }
}

/// What an attempt was told of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Asked,
    Made,
}

/// Time until an attempt ends by itself, at the latest.
fn longest(facts: &Facts) -> Duration {
    let wall_time = facts.limits.duration(Bound::WallTime);
    facts.deadline.map_or(wall_time, |deadline| deadline.saturating_sub(facts.started.elapsed()).min(wall_time))
}

async fn made(calling: &mut Option<Calling>) -> Result<Answer, ContextError> {
    match calling {
        Some(calling) => calling.await,
        None => std::future::pending().await,
    }
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Makes a host call: the node's own context checks every bound on it.
async fn make(context: Arc<TaskContext>, call: Call) -> Result<Answer, ContextError> {
    let found = |found: Option<mogbox_core::Json>| Answer::Found(found.into_iter().collect());
    Ok(match call {
        Call::Metadata { key } => found(context.metadata(&key).await?),
        Call::AllMetadata => Answer::Entries(context.all_metadata().await?.into_iter().collect()),
        Call::SetMetadata { entries } => context.set_metadata(&Entries::from_iter(entries)).await.map(|()| Answer::Done)?,
        Call::State { key } => found(context.state(&key).await?),
        Call::SetState { key, value } => context.set_state(&key, &value).await.map(|()| Answer::Done)?,
        Call::PopState { key } => found(context.pop_state(&key).await?),
        Call::ClearState => context.clear_state().await.map(|()| Answer::Done)?,
        Call::Submit(child) => Answer::Submitted(context.submit((*child).into()).await?),
        Call::Fetch(request) => Answer::Fetched(context.fetch(*request).await),
        Call::Wait { ids, mode, timeout } => Answer::Children(context.wait(&ids, mode, timeout).await?),
    })
}
