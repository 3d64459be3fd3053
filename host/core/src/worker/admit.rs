//! Whether a delivery is run at all: Mognet's rules 1 to 4, in their order.

use futures::future::join_all;
use jiff::Timestamp;

use super::pipeline::Pipeline;
use crate::broker::Delivery;
use crate::ids::Digest;
use crate::limits::Bound;
use crate::result::{Exception, State};
use crate::store::{Beginning, Begun, StoreError};

/// What becomes of a delivery before it runs.
pub(super) enum Admission {
    /// Run it: it is started.
    Run {
        /// In this module.
        module: Digest,
        /// Further attempts that the task asked for so far.
        retries: u32,
        /// When it started.
        at: Timestamp,
    },
    /// Forget it: its result is gone, or final already.
    Forget(&'static str),
    /// Somebody else holds it by now.
    Abandon,
    /// It never runs: a final state and its error.
    Refuse {
        /// The final state.
        state: State,
        /// The error.
        exception: Exception,
        /// Whether the request goes to the dead letters.
        dead: bool,
    },
}

fn refuse(state: State, exception: Exception) -> Admission {
    Admission::Refuse { state, exception, dead: false }
}

/// What follows where result, retries and ancestors allow a delivery to run.
enum Plan {
    Run(Digest),
    Refuse(State, Exception),
}

impl Pipeline {
    /// Decides which deliveries run, and starts those: one call to the store for all of them. The answers are in their order.
    pub(super) async fn admit(&self, deliveries: &[&Delivery]) -> Vec<Result<Admission, StoreError>> {
        let plans = join_all(deliveries.iter().map(|delivery| self.plan(delivery))).await;
        let at = Timestamp::now();
        let planned: Vec<Beginning> = deliveries.iter().zip(&plans).filter_map(|(one, plan)| self.beginning(one, plan, at)).collect();
        let mut begun = self.ports.results.begin(&planned).await.into_iter();
        let admitted = plans.into_iter().zip(deliveries).map(|(plan, delivery)| {
            let plan = plan?;
            let begun = begun.next().unwrap_or_else(|| Err(StoreError::Unavailable("no answer to a beginning".to_owned())))?;
            Ok(self.admission(delivery, plan, begun, at))
        });
        admitted.collect()
    }

    async fn plan(&self, delivery: &Delivery) -> Result<Plan, StoreError> {
        let request = &delivery.request;
        if request.stack.len() > self.settings.limits.length(Bound::Depth) {
            return Ok(Plan::Refuse(State::Failure, Exception::RecursionLimit));
        }
        if request.deadline.and_then(|deadline| deadline.moment()).is_some_and(|moment| moment <= Timestamp::now()) {
            return Ok(Plan::Refuse(State::Revoked, Exception::Timeout));
        }
        Ok(match self.ports.catalog.serving(&delivery.lease.tenant, &request.name).await? {
            Some(module) => Plan::Run(module),
            None => Plan::Refuse(State::Invalid, Exception::UnknownTask(request.name.to_string())),
        })
    }

    /// None where nothing is planned. Ancestors of a stack that is too long are not looked up: there may be any number.
    fn beginning(&self, delivery: &Delivery, plan: &Result<Plan, StoreError>, at: Timestamp) -> Option<Beginning> {
        let plan = plan.as_ref().ok()?;
        let looks_up = !matches!(plan, Plan::Refuse(_, Exception::RecursionLimit));
        Some(Beginning {
            tenant: delivery.lease.tenant.clone(),
            id: delivery.request.id,
            fence: delivery.lease.fence,
            ancestors: if looks_up { delivery.request.stack.clone() } else { Vec::new() },
            // The broker counts hand-outs that ended with their node even before a start was written.
            expiries: delivery.expiries,
            max_unexpected: self.max_retries(),
            start: matches!(plan, Plan::Run(_)).then(|| (self.settings.node_id.clone(), at)),
        })
    }

    fn max_retries(&self) -> u32 {
        u32::try_from(self.settings.limits.retries).unwrap_or(u32::MAX)
    }

    /// The texts are Mognet's: its clients may look for them.
    fn admission(&self, delivery: &Delivery, plan: Plan, begun: Begun, at: Timestamp) -> Admission {
        let id = delivery.request.id;
        match (begun, plan) {
            (Begun::Missing, _) => Admission::Forget("its result is gone"),
            (Begun::Final(_), _) => Admission::Forget("it is done already"),
            (Begun::Fenced, _) => Admission::Abandon,
            (Begun::TooManyRetries(actual), _) => {
                let exception = Exception::TooManyRetries { id, actual, max: self.max_retries() };
                Admission::Refuse { state: State::Failure, exception, dead: true }
            }
            (Begun::Orphaned { ancestor, revoked: true }, _) => revoked(format!("Parent request id={ancestor} was revoked")),
            (Begun::Orphaned { ancestor, revoked: false }, _) => revoked(format!("Parent request id={ancestor} does not exist")),
            (Begun::Admitted { .. }, Plan::Refuse(state, exception)) => refuse(state, exception),
            (Begun::Admitted { retries }, Plan::Run(module)) => Admission::Run { module, retries, at },
        }
    }
}

fn revoked(message: String) -> Admission {
    refuse(State::Revoked, Exception::Failed { kind: "Revoked".into(), message, traceback: String::new() })
}
