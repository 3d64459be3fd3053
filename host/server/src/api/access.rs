//! Who may call. Without any token, whoever reaches the loopback address may do everything, and other web sites are kept out; with one,
//! every call but those for a node's health and the API's description needs a token. What a handler needs is in its signature: an extractor
//! for each scope.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use mogbox_core::store::StoreError;
use mogbox_core::tokens::{Grant, Scope, Token, TokenRecord, TokenStore};
use mogbox_core::{Tenant, TenantRecord};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::extract::query;
use super::problem::{Code, Problem};
use super::{Api, guard};

/// How old the knowledge may be that there is no token.
const FRESH: Duration = Duration::from_secs(1);

/// A use is noted when the last one noted is this old.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Answers without a token.
const OPEN_PATHS: [&str; 3] = ["/healthz", "/readyz", "/v1/openapi.json"];

/// The tokens of a store, and whether any is needed.
pub(crate) struct Gate {
    tokens: Arc<dyn TokenStore>,
    /// Once there is a token, one is needed; also where a node listens to other machines.
    needed: AtomicBool,
    asked: Mutex<Option<Instant>>,
}

impl Gate {
    /// `always`: a token is needed even where there is none.
    pub(crate) fn new(tokens: Arc<dyn TokenStore>, always: bool) -> Self {
        Self { tokens, needed: AtomicBool::new(always), asked: Mutex::default() }
    }

    pub(crate) fn tokens(&self) -> &dyn TokenStore {
        self.tokens.as_ref()
    }

    /// From now on a token is needed.
    pub(crate) fn close(&self) {
        self.needed.store(true, Ordering::Relaxed);
    }

    /// Whether a token is needed. One that was made at another node is noticed within a second.
    pub(crate) async fn needs_token(&self) -> Result<bool, StoreError> {
        if self.needed.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|asked| asked.elapsed() >= FRESH) {
            let begun = Instant::now();
            if self.tokens.count().await? > 0 {
                self.close();
            }
            *asked = Some(begun);
        }
        Ok(self.needed.load(Ordering::Relaxed))
    }

    async fn admit(&self, token: &Token) -> Result<Access, Problem> {
        let Some(record) = self.tokens.find(&token.digest()).await? else {
            return Err(Problem::new(Code::TokenRefused, "the token is not known: it was removed, or is another node's"));
        };
        self.note_use(&record).await;
        Ok(match record.grant {
            Grant::Admin => Access::Everything,
            Grant::Tenant { tenant, scopes } => Access::Tenant(tenant, scopes),
        })
    }

    async fn note_use(&self, record: &TokenRecord) {
        let now = Timestamp::now();
        if record.last_used.is_none_or(|used| now.duration_since(used) >= NOTED_EVERY)
            && let Err(error) = self.tokens.used(&record.digest, now).await
        {
            tracing::debug!(%error, "the use of a token is not noted");
        }
    }
}

/// What a caller may do.
#[derive(Clone)]
pub(crate) enum Access {
    /// Everything, as any tenant.
    Everything,
    /// Some of what a tenant may do.
    Tenant(Tenant, Vec<Scope>),
}

/// Lets a call through with what its caller may do.
pub(crate) async fn authenticate(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let checked = if OPEN_PATHS.contains(&request.uri().path()) {
        Ok(None)
    } else {
        access(&api.gate, request.uri(), request.headers()).await.map(Some)
    };
    match checked {
        Ok(access) => {
            access.map(|access| request.extensions_mut().insert(access));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn access(gate: &Gate, uri: &Uri, headers: &HeaderMap) -> Result<Access, Problem> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let text = value.to_str().ok().and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = text.and_then(|(_, token)| token.trim().parse::<Token>().ok());
        let malformed = || Problem::new(Code::TokenRefused, "the header Authorization is malformed: expected `Bearer mogbox_…`");
        return gate.admit(&token.ok_or_else(malformed)?).await;
    }
    if gate.needs_token().await? {
        return Err(Problem::new(Code::TokenRequired, "a token is needed: send it in the header `Authorization: Bearer TOKEN`"));
    }
    guard::check(uri, headers)?;
    Ok(Access::Everything)
}

/// Whose request it is: `?tenant=NAME`.
#[derive(Deserialize)]
struct TenantQuery {
    tenant: Option<String>,
}

async fn tenant_for<S: Send + Sync>(scope: Scope, parts: &mut Parts, _: &S) -> Result<Tenant, Problem> {
    let named: Option<Tenant> = query::<TenantQuery>(parts)?.tenant.map(|name| name.parse()).transpose()?;
    match parts.extensions.get::<Access>() {
        Some(Access::Everything) => Ok(named.unwrap_or_default()),
        // The same answer whether there is such a tenant or not.
        Some(Access::Tenant(own, _)) if named.as_ref().is_some_and(|named| named != own) => Err(no_tenant(&named.unwrap_or_default())),
        Some(Access::Tenant(own, scopes)) if scopes.contains(&scope) => Ok(own.clone()),
        Some(Access::Tenant(_, scopes)) => Err(not_good_for(scope.name(), scopes)),
        None => Err(Problem::internal(&"a call passed without being let in")),
    }
}

pub(super) fn no_tenant(tenant: &Tenant) -> Problem {
    Problem::new(Code::TenantNotFound, format!("there is no tenant {tenant} here"))
}

fn not_good_for(scope: &str, scopes: &[Scope]) -> Problem {
    let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
    Problem::new(Code::ScopeMissing, format!("the token is good for {}, this call needs {scope}", names.join(", ")))
}

/// Declares who may call a handler: the tenant of a call whose token, if any is needed, is good for a scope.
macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident $scope:ident)*) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name(pub(crate) Tenant);

            impl<S: Send + Sync> FromRequestParts<S> for $name {
                type Rejection = Problem;

                async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                    tenant_for(Scope::$scope, parts, state).await.map(Self)
                }
            }
        )*
    };
}

callers! {
    /// May read what is the tenant's.
    Caller Read
    /// May submit and change what is the tenant's.
    Sender Submit
    /// May change the tenant's modules.
    Uploader Upload
}

/// May do everything: no tenant.
pub(crate) struct Operator;

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.extensions.get::<Access>() {
            Some(Access::Everything) => Ok(Self),
            Some(Access::Tenant(_, scopes)) => Err(not_good_for("admin", scopes)),
            None => Err(Problem::internal(&"a call passed without being let in")),
        }
    }
}

/// A tenant's record, for whoever asks for it by name.
pub(super) async fn record(api: &Api, tenant: &Tenant) -> Result<(u64, TenantRecord), Problem> {
    let snapshot = api.tenant_store.read(tenant).await?;
    snapshot.record.map(|record| (snapshot.revision, record)).ok_or_else(|| no_tenant(tenant))
}
