//! Arguments as Python shows them.

use crate::entries::Entries;
use crate::json::Json;

/// Each argument's Python `repr`, cut to 64 characters, joined.
#[must_use]
pub fn kwargs_repr(args: &[Json], kwargs: &Entries) -> String {
    let positional = args.iter().map(ToString::to_string);
    let named = kwargs.iter().map(|(key, value)| format!("{key}={value}"));
    positional.chain(named).collect::<Vec<_>>().join(", ")
}
