//! Whether a delivery is run at all: Mognet's rules 1 to 4, in their order.

use jiff::Timestamp;

use super::pipeline::Pipeline;
use crate::broker::Delivery;
use crate::limits::Bound;
use crate::module::Served;
use crate::result::{Exception, State};
use crate::store::{Beginning, Begun, StoreError};
use crate::submit::{SubmitError, check_bounds};

/// What becomes of a delivery before it runs.
pub(super) enum Admission {
    /// Run it.
    Run {
        /// In this module.
        module: Served,
        /// Further attempts that the task asked for so far.
        retries: u32,
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
    Run(Served),
    Refuse(State, Exception),
}

impl Pipeline {
    /// Decides which deliveries run: one call to the store for all of them. The answers are in their order.
    pub(super) async fn admit(&self, deliveries: &[&Delivery]) -> Vec<Result<Admission, StoreError>> {
        let wanted: Vec<_> = deliveries.iter().map(|delivery| (&delivery.lease.tenant, &delivery.request.name)).collect();
        let serving = match self.ports.catalog.serving_all(&wanted).await {
            Ok(serving) => serving,
            Err(error) => return deliveries.iter().map(|_| Err(error.clone())).collect(),
        };
        let plans: Vec<Plan> = deliveries.iter().zip(serving).map(|(delivery, module)| self.plan(delivery, module)).collect();
        let beginnings: Vec<Beginning> = deliveries.iter().zip(&plans).map(|(one, plan)| self.beginning(one, plan)).collect();
        let begun = self.ports.results.check(&beginnings).await;
        let admitted = begun.into_iter().zip(plans).zip(deliveries);
        admitted.map(|((begun, plan), delivery)| Ok(self.admission(delivery, plan, begun?))).collect()
    }

    fn plan(&self, delivery: &Delivery, serving: Option<Served>) -> Plan {
        let (request, terms) = (&delivery.request, self.ports.tenants.terms(&delivery.lease.tenant));
        if request.stack.len() > terms.limits.length(Bound::Depth) {
            return Plan::Refuse(State::Failure, Exception::RecursionLimit);
        }
        if request.deadline.and_then(|deadline| deadline.moment()).is_some_and(|moment| moment <= Timestamp::now()) {
            return Plan::Refuse(State::Revoked, Exception::Timeout);
        }
        match serving {
            Some(module) => check_bounds(request, &terms.limits).map_or_else(too_much, |()| Plan::Run(module)),
            None => Plan::Refuse(State::Invalid, Exception::UnknownTask(request.name.to_string())),
        }
    }

    /// Ancestors of a stack that is too long are not looked up: there may be any number.
    fn beginning(&self, delivery: &Delivery, plan: &Plan) -> Beginning {
        let looks_up = !matches!(plan, Plan::Refuse(_, Exception::RecursionLimit));
        Beginning {
            tenant: delivery.lease.tenant.clone(),
            id: delivery.request.id,
            fence: delivery.lease.fence,
            ancestors: if looks_up { delivery.request.stack.clone() } else { Vec::new() },
            // The broker counts hand-outs that ended with their node even before a start was stored.
            expiries: delivery.expiries,
            max_unexpected: self.max_retries(delivery),
        }
    }

    fn max_retries(&self, delivery: &Delivery) -> u32 {
        u32::try_from(self.ports.tenants.terms(&delivery.lease.tenant).limits.retries).unwrap_or(u32::MAX)
    }

    /// The texts are Mognet's: its clients may look for them.
    fn admission(&self, delivery: &Delivery, plan: Plan, begun: Begun) -> Admission {
        let id = delivery.request.id;
        match (begun, plan) {
            (Begun::Missing, _) => Admission::Forget("its result is gone"),
            (Begun::Final(_), _) => Admission::Forget("it is done already"),
            (Begun::Fenced, _) => Admission::Abandon,
            (Begun::TooManyRetries(actual), _) => {
                let exception = Exception::TooManyRetries { id, actual, max: self.max_retries(delivery) };
                Admission::Refuse { state: State::Failure, exception, dead: true }
            }
            (Begun::Orphaned { ancestor, revoked: true }, _) => revoked(format!("Parent request id={ancestor} was revoked")),
            (Begun::Orphaned { ancestor, revoked: false }, _) => revoked(format!("Parent request id={ancestor} does not exist")),
            (Begun::Admitted { .. }, Plan::Refuse(state, exception)) => refuse(state, exception),
            (Begun::Admitted { retries }, Plan::Run(module)) => Admission::Run { module, retries },
        }
    }
}

/// A request over a bound that its submitter did not know.
fn too_much(error: SubmitError) -> Plan {
    Plan::Refuse(State::Invalid, Exception::InvalidTaskArguments(vec![("request".to_owned(), error.to_string())]))
}

fn revoked(message: String) -> Admission {
    refuse(State::Revoked, Exception::Failed { kind: "Revoked".into(), message, traceback: String::new() })
}
