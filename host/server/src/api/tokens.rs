//! `/v1/tokens`: made, listed and removed by operators. A token is in the answer to its making, and nowhere else.

use axum::Json as JsonBody;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use mogbox_core::Tenant;
use mogbox_core::tokens::{Grant, LONGEST_NOTE, MOST_TOKENS, Scope, Token, TokenRecord};

use super::Api;
use super::access::{Operator, record};
use super::extract::{FRAME, TokenId, read_json};
use super::problem::{Code, Problem};
use super::types::{NewToken, TokenCreated, TokenList, TokenView};

/// Makes a token.
#[utoipa::path(
    post,
    path = "/v1/tokens",
    tag = "tokens",
    request_body = NewToken,
    security(("bearer" = ["admin"])),
    responses((status = 201, body = TokenCreated, description = "it is made, and shown here only"))
)]
pub(super) async fn create(State(api): State<Api>, _: Operator, body: Body) -> Result<(StatusCode, JsonBody<TokenCreated>), Problem> {
    let over = || Problem::new(Code::OverBound, format!("the body is over {FRAME} bytes"));
    let NewToken { admin, tenant, scopes, note } = read_json(body, FRAME, over).await?;
    if note.len() > LONGEST_NOTE || note.chars().any(char::is_control) {
        return Err(Problem::new(
            Code::InvalidRecord,
            format!("invalid note: expected at most {LONGEST_NOTE} bytes without control characters"),
        ));
    }
    let grant = granted(&api, admin, tenant, scopes).await?;
    let number = api.gate.tokens().count().await?;
    if number >= MOST_TOKENS {
        return Err(Problem::new(Code::InvalidRecord, format!("there are {number} tokens, which is the most that may be: remove some")));
    }
    // With the first token the API closes, and only an operator can make more.
    if number == 0 && grant != Grant::Admin {
        return Err(Problem::new(Code::LastToken, "the first token must be an operator's: nobody could make more"));
    }
    let token = Token::random();
    let record = TokenRecord { digest: token.digest(), grant, note, created: Timestamp::now(), last_used: None };
    api.gate.tokens().put(&record).await?;
    api.gate.close();
    tracing::info!(token = record.id(), grant = ?record.grant, "made a token");
    Ok((StatusCode::CREATED, JsonBody(TokenCreated { token: token.reveal().to_owned(), view: record.into() })))
}

async fn granted(api: &Api, admin: bool, tenant: Option<Tenant>, mut scopes: Vec<Scope>) -> Result<Grant, Problem> {
    match (admin, tenant) {
        (true, None) if scopes.is_empty() => Ok(Grant::Admin),
        (false, Some(tenant)) if !scopes.is_empty() => {
            record(api, &tenant).await?;
            scopes.sort_unstable();
            scopes.dedup();
            Ok(Grant::Tenant { tenant, scopes })
        }
        _ => Err(Problem::new(
            Code::InvalidRecord,
            "a token is either an operator's ({\"admin\": true}) or a tenant's ({\"tenant\": NAME, \"scopes\": [...]}, some of read, \
             submit, upload)",
        )),
    }
}

/// All tokens, without what lets anybody in, the newest first.
#[utoipa::path(
    get,
    path = "/v1/tokens",
    tag = "tokens",
    security(("bearer" = ["admin"])),
    responses((status = 200, body = TokenList, description = "the newest first"))
)]
pub(super) async fn list(State(api): State<Api>, _: Operator) -> Result<JsonBody<TokenList>, Problem> {
    let mut records = api.gate.tokens().list().await?;
    records.sort_by_key(|record| std::cmp::Reverse(record.created));
    Ok(JsonBody(TokenList { tokens: records.into_iter().map(TokenView::from).collect() }))
}

/// Removes a token: whoever holds it is refused from now on.
#[utoipa::path(
    delete,
    path = "/v1/tokens/{token}",
    tag = "tokens",
    security(("bearer" = ["admin"])),
    responses((status = 200, body = TokenView, description = "it is removed"))
)]
pub(super) async fn remove(State(api): State<Api>, _: Operator, TokenId(id): TokenId) -> Result<JsonBody<TokenView>, Problem> {
    let records = api.gate.tokens().list().await?;
    let known = || Problem::new(Code::TokenNotFound, format!("there is no token {id}"));
    let record = records.iter().find(|record| record.id() == id).ok_or_else(known)?;
    let operators = records.iter().filter(|record| record.grant == Grant::Admin).count();
    if record.grant == Grant::Admin && operators == 1 {
        return Err(Problem::new(Code::LastToken, "this is the last token of an operator: make another first"));
    }
    api.gate.tokens().remove(&[record.digest]).await?;
    tracing::info!(token = id, "removed a token");
    Ok(JsonBody(record.clone().into()))
}
