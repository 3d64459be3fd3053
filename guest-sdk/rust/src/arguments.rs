//! The arguments of a request, matched to those of a task: by position, then by name, every mistake told at once.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::expected;
use crate::json::{cut, reason};
use crate::task_error::ArgumentError;

/// Arguments as a request carries them, each JSON text.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    pub(crate) args: Vec<String>,
    pub(crate) kwargs: Vec<(String, String)>,
}

/// Arguments by the task's names. Made by [`Arguments::bind`] for the code that `#[task]` generates.
pub struct Bound {
    names: &'static [&'static str],
    given: Vec<(&'static str, String)>,
    errors: Vec<ArgumentError>,
}

impl Arguments {
    /// Arguments by position and by name, each JSON text.
    #[must_use]
    pub fn new(args: Vec<String>, kwargs: Vec<(String, String)>) -> Self {
        Self { args, kwargs }
    }

    /// Gives each argument its name.
    #[must_use]
    pub fn bind(self, names: &'static [&'static str]) -> Bound {
        let mut bound = Bound { names, given: Vec::new(), errors: Vec::new() };
        for (position, text) in self.args.into_iter().enumerate() {
            match names.get(position) {
                Some(name) => bound.given.push((name, text)),
                None => bound.unexpected((position + 1).to_string(), &text),
            }
        }
        for (name, text) in self.kwargs {
            bound.by_name(&name, text);
        }
        bound
    }
}

impl Bound {
    fn by_name(&mut self, name: &str, text: String) {
        match self.names.iter().find(|known| **known == name) {
            None => self.unexpected(name.to_owned(), &text),
            Some(known) if self.given.iter().any(|(given, _)| given == known) => {
                self.refuse(known, format!("given twice, the second time as {}", cut(&text)));
            }
            Some(known) => self.given.push((known, text)),
        }
    }

    /// The value of an argument that must be given; none where it is not, or does not decode, which [`Bound::finish`] tells.
    pub fn required<T: DeserializeOwned + JsonSchema>(&mut self, name: &'static str) -> Option<T> {
        match self.take(name) {
            Some(text) => self.decode(name, &text),
            None => {
                self.refuse(name, format!("missing: expected {}", expected::words::<T>()));
                None
            }
        }
    }

    /// The value of an argument that may be left out, `T` being an `Option`; none where it does not decode.
    pub fn optional<T: DeserializeOwned + JsonSchema + Default>(&mut self, name: &'static str) -> Option<T> {
        match self.take(name) {
            Some(text) => self.decode(name, &text),
            None => Some(T::default()),
        }
    }

    /// Every mistake, in the order of the task's arguments, those that it does not have last.
    #[must_use]
    pub fn finish(mut self) -> Vec<ArgumentError> {
        let names = self.names;
        let place = |argument: &str| names.iter().position(|name| *name == argument).unwrap_or(names.len());
        self.errors.sort_by_key(|error| place(&error.argument));
        self.errors
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.given.iter().position(|(given, _)| *given == name)?;
        Some(self.given.swap_remove(at).1)
    }

    fn decode<T: DeserializeOwned + JsonSchema>(&mut self, name: &str, text: &str) -> Option<T> {
        match serde_json::from_str(text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(name, format!("expected {}, got {} ({})", expected::words::<T>(), cut(text), reason(&error)));
                None
            }
        }
    }

    fn unexpected(&mut self, argument: String, text: &str) {
        let takes = if self.names.is_empty() { "none".to_owned() } else { self.names.join(", ") };
        self.errors.push(ArgumentError { argument, message: format!("unexpected: got {}, the task's arguments are {takes}", cut(text)) });
    }

    fn refuse(&mut self, argument: &str, message: String) {
        self.errors.push(ArgumentError { argument: argument.to_owned(), message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["a", "b", "c"];

    fn bind(args: &[&str], kwargs: &[(&str, &str)]) -> Bound {
        let kwargs = kwargs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Arguments::new(args.iter().map(ToString::to_string).collect(), kwargs).bind(NAMES)
    }

    fn errors(bound: Bound) -> Vec<String> {
        bound.finish().into_iter().map(|error| format!("{}: {}", error.argument, error.message)).collect()
    }

    #[test]
    fn arguments_come_by_position_then_by_name() {
        let mut bound = bind(&["1"], &[("c", "null"), ("b", "\"x\"")]);
        assert_eq!(bound.required::<u8>("a"), Some(1));
        assert_eq!(bound.required::<String>("b").as_deref(), Some("x"));
        assert_eq!(bound.optional::<Option<u8>>("c"), Some(None));
        assert!(errors(bound).is_empty());
    }

    #[test]
    fn every_mistake_is_told_in_the_order_of_the_arguments() {
        let mut bound = bind(&["\"x\""], &[("z", "1"), ("a", "2")]);
        assert_eq!(bound.required::<u8>("a"), None);
        assert_eq!(bound.required::<bool>("b"), None);
        assert_eq!(bound.optional::<Option<u8>>("c"), Some(None));
        assert_eq!(
            errors(bound),
            [
                "a: given twice, the second time as 2",
                "a: expected integer (uint8), got \"x\" (invalid type: string \"x\", expected u8)",
                "b: missing: expected boolean",
                "z: unexpected: got 1, the task's arguments are a, b, c",
            ]
        );
    }

    #[test]
    fn arguments_beyond_the_last_are_named_by_position() {
        let bound = bind(&["1", "2", "3", "4"], &[]);
        assert_eq!(errors(bound), ["4: unexpected: got 4, the task's arguments are a, b, c"]);
    }
}
