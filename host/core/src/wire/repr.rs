//! Arguments as Python shows them, for people: Mognet stores this text with a request and shows it in its errors. Reads each
//! argument from the left, and no further than what is shown.

use std::borrow::Cow;

use crate::entries::Entries;
use crate::json::Json;

/// Characters of one argument that are shown, as in Mognet.
const SHOWN: usize = 64;
/// Bytes after which no further argument is shown. Mognet has no such bound.
const MAX_TOTAL: usize = 4 << 10;
/// What stands for the rest of an argument, or of all arguments.
const MORE: &str = "...";

/// Each argument's Python `repr`, cut to 64 characters, joined; at most 4 KiB and one argument.
#[must_use]
pub fn kwargs_repr(args: &[Json], kwargs: &Entries) -> String {
    let positional = args.iter().map(|value| (None, value));
    let named = kwargs.iter().map(|(key, value)| (Some(key), value));
    let mut all = String::new();
    for (key, value) in positional.chain(named) {
        if !all.is_empty() {
            all.push_str(", ");
        }
        if all.len() > MAX_TOTAL {
            all.push_str(MORE);
            break;
        }
        if let Some(key) = key {
            all.push_str(key);
            all.push('=');
        }
        all.push_str(&argument(value));
    }
    all
}

fn argument(value: &Json) -> String {
    let mut shown = Shown { text: String::new(), room: SHOWN };
    if shown.json(value.as_str()).is_none() {
        shown.text.push_str(MORE);
    }
    shown.text
}

/// A text that takes so many more characters; what does not fit ends the work with none.
struct Shown {
    text: String,
    room: usize,
}

impl Shown {
    fn char(&mut self, c: char) -> Option<()> {
        self.room = self.room.checked_sub(1)?;
        self.text.push(c);
        Some(())
    }

    fn text(&mut self, text: &str) -> Option<()> {
        text.chars().try_for_each(|c| self.char(c))
    }

    /// A checked JSON text, token by token: Python's form of each makes Python's form of the whole.
    fn json(&mut self, mut rest: &str) -> Option<()> {
        while !rest.is_empty() {
            let (token, after) = rest.split_at_checked(token_length(rest)).unwrap_or((rest, ""));
            self.token(token)?;
            rest = after;
        }
        Some(())
    }

    fn token(&mut self, token: &str) -> Option<()> {
        match token.as_bytes().first() {
            Some(b'"') => self.string(&serde_json::from_str::<Cow<'_, str>>(token).unwrap_or_default()),
            Some(b'-' | b'0'..=b'9') => self.text(&number(token)),
            Some(b' ' | b'\t' | b'\r' | b'\n') => Some(()),
            Some(b'n') => self.text("None"),
            Some(b't') => self.text("True"),
            Some(b'f') => self.text("False"),
            Some(b',') => self.text(", "),
            Some(b':') => self.text(": "),
            _ => self.text(token),
        }
    }

    /// Single quotes, except around a text that has single and no double ones.
    fn string(&mut self, text: &str) -> Option<()> {
        let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
        self.char(quote)?;
        text.chars().try_for_each(|c| self.quoted_char(c, quote))?;
        self.char(quote)
    }

    fn quoted_char(&mut self, c: char, quote: char) -> Option<()> {
        match c {
            '\n' => self.text("\\n"),
            '\r' => self.text("\\r"),
            '\t' => self.text("\\t"),
            c if c == quote || c == '\\' => self.char('\\').and_then(|()| self.char(c)),
            c if is_printable(c) => self.char(c),
            c => self.text(&escaped(u32::from(c))),
        }
    }
}

/// Bytes of the token that a checked JSON text begins with.
fn token_length(text: &str) -> usize {
    let is_of_number = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
    match text.as_bytes() {
        [b'"', inner @ ..] => string_length(inner) + 1,
        [b'-' | b'0'..=b'9', ..] => text.bytes().take_while(is_of_number).count(),
        [b'n' | b't', ..] => "true".len(),
        [b'f', ..] => "false".len(),
        _ => 1,
    }
}

/// Bytes of a string after its first quote, up to and with its last.
fn string_length(inner: &[u8]) -> usize {
    let mut escaped = false;
    let is_last = |b: &u8| {
        let last = *b == b'"' && !escaped;
        escaped = *b == b'\\' && !escaped;
        last
    };
    inner.iter().position(is_last).map_or(inner.len(), |at| at + 1)
}

fn number(text: &str) -> Cow<'_, str> {
    match text.parse::<f64>() {
        Ok(value) if text.contains(['.', 'e', 'E']) => float(value).into(),
        _ if text == "-0" => "0".into(),
        _ => text.into(),
    }
}

/// The shortest digits that read back as the same number, as in Rust; the point or the exponent where Python puts it.
fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or_default() {
        -4..16 => format!("{value:?}"),
        exponent => format!("{mantissa}e{exponent:+03}"),
    }
}

/// Python and Rust agree on what is printable, up to their versions of Unicode; Rust escapes a combining character only where
/// nothing is before it.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~') || format!("a{c}").escape_debug().nth(1) == Some(c)
}

fn escaped(code: u32) -> String {
    match code {
        0..0x100 => format!("\\x{code:02x}"),
        0x100..0x1_0000 => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        json: String,
        repr: String,
    }

    fn parse(text: &str) -> Json {
        Json::parse(text, 1 << 20).unwrap()
    }

    #[test]
    fn arguments_look_as_python_shows_them() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../../../tests/data/mognet/repr.json")).unwrap();
        assert!(cases.len() > 50);
        for Case { json, repr } in cases {
            assert_eq!(kwargs_repr(&[parse(&json)], &Entries::new()), repr, "{json}");
        }
    }

    #[test]
    fn positions_come_before_names() {
        let kwargs: Entries = [("n".to_owned(), parse("null")), ("s".to_owned(), parse("\"é\""))].into_iter().collect();
        assert_eq!(kwargs_repr(&[parse("1"), parse("[2.0]")], &kwargs), "1, [2.0], n=None, s='é'");
        assert_eq!(kwargs_repr(&[], &Entries::new()), "");
    }

    #[test]
    fn many_or_huge_arguments_give_a_short_text() {
        let many = vec![parse("\"0123456789\""); 10_000];
        let text = kwargs_repr(&many, &Entries::new());
        assert!(text.len() < MAX_TOTAL + 100 && text.ends_with(", ..."), "{}", text.len());
        let huge = parse(&format!("\"{}\"", "😀".repeat(100_000)));
        assert_eq!(kwargs_repr(&[huge], &Entries::new()), format!("'{}...", "😀".repeat(63)));
    }
}
