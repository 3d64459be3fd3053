//! Every error that the API answers: one table of stable codes, each with its status, title and meaning, sent as RFC 9457
//! problem details. The public text is in the problem; what only the operator may know goes to the log.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mogbox_core::broker::BrokerError;
use mogbox_core::catalog::CatalogError;
use mogbox_core::entries::InvalidKey;
use mogbox_core::executor::Rejected;
use mogbox_core::ids::InvalidName;
use mogbox_core::module::ModuleConflict;
use mogbox_core::revoke::RevokeError;
use mogbox_core::store::StoreError;
use mogbox_core::submit::SubmitError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a problem.
pub(super) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Declares every code once: its name on the wire, HTTP status, title and meaning.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $status:ident $title:literal;)*) => {
        /// What kind of problem it is. Stable: clients decide by it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "kebab-case")]
        pub(crate) enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The HTTP status.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// One line for people, the same for every problem of this kind.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// The body is no JSON, or not of the shape that the route takes. The detail says where.
    MalformedBody BAD_REQUEST "the body does not fit";
    /// A parameter of the query is malformed.
    MalformedQuery BAD_REQUEST "the query does not fit";
    /// An id, name, key or digest in path or query is malformed.
    InvalidName BAD_REQUEST "a name or id is malformed";
    /// The `Host` or `Origin` header names something else than this machine: a web page of somebody else's may not call the API.
    ForeignCaller FORBIDDEN "the call comes from another site";
    /// Calls need a token, and this one has none.
    TokenRequired UNAUTHORIZED "a token is needed";
    /// The token is malformed, unknown or was removed.
    TokenRefused UNAUTHORIZED "the token is refused";
    /// The token is not good for this call.
    ScopeMissing FORBIDDEN "the token is not good for this";
    /// The tenant takes no new requests until its operator resumes it.
    TenantSuspended FORBIDDEN "the tenant is suspended";
    /// There is no such tenant, or not for this caller.
    TenantNotFound NOT_FOUND "no such tenant";
    /// There is no such token.
    TokenNotFound NOT_FOUND "no such token";
    /// There is nothing at this path.
    NoSuchRoute NOT_FOUND "no such route";
    /// The path exists, the method does not.
    MethodNotAllowed METHOD_NOT_ALLOWED "method not allowed";
    /// The tenant has no request of that id.
    RequestNotFound NOT_FOUND "no such request";
    /// The node takes no requests from that queue.
    QueueNotFound NOT_FOUND "no such queue";
    /// The result has no metadata under that key.
    MetadataNotFound NOT_FOUND "no such metadata";
    /// The tenant has no module of that name, or no such version of it.
    ModuleNotFound NOT_FOUND "no such module";
    /// The client sends too slowly.
    SlowClient REQUEST_TIMEOUT "the request took too long to arrive";
    /// Another active module serves one of the tasks.
    TaskTaken CONFLICT "another module serves the task";
    /// The tenant has as many modules as it may have.
    TooManyModules CONFLICT "too many modules";
    /// Others change the same modules at the same time; trying again helps.
    Busy CONFLICT "others change it at the same time";
    /// The version is the active one of its module.
    VersionActive CONFLICT "the version is active";
    /// There is a tenant of that name.
    TenantExists CONFLICT "the tenant exists";
    /// Nobody could make tokens any more.
    LastToken CONFLICT "nobody could make tokens any more";
    /// Over a bound; the detail names it, its value and how to raise it.
    OverBound PAYLOAD_TOO_LARGE "over a bound";
    /// Something about the record of a tenant or token is not allowed. The detail says what is.
    InvalidRecord UNPROCESSABLE_ENTITY "the record is not valid";
    /// Something about the request is not allowed. The detail says what is.
    InvalidRequest UNPROCESSABLE_ENTITY "the request is not valid";
    /// No active module serves the task. The detail names those that are served.
    UnknownTask UNPROCESSABLE_ENTITY "no module serves the task";
    /// The module is no component, imports what is not allowed, or serves nothing. The detail says which.
    ModuleRefused UNPROCESSABLE_ENTITY "the module is refused";
    /// The tenant takes signed modules only, and there is no signature that counts. The detail names the keys.
    SignatureRequired UNPROCESSABLE_ENTITY "a signature is required";
    /// The signature is malformed, by a key that is not asked for, or not of these bytes. The detail names the keys.
    SignatureRefused UNPROCESSABLE_ENTITY "the signature is refused";
    /// Other bytes arrived than those of the digest that was named.
    DigestMismatch UNPROCESSABLE_ENTITY "other bytes arrived";
    /// A fault of Mogbox's own. The log has more.
    Internal INTERNAL_SERVER_ERROR "an error of the node";
    /// Store or broker do not answer; trying again may help.
    Unavailable SERVICE_UNAVAILABLE "the node's store or broker does not answer";
    /// As many calls wait as the node lets wait; asking again soon helps.
    TooManyWaits SERVICE_UNAVAILABLE "too many calls wait";
    /// The node cannot take requests now. The detail says why.
    NotReady SERVICE_UNAVAILABLE "the node is not ready";
}

/// A problem as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    /// Its kind.
    pub(crate) code: Code,
    /// The HTTP status, again.
    pub(crate) status: u16,
    /// The kind in words.
    pub(crate) title: String,
    /// What happened this time, and what is allowed.
    pub(crate) detail: String,
}

impl Problem {
    /// A problem of this kind. `detail` is public.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, status: code.status().as_u16(), title: code.title().to_owned(), detail: detail.into() }
    }

    /// A fault whose cause goes to the log only.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "a call of the API failed");
        Self::new(Code::Internal, "the node's log says more")
    }

    fn unavailable(cause: &dyn std::fmt::Display) -> Self {
        tracing::warn!(error = %cause, "a call of the API found no store or broker");
        Self::new(Code::Unavailable, "the node's store or broker does not answer: try again, and see GET /readyz")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], axum::Json(self)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mogbox\""));
        }
        response
    }
}

impl From<InvalidName> for Problem {
    fn from(error: InvalidName) -> Self {
        Self::new(Code::InvalidName, error.to_string())
    }
}

impl From<InvalidKey> for Problem {
    fn from(error: InvalidKey) -> Self {
        Self::new(Code::InvalidName, error.to_string())
    }
}

impl From<Rejected> for Problem {
    fn from(error: Rejected) -> Self {
        Self::new(Code::ModuleRefused, error.0)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::unavailable(&error),
            StoreError::Malformed(_) => Self::internal(&error),
        }
    }
}

impl From<BrokerError> for Problem {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Unavailable(_) => Self::unavailable(&error),
            BrokerError::Malformed(_) => Self::internal(&error),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Invalid(text) => Self::new(Code::InvalidRequest, text),
            SubmitError::OverBound { text, .. } => Self::new(Code::OverBound, text),
            error @ SubmitError::Suspended(_) => Self::new(Code::TenantSuspended, error.to_string()),
            SubmitError::Store(error) => error.into(),
            SubmitError::Broker(error) => error.into(),
        }
    }
}

impl From<RevokeError> for Problem {
    fn from(error: RevokeError) -> Self {
        match error {
            RevokeError::Store(error) => error.into(),
            RevokeError::Broker(error) => error.into(),
        }
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        let code = match error {
            CatalogError::Store(error) => return error.into(),
            CatalogError::Busy(_) => Code::Busy,
            CatalogError::Conflict(ModuleConflict::TaskTaken { .. }) => Code::TaskTaken,
            CatalogError::Conflict(ModuleConflict::NotFound(_)) => Code::ModuleNotFound,
            CatalogError::Conflict(ModuleConflict::Active { .. }) => Code::VersionActive,
            CatalogError::Conflict(ModuleConflict::TooMany) => Code::TooManyModules,
            CatalogError::Conflict(ModuleConflict::TooLarge { .. }) => Code::OverBound,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_stands_for_success_and_each_has_a_title_of_its_own() {
        let titles: std::collections::HashSet<_> = Code::ALL.iter().map(|code| code.title()).collect();
        assert_eq!(titles.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| code.status().is_client_error() || code.status().is_server_error()));
    }

    #[test]
    fn every_code_is_documented_with_its_status() {
        let page = include_str!("../../../API.md");
        for code in Code::ALL {
            let name = serde_json::to_value(code).unwrap();
            let row = format!("| `{}` | {} | ", name.as_str().unwrap(), code.status().as_u16());
            assert!(page.contains(&row), "host/API.md has no row {row}");
        }
    }

    #[test]
    fn a_problem_reads_back_with_its_code_in_words() {
        let problem = Problem::new(Code::UnknownTask, "no module");
        let text = serde_json::to_string(&problem).unwrap();
        assert!(text.contains(r#""code":"unknown-task","status":422"#), "{text}");
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
    }

    #[test]
    fn what_a_store_says_stays_in_the_log() {
        let problem = Problem::from(StoreError::Unavailable("redis at 10.0.0.1 said no".into()));
        assert_eq!(problem.code, Code::Unavailable);
        assert!(!problem.detail.contains("10.0.0.1"));
    }
}
