//! `/v1/dead-letters`: messages that are no request and requests that were given up, with the reason.

use axum::Json as JsonBody;
use axum::extract::State;
use mogbox_core::broker::DeadLetter;
use serde::Deserialize;

use super::Api;
use super::access::Caller;
use super::extract::Parameters;
use super::problem::{Code, Problem};
use super::types::DeadLetterList;

/// The most letters of one answer.
const MOST: usize = 1_000;

/// Bytes of all bodies of one answer. Each is at most 64 KiB, and may take six times that as JSON.
const MOST_BYTES: usize = 16 << 20;

/// How many to list: `?most=N`, 1 to 1,000; 100 where absent.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// How many; 100 where absent.
    #[param(minimum = 1, maximum = 1000)]
    most: Option<usize>,
}

impl Wanted {
    fn parse(&self) -> Result<usize, Problem> {
        let most = self.most.unwrap_or(100);
        if (1..=MOST).contains(&most) {
            return Ok(most);
        }
        Err(Problem::new(Code::MalformedQuery, format!("cannot list {most} dead letters: expected 1 to {MOST}")))
    }
}

/// The newest dead letters of the queues that this node takes requests from, newest first.
#[utoipa::path(
    get,
    path = "/v1/dead-letters",
    tag = "dead-letters",
    params(Wanted),
    security(("bearer" = ["read"])),
    responses((status = 200, body = DeadLetterList, description = "newest first"))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Caller(tenant): Caller,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<JsonBody<DeadLetterList>, Problem> {
    let letters = api.broker.dead_letters(&tenant, wanted.parse()?).await?;
    Ok(JsonBody(within(MOST_BYTES, letters)))
}

/// As many letters as fit into so many bytes of bodies.
fn within(bytes: usize, mut letters: Vec<DeadLetter>) -> DeadLetterList {
    let mut taken = 0_usize;
    let fitting = letters.iter().take_while(|letter| {
        taken = taken.saturating_add(letter.body.len());
        taken <= bytes
    });
    let fitting = fitting.count();
    let left_off = letters.len() - fitting;
    letters.truncate(fitting);
    DeadLetterList { dead_letters: letters, left_off }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_letters_is_bounded() {
        let wanted = |most| Wanted { most }.parse().map_err(|problem| problem.code);
        assert_eq!([None, Some(1), Some(1_000)].map(wanted), [Ok(100), Ok(1), Ok(1_000)]);
        assert_eq!([0, 1_001, usize::MAX].map(|most| wanted(Some(most))), [Err(Code::MalformedQuery); 3]);
    }

    #[test]
    fn letters_beyond_the_bytes_of_an_answer_are_left_off_and_counted() {
        let letter = |body: &str| DeadLetter {
            queue: mogbox_core::QueueName::default(),
            body: body.to_owned(),
            reason: String::new(),
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let list = within(5, vec![letter("123"), letter("45"), letter("6"), letter("")]);
        assert_eq!((list.dead_letters.len(), list.left_off), (2, 2));
    }
}
