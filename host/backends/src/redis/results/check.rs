//! Whether attempts may start. Read by plain commands: a script would cost the server several times as much.

use mogbox_core::result::State;
use mogbox_core::store::{Beginning, Begun, StoreError};
use redis::Pipeline;

use super::writes::read_state;
use crate::error::BackendError;
use crate::redis::{RedisConnection, keys};
use crate::results::{self, CHUNK, Standing, apart};

/// What the answer depends on; of an ancestor, the first alone.
const FIELDS: [&str; 5] = ["state", "attempt", "number_of_starts", "number_of_stops", "retries"];

/// A key, and which of its fields are asked for.
type Question = (String, &'static [&'static str]);

/// The fields; none where there is no such key. What makes no sense there is the answer for this key alone.
type Found = Result<Option<Vec<Option<Vec<u8>>>>, StoreError>;

/// Answers in the order of `beginnings`.
pub(super) async fn check(connection: &RedisConnection, beginnings: &[Beginning]) -> Result<Vec<Result<Begun, StoreError>>, BackendError> {
    let mut questions: Vec<Question> = Vec::new();
    for one in beginnings {
        questions.push((keys::result(&one.tenant, one.id), &FIELDS));
        questions.extend(one.ancestors.iter().map(|ancestor| (keys::result(&one.tenant, *ancestor), &FIELDS[..1])));
    }
    let mut found = read(connection, &questions).await?.into_iter();
    Ok(beginnings.iter().map(|one| begun(one, found.by_ref().take(1 + one.ancestors.len()).collect())).collect())
}

/// `found` is of the result and then of its ancestors.
fn begun(one: &Beginning, found: Vec<Found>) -> Result<Begun, StoreError> {
    let mut found = found.into_iter();
    let mut next = || found.next().unwrap_or(Ok(None));
    let standing = next()?.map(|fields| standing(one, fields)).transpose()?;
    let revoked = |fields: Vec<Option<Vec<u8>>>| fields.first() == Some(&Some(b"\"REVOKED\"".to_vec()));
    results::begun(one, standing.as_ref(), |_| Ok(next()?.map(revoked)))
}

/// A result without a state is PENDING: Mognet's client leaves such. Where it is final, nothing else matters.
fn standing(one: &Beginning, fields: Vec<Option<Vec<u8>>>) -> Result<Standing, StoreError> {
    let mut fields = fields.into_iter().map(|field| field.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    let mut next = || fields.next().flatten();
    let state = next().map_or(Ok(State::Pending), |text| read_state(&text))?;
    let mut number = || match next() {
        Some(text) if !state.is_final() => text.parse().map_err(|_| no_number(one)),
        _ => Ok(0),
    };
    Ok(Standing { state, attempt: number()?, starts: number()?, stops: number()?, retries: number()? })
}

fn no_number(one: &Beginning) -> StoreError {
    StoreError::Malformed(format!("result {} has a number that is none", keys::result(&one.tenant, one.id)))
}

async fn read(connection: &RedisConnection, questions: &[Question]) -> Result<Vec<Found>, BackendError> {
    let mut found = Vec::with_capacity(questions.len());
    for chunk in questions.chunks(CHUNK) {
        let mut commands = Pipeline::with_capacity(chunk.len());
        for (key, fields) in chunk {
            commands.cmd("HMGET").arg(key).arg(*fields);
        }
        let answers = connection.each(&mut commands).await?.into_iter();
        let answers: Vec<_> = answers.map(apart).collect::<Result<_, _>>()?;
        found.extend(answers.into_iter().map(|answer| answer.map(Some)));
    }
    forget_missing(connection, questions, &mut found).await?;
    Ok(found)
}

/// What has no state may not be there at all.
async fn forget_missing(connection: &RedisConnection, questions: &[Question], found: &mut [Found]) -> Result<(), BackendError> {
    let stateless = |found: &Found| matches!(found, Ok(Some(fields)) if fields.first() == Some(&None));
    let mut doubtful: Vec<_> = questions.iter().zip(found).filter(|(_, found)| stateless(found)).collect();
    for chunk in doubtful.chunks_mut(CHUNK) {
        let mut commands = Pipeline::with_capacity(chunk.len());
        for ((key, _), _) in &*chunk {
            commands.cmd("EXISTS").arg(key);
        }
        let exist: Vec<bool> = connection.pipeline(&commands).await?;
        for ((_, found), exists) in chunk.iter_mut().zip(exist) {
            if !exists {
                **found = Ok(None);
            }
        }
    }
    Ok(())
}
