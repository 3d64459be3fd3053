//! Submission: the one way in for a request, from a client or from a task. Result first, then the message, as Mognet does.

mod quota;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::broker::{BrokerError, Submission};
use crate::entries::check_key;
use crate::ids::{QueueName, RequestId, Tenant};
use crate::intake::Intake;
use crate::limits::{Bound, Limits};
use crate::request::{MAX_PRIORITY, Request};
use crate::store::StoreError;
use crate::tenants::{Tenants, Terms};
use crate::usage::{Meter, Usage};
use crate::wire::repr::kwargs_repr;

pub use quota::Quotas;

/// The most arguments of a request: each costs more than its bytes.
pub const MAX_ARGUMENTS: usize = 1_000;

/// Takes requests in.
pub struct Submitter {
    intake: Arc<dyn Intake>,
    tenants: Arc<Tenants>,
    quotas: Option<Quotas>,
    meter: Arc<Meter>,
}

/// Why a request was not taken. Nothing of it is queued.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Something about it is malformed.
    #[error("{0}")]
    Invalid(String),
    /// It is over a bound.
    #[error("{text}")]
    OverBound {
        /// Which.
        bound: Bound,
        /// Its value and how to raise it.
        text: String,
    },
    /// The tenant takes no new requests.
    #[error("tenant {0} is suspended: it takes no requests until its operator resumes it")]
    Suspended(Tenant),
    /// The result store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker failed. The result may exist, PENDING; submitting again with the same id is safe.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

impl Submitter {
    /// Takes requests in, within these bounds.
    #[must_use]
    pub fn new(intake: Arc<dyn Intake>, limits: Limits) -> Self {
        Self::of_tenants(intake, Arc::new(Tenants::alike(limits)), Arc::default())
    }

    /// Takes requests in, each within the bounds of its tenant. What is stored of them is added to the meter.
    #[must_use]
    pub fn of_tenants(intake: Arc<dyn Intake>, tenants: Arc<Tenants>, meter: Arc<Meter>) -> Self {
        Self { intake, tenants, quotas: None, meter }
    }

    /// The same, within tenants' quotas as well.
    #[must_use]
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Self { quotas: Some(quotas), ..self }
    }

    /// Takes a request in, to be handed out after `delay`. Submitting an id again while it waits or runs changes nothing.
    ///
    /// # Errors
    /// Where the request is malformed or over a bound, or store or broker fail.
    pub async fn submit(&self, tenant: &Tenant, request: Request, delay: Duration) -> Result<RequestId, SubmitError> {
        let id = request.id;
        self.submit_all(tenant, vec![request], delay).await?;
        Ok(id)
    }

    /// Takes many requests of a tenant in, as [`Self::submit`] does each, in a fraction of the time: the store is asked for all of
    /// them at once, and the broker takes them in one call.
    ///
    /// # Errors
    /// As [`Self::submit`]. Where one is malformed or over a bound, none is taken. Where store or broker fail, some may be: submitting all
    /// of them again, with the same ids, is safe.
    pub async fn submit_all(&self, tenant: &Tenant, requests: Vec<Request>, delay: Duration) -> Result<Vec<RequestId>, SubmitError> {
        let terms = self.tenants.terms(tenant);
        let queues = requests.iter().map(|request| check(request, &terms.limits)).collect::<Result<Vec<_>, _>>()?;
        let bytes = requests.iter().map(stored_size).sum();
        self.permit(tenant, &terms, requests.len(), bytes).await?;
        let ids = requests.iter().map(|request| request.id).collect();
        let submissions = requests.into_iter().zip(queues).map(|(request, queue)| submission(tenant, request, queue, delay));
        self.intake.take_in(submissions.collect(), Timestamp::now()).await?;
        self.meter.add(tenant, Usage::stored(bytes));
        Ok(ids)
    }

    async fn permit(&self, tenant: &Tenant, terms: &Terms, number: usize, bytes: usize) -> Result<(), SubmitError> {
        if terms.suspended {
            return Err(SubmitError::Suspended(tenant.clone()));
        }
        match &self.quotas {
            Some(quotas) => quotas.take(tenant, &terms.limits, number, bytes).await,
            None => Ok(()),
        }
    }
}

fn check(request: &Request, limits: &Limits) -> Result<QueueName, SubmitError> {
    check_bounds(request, limits)?;
    if request.priority > MAX_PRIORITY {
        return Err(SubmitError::Invalid(format!("invalid priority {}: expected 0 to {MAX_PRIORITY}", request.priority)));
    }
    match &request.queue_name {
        Some(name) => name.parse().map_err(|error: crate::ids::InvalidName| SubmitError::Invalid(error.to_string())),
        None => Ok(QueueName::default()),
    }
}

/// Bytes that a request stores, roughly.
fn stored_size(request: &Request) -> usize {
    request.argument_size() + request.metadata.size()
}

/// Whether a request carries no more than it may: also for one that came from elsewhere, whose submitter knew no bounds.
///
/// # Errors
/// Where it does; the text names the bound.
pub(crate) fn check_bounds(request: &Request, limits: &Limits) -> Result<(), SubmitError> {
    let arguments = request.args.len() + request.kwargs.len();
    if arguments > MAX_ARGUMENTS {
        return Err(SubmitError::Invalid(format!("{arguments} arguments, at most {MAX_ARGUMENTS} are allowed: pass a list instead")));
    }
    let sizes = [
        (request.argument_size(), Bound::Arguments),
        (request.metadata.len(), Bound::MetadataKeys),
        (request.metadata.size(), Bound::Metadata),
    ];
    if let Some((_, bound)) = sizes.into_iter().find(|(size, bound)| *size > limits.length(*bound)) {
        return Err(over(bound, limits));
    }
    let mut keys = request.metadata.iter().chain(request.kwargs.iter()).map(|(key, _)| key);
    keys.try_for_each(check_key).map_err(|error| SubmitError::Invalid(error.to_string()))
}

fn over(bound: Bound, limits: &Limits) -> SubmitError {
    SubmitError::OverBound { bound, text: limits.explain(bound) }
}

fn submission(tenant: &Tenant, mut request: Request, queue: QueueName, delay: Duration) -> Submission {
    if request.kwargs_repr.is_none() {
        request.kwargs_repr = Some(kwargs_repr(&request.args, &request.kwargs));
    }
    Submission { tenant: tenant.clone(), queue, request: Arc::new(request), delay }
}
