//! What guests say: keys, JSON and lists of them that mostly make sense, so that calls get further than their first check.

use arbitrary::{Arbitrary, Unstructured};

use super::{Program, few_bytes};

/// A key: mostly one of a few, so that some are met again.
#[derive(Debug)]
pub(crate) enum Key {
    Known(u8),
    Long(u16),
    Bytes(Vec<u8>),
}

impl<'a> Arbitrary<'a> for Key {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match input.arbitrary()? {
            // Not UTF-8, mostly, which ends the attempt.
            255 => Self::Bytes(few_bytes(input)?),
            1..=8 => Self::Long(input.arbitrary()?),
            number => Self::Known(number),
        })
    }
}

impl Key {
    pub(crate) fn write(&self, program: &mut Program) -> [u64; 2] {
        match self {
            Self::Known(number) => program.bytes(format!("k{}", number % 16).as_bytes()),
            Self::Long(length) => program.bytes("k".repeat(usize::from(length % 300)).as_bytes()),
            Self::Bytes(bytes) => program.bytes(bytes),
        }
    }
}

/// A text that is JSON, mostly.
#[derive(Debug)]
pub(crate) enum Text {
    Known(u8),
    Long(u16),
    Deep(u8),
    String(String),
    Bytes(Vec<u8>),
}

impl<'a> Arbitrary<'a> for Text {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match input.arbitrary()? {
            255 => Self::Bytes(few_bytes(input)?),
            1..=8 => Self::Deep(input.arbitrary()?),
            9..=32 => Self::Long(input.arbitrary()?),
            33..=64 => Self::String(input.arbitrary()?),
            number => Self::Known(number),
        })
    }
}

const KNOWN: [&str; 8] = ["1", "null", "\"x\"", "[1, 2.50]", "{\"a\":{\"b\":[]}}", "true", "-0", "\"\\ud83d\\ude00\""];

impl Text {
    pub(crate) fn write(&self, program: &mut Program) -> [u64; 2] {
        match self {
            Self::Known(number) => program.bytes(KNOWN[usize::from(*number) % KNOWN.len()].as_bytes()),
            Self::Long(length) => program.bytes(format!("\"{}\"", "x".repeat(usize::from(*length))).as_bytes()),
            Self::Deep(depth) => {
                program.bytes(format!("{}{}", "[".repeat(usize::from(*depth)), "]".repeat(usize::from(*depth))).as_bytes())
            }
            Self::String(text) => program.bytes(serde_json::Value::from(text.as_str()).to_string().as_bytes()),
            Self::Bytes(bytes) => program.bytes(bytes),
        }
    }

    /// A list of texts; address and number of them.
    pub(crate) fn write_all(texts: &[Self], program: &mut Program) -> [u64; 2] {
        let items: Vec<_> = texts.iter().map(|text| text.write(program)).collect();
        program.list(&items)
    }
}

/// A key with its value.
#[derive(Debug, Arbitrary)]
pub(crate) struct Entry(Key, Text);

impl Entry {
    /// A list of entries; address and number of them.
    pub(crate) fn write_all(entries: &[Self], program: &mut Program) -> [u64; 2] {
        let items: Vec<_> = entries.iter().flat_map(|Self(key, text)| [key.write(program), text.write(program)]).collect();
        let [at, halves] = program.list(&items);
        [at, halves / 2]
    }
}
