//! One delivery from hand-out to settlement. Nothing is acknowledged that is not stored.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::admit::Admission;
use super::capacity::Place;
use super::classify::{Circumstances, Next, classify};
use super::running::Running;
use super::settler::{Held, Settler, Settling};
use super::{Ports, WorkerSettings};
use crate::broker::{Delivery, Settlement, Verdict};
use crate::context::{AttemptIdentity, Services, TaskContext};
use crate::executor::{Attempt, Execution, Stop, StopReason};
use crate::ids::Digest;
use crate::module::Served;
use crate::outcome::Outcome;
use crate::report::Report;
use crate::result::{Exception, State, Value};
use crate::retry::Backoff;
use crate::store::{Start, Step, StoreError, Transition, Transitioned, Waits};
use crate::usage::Usage;

/// How long a request of a suspended tenant waits, that was handed out all the same.
const SUSPENDED_WAIT: Duration = Duration::from_secs(5);

/// An attempt that lasts longer has its start stored meanwhile, so that its result says that it runs and earlier attempts are fenced
/// off. The start of one that has ended by then, as most have, costs no write of its own.
const START_STORED_AFTER: Duration = Duration::from_millis(10);

/// What every delivery passes through.
pub(super) struct Pipeline {
    pub(super) settings: WorkerSettings,
    pub(super) ports: Ports,
    pub(super) services: Services,
    pub(super) running: Arc<Running>,
    pub(super) settler: Settler,
    /// Cancelled once the worker shuts down: what has not started by then goes to another node.
    pub(super) draining: CancellationToken,
}

/// Why a delivery is left to its lease: settling it is no longer this node's to do.
struct Abandoned;

/// How a delivery is settled, and what its attempt cost.
type Settled = (Verdict, Duration);

/// A delivery that the node has taken on, with what it holds until it is settled.
pub(super) struct Taken {
    delivery: Delivery,
    place: Place,
    stop: Stop,
    held: Held,
}

impl Pipeline {
    /// Takes a delivery on: its lease is renewed from now on.
    pub(super) fn take(&self, delivery: Delivery, place: Place, token: TaskTrackerToken) -> Taken {
        let stop = Stop::new();
        let weight = self.ports.tenants.terms(&delivery.lease.tenant).share().weight;
        let place = place.of(&delivery.lease.tenant, weight);
        let entered = self.running.enter(&delivery.lease, stop.clone());
        Taken { delivery, place, stop, held: Held::new(entered, token) }
    }

    /// Serves deliveries that came together, each on a task of its own once they are admitted.
    pub(super) async fn process_all(self: Arc<Self>, taken: Vec<Taken>) {
        if self.draining.is_cancelled() {
            for one in taken {
                self.settle(one, Verdict::GiveBack, Duration::ZERO).await;
            }
            return;
        }
        let taken = self.settle_suspended(taken).await;
        let admissions = self.admit(&taken.iter().map(|one| &one.delivery).collect::<Vec<_>>()).await;
        let mut each = taken.into_iter().zip(admissions);
        let last = each.next_back();
        for (one, admission) in each {
            tokio::spawn(Arc::clone(&self).process(one, admission));
        }
        if let Some((one, admission)) = last {
            self.process(one, admission).await;
        }
    }

    /// Serves one delivery. Its place on the node and its lease are held until it is settled.
    async fn process(self: Arc<Self>, taken: Taken, admission: Result<Admission, StoreError>) {
        match self.serve(&taken.delivery, &taken.stop, admission).await {
            Ok((verdict, cost)) => self.settle(taken, verdict, cost).await,
            Err(Abandoned) => tracing::info!(request = %taken.delivery.request.id, "left to the next holder of its lease"),
        }
    }

    async fn settle(&self, taken: Taken, verdict: Verdict, cost: Duration) {
        let Taken { delivery, place, held, .. } = taken;
        let settlement = settlement(delivery, verdict, cost);
        self.settler.settle(Settling { settlement, place, held }).await;
    }

    /// What was handed out before the tenant was suspended waits, and no more comes after it.
    async fn settle_suspended(&self, taken: Vec<Taken>) -> Vec<Taken> {
        let suspended = |one: &Taken| self.ports.tenants.terms(&one.delivery.lease.tenant).suspended;
        let (waiting, rest): (Vec<_>, Vec<_>) = taken.into_iter().partition(suspended);
        for one in waiting {
            self.settle(one, Verdict::RetryAfter(SUSPENDED_WAIT), Duration::ZERO).await;
        }
        rest
    }

    async fn serve(&self, delivery: &Delivery, stop: &Stop, admission: Result<Admission, StoreError>) -> Result<Settled, Abandoned> {
        let admission = match admission {
            Err(StoreError::Unavailable(_)) => self.patiently(stop, || self.admit_one(delivery)).await?,
            Err(StoreError::Malformed(text)) => Err(text),
            Ok(admission) => Ok(admission),
        };
        match admission {
            Ok(Admission::Run { module, retries }) => self.run(delivery, stop, module, retries).await,
            Ok(Admission::Forget(reason)) => {
                tracing::info!(request = %delivery.request.id, reason, "not run");
                self.clear_state(delivery).await;
                Ok((Verdict::Done, Duration::ZERO))
            }
            Ok(Admission::Abandon) => Err(Abandoned),
            Ok(Admission::Refuse { state, exception, dead }) => {
                let dead = dead.then(|| exception.to_string());
                let value = Value::Exception(exception);
                self.finish(delivery, stop, Ending::unrun(state, value, dead)).await
            }
            Err(malformed) => {
                let value = Value::Exception(failure("Malformed", malformed.clone()));
                self.finish(delivery, stop, Ending::unrun(State::Failure, value, Some(malformed))).await
            }
        }
    }

    async fn admit_one(&self, delivery: &Delivery) -> Result<Admission, StoreError> {
        let admission = self.admit(&[delivery]).await.into_iter().next();
        admission.unwrap_or_else(|| Err(StoreError::Unavailable("no answer to an admission".to_owned())))
    }

    async fn run(&self, delivery: &Delivery, stop: &Stop, module: Served, retries: u32) -> Result<Settled, Abandoned> {
        let context = Arc::new(self.context(delivery, stop));
        let mut execution = self.execute(&context, module.digest).await;
        execution.receipt.queued_us = u64::try_from(delivery.queued.as_micros()).unwrap_or(u64::MAX);
        execution.receipt.http = context.http_use();
        execution.receipt.node_id = Some(self.settings.node_id.clone());
        execution.receipt.signed_by = module.signed_by;
        let cost = Duration::from_micros(execution.receipt.cpu_us);
        self.ports.meter.add(&delivery.lease.tenant, Usage::of_attempt(&execution.receipt));
        let circumstances = Circumstances {
            request: &delivery.request,
            limits: context.limits(),
            retries,
            fence: delivery.lease.fence,
            stop: stop.reason(),
        };
        match classify(execution.outcome.clone(), &circumstances) {
            Next::Finish { state, value, dead } => {
                let report = Some(Box::new(report(delivery, execution, &value)));
                self.finish(delivery, stop, Ending { report, ..Ending::of(&context, state, value, dead) }).await
            }
            Next::Again { verdict, .. } if context.is_suspended() => Ok((verdict, cost)),
            Next::Again { step, verdict } => {
                Ok((self.step(delivery, stop, context.unstored_start(), step).await?.unwrap_or(verdict), cost))
            }
            // The result is REVOKED already, as a rule, and stays as it is; were it not, waiters would wait for ever.
            Next::Acknowledge => {
                let value = Value::Exception(failure("Revoked", "the request was revoked".into()));
                self.finish(delivery, stop, Ending::of(&context, State::Revoked, value, None)).await
            }
            Next::Abandon => Err(Abandoned),
        }
    }

    fn context(&self, delivery: &Delivery, stop: &Stop) -> TaskContext {
        let at = Timestamp::now();
        let identity = AttemptIdentity {
            lease: delivery.lease.clone(),
            request: Arc::clone(&delivery.request),
            terms: self.ports.tenants.terms(&delivery.lease.tenant),
            stop: stop.clone(),
            at,
            deadline: remaining(delivery, at),
        };
        TaskContext::new(self.services.clone(), identity)
    }

    async fn execute(&self, context: &Arc<TaskContext>, module: Digest) -> Execution {
        if context.deadline() == Some(Duration::ZERO) {
            return Execution::without_run(Outcome::DeadlinePassed);
        }
        tokio::select! {
            biased;
            execution = self.ports.executor.execute(Attempt { module, context: Arc::clone(context) }) => execution,
            never = store_start_later(context) => never,
        }
    }

    async fn finish(&self, delivery: &Delivery, stop: &Stop, ending: Ending) -> Result<Settled, Abandoned> {
        let Ending { start, state, value, dead, report, waits, kept_state } = ending;
        let cost = report.as_ref().map_or(Duration::ZERO, |report| Duration::from_micros(report.receipt.cpu_us));
        let step = Transition::Finish { state, value, at: Timestamp::now(), report, waits, kept_state };
        let used = Usage { requests: 1, ..Usage::stored(step.size()) };
        let refused = self.step(delivery, stop, start, step).await?;
        match refused {
            Some(_) => self.clear_state(delivery).await,
            None => self.ports.meter.add(&delivery.lease.tenant, used),
        }
        let verdict = refused.unwrap_or_else(|| dead.map_or(Verdict::Done, Verdict::Reject));
        Ok((verdict, cost))
    }

    /// Takes a step of the result; the verdict that follows where the result does not take it.
    async fn step(
        &self,
        delivery: &Delivery,
        stop: &Stop,
        start: Option<Start>,
        transition: Transition,
    ) -> Result<Option<Verdict>, Abandoned> {
        let (tenant, id, fence) = (delivery.lease.tenant.clone(), delivery.request.id, delivery.lease.fence);
        let step = Arc::new(Step { tenant, id, fence, start, transition });
        match self.patiently(stop, || self.services.recorder.record(&step)).await? {
            Ok(Transitioned::Applied) => Ok(None),
            // Written by an earlier try whose answer was lost, or revoked by somebody else, who leaves the state behind.
            Ok(Transitioned::Final(found)) if matches!(step.transition, Transition::Finish { state, .. } if state == found) => {
                self.clear_state(delivery).await;
                Ok(None)
            }
            Ok(Transitioned::Final(state)) => {
                tracing::info!(request = %id, %state, "the result is final already and stays as it is");
                Ok(Some(Verdict::Done))
            }
            Ok(Transitioned::Missing) => {
                tracing::warn!(request = %id, "the result is gone");
                Ok(Some(Verdict::Done))
            }
            Ok(Transitioned::Fenced) => Err(Abandoned),
            Err(malformed) => Ok(Some(Verdict::Reject(malformed))),
        }
    }

    /// State that stays behind is gone after two hours anyway, so an error here holds nothing up.
    async fn clear_state(&self, delivery: &Delivery) {
        if let Err(error) = self.ports.state.clear(&delivery.lease.tenant, delivery.request.id, None).await {
            tracing::warn!(request = %delivery.request.id, %error, "state not cleared");
        }
    }

    /// Calls the store until it answers; gives up once the lease is lost or the drain's time is over. Data that makes no sense is
    /// no reason to try again: its text is returned as the inner error.
    async fn patiently<T, F>(&self, stop: &Stop, call: impl Fn() -> F) -> Result<Result<T, String>, Abandoned>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut failures = 0;
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(Ok(answer)),
                Err(StoreError::Malformed(text)) => return Ok(Err(text)),
                Err(error) => error,
            };
            failures += 1;
            tracing::warn!(%error, failures, "the store did not answer; trying again");
            // A revoked attempt was stopped for good, yet its settlement is still to be made.
            let given_up = async {
                stop.forced().await;
                if stop.reason() == Some(StopReason::Revoked) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = tokio::time::sleep(Backoff::CALLS.wait(failures)) => {}
                () = given_up => return Err(Abandoned),
            }
        }
    }
}

/// How a request ends for good.
struct Ending {
    /// The start of its last attempt, where that may not be stored yet.
    start: Option<Start>,
    state: State,
    value: Value,
    dead: Option<String>,
    report: Option<Box<Report>>,
    waits: Waits,
    kept_state: bool,
}

impl Ending {
    /// Of a request that is not run.
    fn unrun(state: State, value: Value, dead: Option<String>) -> Self {
        Self { start: None, state, value, dead, report: None, waits: Waits::default(), kept_state: true }
    }

    /// By an attempt.
    fn of(context: &TaskContext, state: State, value: Value, dead: Option<String>) -> Self {
        let (start, kept_state) = (context.unstored_start(), context.may_have_state());
        Self { start, waits: context.waits(), kept_state, ..Self::unrun(state, value, dead) }
    }
}

/// Stores the start of an attempt that still runs after a moment. Where that fails, its next host call or its end says why.
async fn store_start_later<T>(context: &TaskContext) -> T {
    tokio::time::sleep(START_STORED_AFTER).await;
    if let Err(error) = context.store_start().await {
        tracing::info!(request = %context.request().id, %error, "the start of an attempt is not stored");
    }
    std::future::pending().await
}

fn failure(kind: &str, message: String) -> Exception {
    Exception::Failed { kind: kind.to_owned(), message, traceback: String::new() }
}

fn remaining(delivery: &Delivery, start: Timestamp) -> Option<Duration> {
    let deadline = delivery.request.deadline?;
    Some(Duration::try_from(deadline.remaining(start)).unwrap_or(Duration::ZERO))
}

fn report(delivery: &Delivery, execution: Execution, value: &Value) -> Report {
    let error = match value {
        Value::Success(_) => None,
        Value::Exception(exception) => Some(exception.to_string()),
    };
    let Execution { receipt, log, dropped_lines, .. } = execution;
    Report { attempt: delivery.lease.fence, receipt, error, log, dropped_lines }
}

fn settlement(delivery: Delivery, verdict: Verdict, cost: Duration) -> Settlement {
    match verdict {
        Verdict::Done => delivery.done(cost),
        Verdict::RetryAfter(wait) => delivery.retry_after(wait, cost),
        Verdict::GiveBack => delivery.give_back(cost),
        Verdict::Reject(reason) => delivery.reject(reason, cost),
    }
}
