//! Values on the command line: JSON, or a bare word that is taken as a string where it cannot be mistaken for JSON.

use std::time::Duration;

use clap::ValueEnum;
use jiff::SignedDuration;
use mogbox_core::entries::check_key;
use mogbox_core::limits::Unit;
use mogbox_core::{Entries, Isolation, Json};

/// Bytes of one value; the system's own bound on an argument is lower.
const MAX_VALUE: usize = 16 << 20;

/// Words that other languages use for JSON's own, and numbers that JSON lacks.
const NEARLY_JSON: [&str; 9] = ["True", "False", "None", "NaN", "nan", "Infinity", "inf", "undefined", "nil"];

/// Reads a value: `3`, `"text"`, `[1, 2]`, `{"a": null}`, or a bare word such as `@dol` that stands for a string.
pub(super) fn parse_value(text: &str) -> Result<Json, String> {
    match Json::parse(text, MAX_VALUE) {
        Ok(json) => Ok(json),
        Err(_) if is_bare_word(text) => Ok(Json::string(text)),
        Err(error) => Err(format!("{} is {error}; {}", shown(text), advice(text))),
    }
}

/// Whether a text that is no JSON is meant as a string: it does not begin as JSON does, and is none of the near misses.
fn is_bare_word(text: &str) -> bool {
    let begins_like_json = text.starts_with(|c: char| "[{\"'-+".contains(c) || c.is_ascii_digit() || c.is_whitespace() || c.is_control());
    !text.is_empty() && !begins_like_json && !NEARLY_JSON.contains(&text)
}

fn advice(text: &str) -> String {
    let instead = match text {
        "True" => Some("true"),
        "False" => Some("false"),
        "None" | "undefined" | "nil" => Some("null"),
        _ => None,
    };
    if let Some(instead) = instead {
        return format!("write {instead}, or {} for a string", quoted(text));
    }
    if text.starts_with('{') || text.starts_with('[') {
        return "put the whole value between single quotes so that the shell leaves it alone: '{\"key\": [1, 2]}'".to_owned();
    }
    format!("for a string write {}", quoted(text))
}

/// A text as a string's JSON between the shell's single quotes.
fn quoted(text: &str) -> String {
    let short: String = text.trim_matches(['"', '\'']).chars().take(40).collect();
    format!("'{}'", Json::string(&short))
}

fn shown(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}

/// Reads `key=json`.
pub(super) fn parse_entry(text: &str) -> Result<(String, Json), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{} has no '=': expected key=json", shown(text)))?;
    if key.is_empty() {
        return Err(format!("{} has no key: expected key=json", shown(text)));
    }
    check_key(key).map_err(|error| error.to_string())?;
    Ok((key.to_owned(), parse_value(value)?))
}

/// Reads an object of arguments by name.
pub(super) fn parse_object(text: &str) -> Result<Entries, String> {
    let malformed = |error: serde_json::Error| format!("{} is no JSON object: {error}; expected one such as '{{\"n1\": 1}}'", shown(text));
    serde_json::from_str(text).map_err(malformed)
}

/// Reads a length of time.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    parsed.ok_or_else(|| format!("{} is no length of time: expected one such as 500ms, 30s, 5m or 1h30m", shown(text)))
}

/// Reads a number of bytes.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    Unit::Bytes.parse(text).ok_or_else(|| format!("{} is no size: expected one such as 512MiB or 8GiB", shown(text)))
}

/// [`Isolation`], as it is written on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Tier {
    /// In the node's own process.
    Shared,
    /// In one that serves their tenant alone.
    Process,
}

impl From<Tier> for Isolation {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Shared => Self::Shared,
            Tier::Process => Self::Process,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_as_it_is() {
        for text in ["3", "3.0", "-1e3", "null", "true", "\"text\"", "[1, \"a\"]", "{\"a\":{}}", "\"\""] {
            assert_eq!(parse_value(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_bare_word_is_a_string() {
        for text in ["@dol", "hello", "hello world", "a=b", "/path/to", "ünïcödé", "true-ish", "nullable"] {
            assert_eq!(parse_value(text).unwrap(), Json::string(text));
        }
    }

    #[test]
    fn what_was_meant_as_json_is_refused_with_the_way_to_write_it() {
        let advice = |text| parse_value(text).unwrap_err();
        assert!(advice("True").ends_with("write true, or '\"True\"' for a string"), "{}", advice("True"));
        assert!(advice("2026-11-25").ends_with("for a string write '\"2026-11-25\"'"), "{}", advice("2026-11-25"));
        assert!(advice("{a: 1}").contains("single quotes"), "{}", advice("{a: 1}"));
        assert!(advice("").starts_with("\"\" is not valid JSON"), "{}", advice(""));
        for bad in ["[1,", "\"open", "'a'", "01", "-x", "NaN", " "] {
            assert!(parse_value(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_entry_ends_its_key_at_the_first_equals_sign() {
        assert_eq!(parse_entry("by=a=b").unwrap(), ("by".to_owned(), Json::string("a=b")));
        assert_eq!(parse_entry("n=[1]").unwrap().1.as_str(), "[1]");
        assert_eq!(parse_entry("novalue").unwrap_err(), "\"novalue\" has no '=': expected key=json");
        assert_eq!(parse_entry("=1").unwrap_err(), "\"=1\" has no key: expected key=json");
    }

    #[test]
    fn lengths_of_time_have_units() {
        assert_eq!(parse_duration("1m30s").unwrap(), Duration::from_secs(90));
        assert_eq!(parse_duration("500ms").unwrap(), Duration::from_millis(500));
        for bad in ["30", "-5s", "soon", ""] {
            assert!(parse_duration(bad).unwrap_err().contains("such as 500ms, 30s"), "{bad}");
        }
    }
}
