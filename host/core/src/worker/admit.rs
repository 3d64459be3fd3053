//! Whether a delivery is run at all: Mognet's rules 1 to 4, in their order.

use jiff::Timestamp;

use super::pipeline::Pipeline;
use crate::broker::Delivery;
use crate::ids::Digest;
use crate::limits::Bound;
use crate::request::Request;
use crate::result::{Exception, RequestResult, State};
use crate::store::StoreError;

/// What becomes of a delivery before it runs.
pub(super) enum Admission {
    /// Run it.
    Run {
        /// In this module.
        module: Digest,
        /// Further attempts that the task asked for so far.
        retries: u32,
    },
    /// Forget it: its result is gone, or final already.
    Forget(&'static str),
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

impl Pipeline {
    /// Decides whether a delivery runs.
    pub(super) async fn admit(&self, delivery: &Delivery) -> Result<Admission, StoreError> {
        let request = &delivery.request;
        let tenant = &delivery.lease.tenant;
        if request.stack.len() > self.settings.limits.length(Bound::Depth) {
            return self.too_deep(delivery).await;
        }
        let ids: Vec<_> = std::iter::once(request.id).chain(request.stack.iter().copied()).collect();
        let mut results = self.ports.results.read(tenant, &ids).await?.into_iter();
        let result = results.next().flatten();
        let result = match self.check_result(delivery, result) {
            Ok(result) => result,
            Err(admission) => return Ok(admission),
        };
        if let Some(admission) = check_ancestors(request, results) {
            return Ok(admission);
        }
        if request.deadline.and_then(|deadline| deadline.moment()).is_some_and(|moment| moment <= Timestamp::now()) {
            return Ok(refuse(State::Revoked, Exception::Timeout));
        }
        Ok(match self.ports.catalog.serving(tenant, &request.name).await? {
            Some(module) => Admission::Run { module, retries: result.retries },
            None => refuse(State::Invalid, Exception::UnknownTask(request.name.to_string())),
        })
    }

    /// Ancestors of a stack that is too long are not looked up: there may be any number.
    async fn too_deep(&self, delivery: &Delivery) -> Result<Admission, StoreError> {
        let found = self.ports.results.read(&delivery.lease.tenant, &[delivery.request.id]).await?;
        let checked = self.check_result(delivery, found.into_iter().next().flatten());
        Ok(checked.map_or_else(|admission| admission, |_| refuse(State::Failure, Exception::RecursionLimit)))
    }

    fn check_result(&self, delivery: &Delivery, result: Option<RequestResult>) -> Result<RequestResult, Admission> {
        let Some(result) = result else {
            return Err(Admission::Forget("its result is gone"));
        };
        if result.state.is_final() {
            return Err(Admission::Forget("it is done already"));
        }
        // The broker counts hand-outs that ended with their node even before a start was written.
        let actual = result.unexpected_retries().max(delivery.expiries);
        let max = u32::try_from(self.settings.limits.retries).unwrap_or(u32::MAX);
        if actual > max {
            let exception = Exception::TooManyRetries { id: result.id, actual, max };
            return Err(Admission::Refuse { state: State::Failure, exception, dead: true });
        }
        Ok(result)
    }
}

/// The texts are Mognet's: its clients may look for them.
fn check_ancestors(request: &Request, results: impl Iterator<Item = Option<RequestResult>>) -> Option<Admission> {
    request.stack.iter().zip(results).find_map(|(id, result)| match result {
        None => Some(revoked(format!("Parent request id={id} does not exist"))),
        Some(result) if result.state == State::Revoked => Some(revoked(format!("Parent request id={id} was revoked"))),
        Some(_) => None,
    })
}

fn revoked(message: String) -> Admission {
    refuse(State::Revoked, Exception::Failed { kind: "Revoked".into(), message, traceback: String::new() })
}
