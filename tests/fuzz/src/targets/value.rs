//! `value`: a stored value, compressed or not. The first byte of the input says how the rest is stored.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use mogbox_core::result::Value;
use mogbox_core::wire::value::{StoredValue, decode_value, encode_value};

use crate::Target;
use crate::targets::check_error;

const LIMIT: usize = 64 << 10;

pub(crate) const TARGET: Target = Target { name: "value", run, seeds, short_run: 3_000 };

fn run(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    let read = match how {
        b'p' => StoredValue::unpack(rest, "null", LIMIT),
        b'g' => StoredValue::unpack(rest, "\"gzip\"", LIMIT),
        b'c' => StoredValue::unpack(&compressed(rest), "\"gzip\"", LIMIT),
        b'b' => StoredValue::unpack(&compressed(&rest[..rest.len().min(16)].repeat(10_000)), "\"gzip\"", LIMIT),
        _ => StoredValue::unpack(rest, &String::from_utf8_lossy(&rest[..rest.len().min(300)]), LIMIT),
    };
    match read {
        Ok(value) => check(value),
        Err(error) => check_error(&error),
    }
}

/// No value chooses a class for a client to import, and each is read again as it was.
fn check(value: Value) {
    let packed = StoredValue::pack(&value);
    let again = StoredValue::unpack(&packed.contents, packed.encoding, usize::MAX).expect("what is packed is unpacked");
    let text = encode_value(&value);
    let holder: serde_json::Value = serde_json::from_str(&text).expect("a value is JSON");
    let class = holder["value_type"].as_str().expect("a value has a type");
    match value {
        Value::Success(_) => assert!(class.starts_with("builtins:"), "{class}"),
        Value::Exception(_) => assert_eq!(class, "mognet.model.result:_ExceptionInfo"),
    }
    assert_eq!(again, decode_value(&text).expect("what is written is read"));
    if let Value::Success(_) = value {
        assert_eq!(again, value);
    }
}

fn compressed(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

fn seeds() -> Vec<Vec<u8>> {
    let plain = crate::lines(include_str!("../../../data/mognet/values.txt"));
    let captured: serde_json::Value =
        serde_json::from_str(include_str!("../../../data/mognet/exceptions.json")).expect("captured exceptions");
    let exceptions = captured.as_object().expect("exceptions by name").values();
    let exception = |info| format!(r#"{{"value_type":"mognet.model.result:_ExceptionInfo","raw_value":{info}}}"#).into_bytes();
    let plain: Vec<_> = plain.into_iter().chain(exceptions.map(exception)).collect();
    let marked = |how: u8, contents: &[u8]| [&[how], contents].concat();
    let packed = plain.iter().map(|contents| marked(b'g', &compressed(contents)));
    let bombs = [marked(b'b', b"          "), marked(b'g', &[compressed(b"{"), compressed(b"}")].concat())];
    plain.iter().map(|contents| marked(b'p', contents)).chain(packed).chain(bombs).collect()
}
