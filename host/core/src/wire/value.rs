//! The value of a result: `{"value_type", "raw_value"}`, and how it is packed into a hash.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::WireError;
use super::exception::{self, ExceptionInfo};
use crate::json::{Json, Kind};
use crate::limits::Bound;
use crate::result::Value;

/// Bytes of the largest value that is ever read, after unpacking: the largest result allowed and room for what surrounds it.
#[expect(clippy::cast_possible_truncation, reason = "64 MiB")]
pub const MAX_STORED: usize = Bound::Result.maximum() as usize + (1 << 20);

/// Values up to this size gain too little from compression.
const PLAIN_UP_TO: usize = 1 << 10;

const EXCEPTION_TYPE: &str = "mognet.model.result:_ExceptionInfo";
const GZIP: &str = "\"gzip\"";
const PLAIN: &str = "null";
const JSON: &str = "\"application/json\"";

#[derive(Deserialize)]
struct Holder<'a> {
    value_type: String,
    #[serde(borrow)]
    raw_value: &'a RawValue,
}

/// A value as JSON text.
#[must_use]
pub fn encode_value(value: &Value) -> String {
    match value {
        Value::Success(json) => holder(python_type(json.kind()), json.as_str()),
        Value::Exception(exception) => holder(EXCEPTION_TYPE, &exception::info(exception).to_json()),
    }
}

/// `value_type` is one of our constants: the client imports the class it names.
fn holder(value_type: &'static str, raw_value: &str) -> String {
    format!("{{\"value_type\":\"{value_type}\",\"raw_value\":{raw_value}}}")
}

const fn python_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "builtins:NoneType",
        Kind::Bool => "builtins:bool",
        Kind::Int => "builtins:int",
        Kind::Float => "builtins:float",
        Kind::Str => "builtins:str",
        Kind::List => "builtins:list",
        Kind::Dict => "builtins:dict",
    }
}

/// The value that a JSON text holds. An exception is read from its texts; the pickle beside them is never looked at.
///
/// # Errors
/// Where the text is not what Mognet or Mogbox writes, or is nested too deep.
pub fn decode_value(text: &str) -> Result<Value, WireError> {
    let malformed = |error: &dyn std::fmt::Display| WireError::malformed("value", text, error);
    let holder: Holder<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    let raw_value = holder.raw_value.get();
    if holder.value_type == EXCEPTION_TYPE {
        let info: ExceptionInfo = serde_json::from_str(raw_value).map_err(|error| malformed(&error))?;
        return Ok(Value::Exception(exception::from_info(info)));
    }
    Json::parse(raw_value, MAX_STORED).map(Value::Success).map_err(|error| malformed(&error))
}

/// A value as it lies in its hash: three fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredValue {
    /// The value's JSON, compressed or not.
    pub contents: Vec<u8>,
    /// `"gzip"` with its quotes, or `null`.
    pub encoding: &'static str,
    /// `"application/json"` with its quotes.
    pub content_type: &'static str,
}

impl StoredValue {
    /// Packs a value; it is compressed only where that gains.
    #[must_use]
    pub fn pack(value: &Value) -> Self {
        let plain = encode_value(value).into_bytes();
        match compress(&plain) {
            Some(contents) => Self { contents, encoding: GZIP, content_type: JSON },
            None => Self { contents: plain, encoding: PLAIN, content_type: JSON },
        }
    }

    /// Unpacks the fields `contents` and `encoding` to at most `limit` bytes of JSON and reads the value.
    ///
    /// # Errors
    /// Where the encoding is unknown, the contents are malformed, or they unpack to more than `limit` bytes.
    pub fn unpack(contents: &[u8], encoding: &str, limit: usize) -> Result<Value, WireError> {
        match encoding {
            GZIP => decode_bytes(&decompress(contents, limit)?),
            PLAIN if contents.len() > limit => Err(WireError::TooLarge { what: "a value", limit }),
            PLAIN => decode_bytes(contents),
            other => Err(WireError::malformed("encoding", other, "expected \"gzip\" or null")),
        }
    }
}

fn compress(plain: &[u8]) -> Option<Vec<u8>> {
    if plain.len() <= PLAIN_UP_TO {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().filter(|packed| packed.len() < plain.len())
}

/// Stops at the first byte over the limit, however much the contents claim to hold.
fn decompress(contents: &[u8], limit: usize) -> Result<Vec<u8>, WireError> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(contents).take(most).read_to_end(&mut plain);
    read.map_err(|error| WireError::malformed("gzip contents", &String::from_utf8_lossy(contents), error))?;
    if plain.len() > limit { Err(WireError::TooLarge { what: "a value", limit }) } else { Ok(plain) }
}

fn decode_bytes(contents: &[u8]) -> Result<Value, WireError> {
    let text = std::str::from_utf8(contents).map_err(|error| WireError::malformed("value", &String::from_utf8_lossy(contents), error))?;
    decode_value(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::result::Exception;

    fn success(text: &str) -> Value {
        Value::Success(Json::parse(text, MAX_STORED).unwrap())
    }

    fn failed(message: &str) -> Value {
        Value::Exception(Exception::Failed { kind: "Oops".into(), message: message.into(), traceback: String::new() })
    }

    #[test]
    fn values_are_written_as_mognet_writes_them_byte_for_byte() {
        let lines = include_str!("../../../../tests/data/mognet/values.txt");
        assert_eq!(lines.lines().count(), 7);
        for line in lines.lines() {
            assert_eq!(encode_value(&decode_value(line).unwrap()), line);
        }
    }

    #[test]
    fn no_value_chooses_a_class() {
        for text in [r#""os:system""#, r#"{"value_type":"os:system","raw_value":1}"#, r#"["\",\"value_type\":\"os:system"]"#] {
            let written: serde_json::Value = serde_json::from_str(&encode_value(&success(text))).unwrap();
            assert!(written["value_type"].as_str().unwrap().starts_with("builtins:"), "{written}");
            assert_eq!(written["raw_value"], serde_json::from_str::<serde_json::Value>(text).unwrap());
        }
    }

    #[test]
    fn a_type_of_mognets_own_users_is_read_as_its_json() {
        let read = decode_value(r#"{"value_type":"my.models:Order","raw_value":{"n":1.0}}"#).unwrap();
        assert_eq!(read, success(r#"{"n":1.0}"#));
    }

    #[test]
    fn what_mognet_compressed_is_read() {
        let captured: serde_json::Value = serde_json::from_str(include_str!("../../../../tests/data/mognet/gzip.json")).unwrap();
        let digits = captured["contents"].as_str().unwrap();
        let contents: Vec<u8> = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
        let value = StoredValue::unpack(&contents, captured["encoding"].as_str().unwrap(), 1_000).unwrap();
        assert_eq!(encode_value(&value), r#"{"value_type":"builtins:int","raw_value":3}"#);
    }

    #[test]
    fn only_what_gains_is_compressed() {
        let packed = StoredValue::pack(&success(&format!("\"{}\"", "x".repeat(2_000))));
        assert_eq!((packed.encoding, packed.content_type), ("\"gzip\"", "\"application/json\""));
        assert!(packed.contents.len() < 200);
        let small = StoredValue::pack(&success("3"));
        assert_eq!(small.encoding, "null");
        assert_eq!(small.contents, br#"{"value_type":"builtins:int","raw_value":3}"#);
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let bomb = compress(&vec![b' '; 50_000_000]).unwrap();
        assert!(bomb.len() < 300_000);
        let error = StoredValue::unpack(&bomb, GZIP, 1_000).unwrap_err();
        assert_eq!(error, WireError::TooLarge { what: "a value", limit: 1_000 });
        assert_eq!(StoredValue::unpack(&[b' '; 1_001], PLAIN, 1_000).unwrap_err(), error);
    }

    #[test]
    fn what_is_no_value_is_named() {
        let cases = [
            (&b"{}"[..], PLAIN, "malformed value \"{}\": missing field `value_type`"),
            (b"\xff", PLAIN, "malformed value"),
            (b"zip", GZIP, "malformed gzip contents \"zip\""),
            (b"{}", "\"zstd\"", "malformed encoding \"\\\"zstd\\\"\": expected \"gzip\" or null"),
            (br#"{"value_type":"mognet.model.result:_ExceptionInfo","raw_value":null}"#, PLAIN, "malformed value"),
        ];
        for (contents, encoding, expected) in cases {
            let error = StoredValue::unpack(contents, encoding, 1_000).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back_as_it_was_packed(message in any::<String>(), times in 1usize..200) {
            let message = message.repeat(times);
            prop_assume!(message.len() < 64 << 10);
            for value in [failed(&message), Value::Success(Json::string(&message))] {
                let packed = StoredValue::pack(&value);
                prop_assert_eq!(StoredValue::unpack(&packed.contents, packed.encoding, MAX_STORED).unwrap(), value);
            }
        }

        #[test]
        fn any_contents_are_read_or_refused(contents in any::<Vec<u8>>()) {
            for encoding in [GZIP, PLAIN] {
                if let Err(error) = StoredValue::unpack(&contents, encoding, 1_000) {
                    prop_assert!(error.to_string().len() < 2_000);
                }
            }
        }
    }
}
