//! One attempt: a fresh sandbox, one call, an outcome, a receipt. Knows nothing of what becomes of the request.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use mogbox_core::limits::Bound;
use mogbox_core::{Attempt, Digest, Execution, Facts, HostCalls, Outcome, Receipt, Request};
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::bindings::exports::mogbox::task::tasks::TaskError;
use crate::cache::{ModuleCache, NotLoaded, Ready};
use crate::ends::Ends;
use crate::engine::ENGINE_NAME;
use crate::guest::{Guest, World};
use crate::places::{Place, Places};
use crate::turns::Whose;
use crate::usage::OverBound;
use crate::{convert, trap, usage};

/// Runs an attempt.
pub(crate) async fn execute(cache: &Arc<ModuleCache>, places: &Arc<Places>, attempt: Attempt) -> Execution {
    let Attempt { module: digest, context } = attempt;
    let module = match load(cache, context.facts(), digest).await {
        Ok(module) => module,
        Err(outcome) => return not_started(digest, outcome),
    };
    let place = match places.take(context.facts()) {
        Ok(place) => place,
        Err(full) => return not_started(digest, Outcome::Unavailable(full)),
    };
    let work = Box::pin(run(cache.engine().clone(), digest, Arc::clone(&module), Arc::clone(&context) as _, place));
    let facts = context.facts();
    let whose = Whose { tenant: &facts.tenant, weight: facts.weight, pace: &module.pace };
    let done = places.turns().serve(whose, work).await;
    done.unwrap_or_else(|| not_started(digest, Outcome::Unavailable("the host panicked in the attempt".to_owned())))
}

/// The module of an attempt, unless the attempt ends first.
pub(crate) async fn load(cache: &Arc<ModuleCache>, facts: &Facts, module: Digest) -> Result<Ready, Outcome> {
    let ends = Ends::of(facts);
    if let Some(cut) = ends.passed() {
        return Err(cut.outcome(&facts.limits));
    }
    if let Some(module) = cache.kept(&module) {
        return Ok(module);
    }
    match ends.race(cache.load(module)).await {
        Ok(loaded) => loaded.map_err(NotLoaded::outcome),
        Err(cut) => Err(cut.outcome(&facts.limits)),
    }
}

/// An attempt that ended before a guest was started.
pub(crate) fn not_started(module: Digest, outcome: Outcome) -> Execution {
    let receipt = Receipt { module: Some(module), engine: ENGINE_NAME.into(), ..Receipt::default() };
    Execution { outcome, receipt, log: Vec::new(), dropped_lines: 0 }
}

/// Runs the guest of an attempt. The place is given back once the sandbox is gone.
pub(crate) async fn run(engine: Engine, digest: Digest, module: Ready, context: Arc<dyn HostCalls>, place: Arc<Place>) -> Execution {
    let (started, clock) = (Timestamp::now(), Instant::now());
    let facts = context.facts();
    let limits = &facts.limits;
    let ends = Ends::of(facts).with_wall_time(clock.into(), limits.duration(Bound::WallTime));
    let mut store = sandbox(&engine, Guest::new(World::Attempt(Arc::clone(&context)), limits, Arc::clone(&place)));
    let cpu = store.data().cpu.clone();
    let call = cpu.measure(call(&mut store, &module, &facts.request));
    let outcome = match ends.race(call).await {
        Ok(Ok(Ok(returned))) => returned_outcome(returned, store.data_mut()).await,
        Ok(Ok(Err(error))) => trap::outcome(&error, store.data()),
        Ok(Err(cut)) | Err(cut) => cut.outcome(limits),
    };
    let guest = store.data();
    let (log, dropped_lines) = guest.journal.take();
    let receipt = Receipt {
        started: Some(started),
        run_us: microseconds(clock.elapsed()),
        cpu_us: microseconds(cpu.used()),
        peak_memory: guest.memory.peak(),
        host_calls: guest.usage.calls(),
        host_bytes: guest.usage.bytes().saturating_add(guest.journal.piped()),
        module: Some(digest),
        engine: ENGINE_NAME.into(),
        ..Receipt::default()
    };
    Execution { outcome, receipt, log, dropped_lines }
}

async fn call(store: &mut Store<Guest>, module: &Ready, request: &Request) -> wasmtime::Result<Result<String, TaskError>> {
    let (args, kwargs) = (convert::guest_jsons(&request.args), convert::guest_entries(&request.kwargs));
    let task = module.task.instantiate_async(&mut *store).await?;
    task.mogbox_task_tasks().call_run(store, request.name.as_str(), &args, &kwargs).await
}

/// A guest that returned between two interruptions may have gone over a bound all the same.
async fn returned_outcome(returned: Result<String, TaskError>, guest: &mut Guest) -> Outcome {
    if let Some(bound) = guest.passed_bound() {
        return Outcome::OverBound { bound, limit: guest.limits.show(bound) };
    }
    let outcome = guest.checked(convert::returned_size(&returned), |limits| Ok(convert::outcome(returned, limits))).await;
    outcome.unwrap_or_else(|error| Outcome::Unavailable(error.to_string()))
}

/// A fresh sandbox. The guest is interrupted at each tick of the engine's clock: it makes way for others, and whoever polls it
/// sees whether its time is up.
pub(crate) fn sandbox(engine: &Engine, guest: Guest) -> Store<Guest> {
    let largest_copy = usage::largest_copy(&guest.limits);
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_hostcall_fuel(largest_copy);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| match store.data().passed_bound() {
        Some(bound) => Err(OverBound(bound).into()),
        None => Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))),
    });
    store
}

fn microseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
