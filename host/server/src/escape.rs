//! Text of strangers made safe to show: no control character, no reversed reading order, nothing invisible reaches a terminal or a
//! log as itself.

use std::borrow::Cow;
use std::fmt::Write as _;

use mogbox_core::text::plays_tricks;

/// Text on one line, with everything that could move the cursor, change a colour or the reading order shown as an escape.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    replace(text, |c, out| match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // Writing to a string cannot fail.
        _ => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
    })
}

/// The same for JSON text: such characters occur in its strings only, so that JSON's own escapes leave its meaning as it was.
/// White space between values is kept.
pub(crate) fn escape_json(text: &str) -> Cow<'_, str> {
    replace(text, |c, out| match c {
        '\n' | '\t' | '\r' => out.push(c),
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    })
}

/// Text of several lines, each escaped.
pub(crate) fn escape_lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(escape)
}

fn replace(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.chars().any(plays_tricks) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if plays_tricks(c) { escape(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(escape("\u{1b}[2Jgone\u{7}"), "\\u{1b}[2Jgone\\u{7}");
        assert_eq!(escape("a\nb\tc\rd"), "a\\nb\\tc\\rd");
        assert_eq!(escape("\u{9b}31m\u{7f}"), "\\u{9b}31m\\u{7f}");
    }

    #[test]
    fn reversed_and_invisible_text_is_shown_as_what_it_is() {
        assert_eq!(escape("user\u{202e}gpj.exe"), "user\\u{202e}gpj.exe");
        assert_eq!(escape("a\u{2066}b\u{2069}c\u{200f}\u{feff}\u{e0041}"), "a\\u{2066}b\\u{2069}c\\u{200f}\\u{feff}\\u{e0041}");
    }

    #[test]
    fn text_of_any_language_stays_as_it_is() {
        for text in ["", "Grüße", "日本語", "שלום", "नमस्ते", "👩‍👧", "back\\slash"] {
            assert!(matches!(escape(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn escaped_json_means_what_it_meant() {
        let text = serde_json::to_string(&"x\u{202e}\u{9b}\u{e0041}\u{1b}").unwrap();
        let escaped = escape_json(&text);
        assert!(escaped.is_ascii(), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), "x\u{202e}\u{9b}\u{e0041}\u{1b}");
    }

    #[test]
    fn each_line_of_a_longer_text_is_escaped_on_its_own() {
        let lines: Vec<_> = escape_lines("one\n\u{1b}two\r\nthree").collect();
        assert_eq!(lines, ["one", "\\u{1b}two", "three"]);
    }
}
