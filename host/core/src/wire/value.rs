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
