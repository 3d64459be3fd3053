//! The hash of a result: fields that are each JSON text.

use std::collections::HashMap;

use jiff::{Timestamp, Unit};
use serde::de::DeserializeOwned;

use super::WireError;
use crate::ids::RequestId;
use crate::result::{RequestResult, State};

/// RFC 3339 in UTC with microseconds, such as `2026-11-25T06:18:10.181918Z`.
#[must_use]
pub fn timestamp(moment: Timestamp) -> String {
    format!("{:.6}", truncate(moment))
}

/// A moment without what is finer than microseconds, which the wire does not carry.
#[must_use]
pub fn truncate(moment: Timestamp) -> Timestamp {
    let round = jiff::TimestampRound::new().smallest(Unit::Microsecond).mode(jiff::RoundMode::Trunc);
    moment.round(round).unwrap_or(moment)
}

/// A text as JSON.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A moment as JSON.
#[must_use]
pub fn quoted_timestamp(moment: Timestamp) -> String {
    quoted(&timestamp(moment))
}

/// The fields of a result's hash, each value JSON text: Mognet's eleven, and `retries` while it counts.
#[must_use]
pub fn result_fields(result: &RequestResult) -> Vec<(&'static str, String)> {
    let mut fields = mognet_fields(result);
    if result.retries > 0 && !result.state.is_final() {
        fields.push(("retries", result.retries.to_string()));
    }
    fields
}

fn mognet_fields(result: &RequestResult) -> Vec<(&'static str, String)> {
    vec![
        ("id", quoted(&result.id.to_string())),
        ("name", or_null(result.name.as_deref(), quoted)),
        ("state", quoted(result.state.as_str())),
        ("number_of_starts", result.number_of_starts.to_string()),
        ("number_of_stops", result.number_of_stops.to_string()),
        ("parent_id", or_null(result.parent_id, |id| quoted(&id.to_string()))),
        ("created", or_null(result.created, quoted_timestamp)),
        ("started", or_null(result.started, quoted_timestamp)),
        ("finished", or_null(result.finished, quoted_timestamp)),
        ("node_id", or_null(result.node_id.as_deref(), quoted)),
        ("request_kwargs_repr", or_null(result.request_kwargs_repr.as_deref(), quoted)),
    ]
}

fn or_null<T>(value: Option<T>, write: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "null".to_owned(), write)
}

/// The result that a hash holds. Unknown fields are ignored; a field that is absent has Mognet's default, as in the hash that
/// its client creates by asking for a result that does not exist: the id alone.
///
/// # Errors
/// Where the id is absent or a field's text is not what belongs there.
pub fn read_result(fields: impl IntoIterator<Item = (String, String)>) -> Result<RequestResult, WireError> {
    let fields: HashMap<String, String> = fields.into_iter().collect();
    let id: Option<RequestId> = read(&fields, "id")?;
    Ok(RequestResult {
        id: id.ok_or_else(|| WireError::malformed("id", "null", "a result needs one"))?,
        name: read(&fields, "name")?,
        state: read(&fields, "state")?.unwrap_or(State::Pending),
        number_of_starts: read(&fields, "number_of_starts")?.unwrap_or(0),
        number_of_stops: read(&fields, "number_of_stops")?.unwrap_or(0),
        parent_id: read(&fields, "parent_id")?,
        created: read(&fields, "created")?,
        started: read(&fields, "started")?,
        finished: read(&fields, "finished")?,
        node_id: read(&fields, "node_id")?,
        request_kwargs_repr: read(&fields, "request_kwargs_repr")?,
        retries: read(&fields, "retries")?.unwrap_or(0),
    })
}

/// A field's value; none where it is absent or `null`.
fn read<T: DeserializeOwned>(fields: &HashMap<String, String>, name: &'static str) -> Result<Option<T>, WireError> {
    let Some(text) = fields.get(name) else { return Ok(None) };
    serde_json::from_str(text).map_err(|error| WireError::malformed(name, text, error))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::entries::Entries;

    #[derive(Deserialize)]
    struct Captured {
        case: String,
        fields: Entries,
    }

    fn captured() -> Vec<(String, Vec<(String, String)>)> {
        let cases: Vec<Captured> = serde_json::from_str(include_str!("../../../../tests/data/mognet/results.json")).unwrap();
        let text = |entries: Entries| entries.into_iter().map(|(key, value)| (key, value.read().unwrap())).collect();
        cases.into_iter().map(|captured| (captured.case, text(captured.fields))).collect()
    }

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const ID: (&str, &str) = ("id", r#""00112233-4455-6677-8899-aabbccddeeff""#);

    #[test]
    fn every_captured_hash_is_read_and_written_in_the_same_order_and_bytes() {
        let captured = captured();
        assert!(captured.len() >= 9);
        for (case, fields) in captured {
            let result = read_result(fields.clone()).unwrap();
            let written: Vec<_> = result_fields(&result).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            assert_eq!(written, fields, "{case}");
        }
    }

    #[test]
    fn a_hash_with_an_id_alone_is_pending_as_mognets_client_reads_it() {
        let result = read_result(fields(&[ID, ("from_another_version", "not even JSON")])).unwrap();
        assert_eq!((result.state, result.number_of_starts, result.created), (State::Pending, 0, None));
    }

    #[test]
    fn retries_are_written_while_they_count() {
        let mut result = read_result(fields(&[ID, ("state", r#""SUSPENDED""#), ("retries", "2")])).unwrap();
        assert_eq!(result_fields(&result).last(), Some(&("retries", "2".to_owned())));
        result.state = State::Failure;
        assert_eq!(result_fields(&result).len(), 11);
    }

    #[test]
    fn a_text_that_does_not_belong_there_is_named_with_its_field() {
        let cases = [
            ("state", r#""DONE""#, "unknown variant `DONE`, expected one of `PENDING`"),
            ("state", "PENDING", "expected value"),
            ("number_of_starts", "-1", "expected u32"),
            ("created", r#""yesterday""#, "failed to parse"),
            ("node_id", "7", "expected a string"),
        ];
        for (name, value, reason) in cases {
            let error = read_result(fields(&[ID, (name, value)])).unwrap_err().to_string();
            assert!(error.starts_with(&format!("malformed {name} {value:?}: ")) && error.contains(reason), "{error}");
        }
        let error = read_result(fields(&[])).unwrap_err().to_string();
        assert_eq!(error, "malformed id \"null\": a result needs one");
    }

    #[test]
    fn times_have_microseconds_always() {
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(timestamp(moment("2026-01-01T01:02:04Z")), "2026-01-01T01:02:04.000000Z");
        assert_eq!(quoted_timestamp(moment("2026-01-01T03:02:04.123456999+02:00")), "\"2026-01-01T01:02:04.123456Z\"");
        assert_eq!(truncate(moment("2026-01-01T01:02:04.999999999Z")), moment("2026-01-01T01:02:04.999999Z"));
    }
}
