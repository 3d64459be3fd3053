//! `configuration`: a bound as an operator sets it, and every name that is checked where it enters.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use mogbox_core::{Bound, Digest, Limits, NodeId, QueueName, RequestId, TaskName, Tenant};

use crate::Target;
use crate::targets::check_error;

pub(crate) const TARGET: Target = Target { name: "configuration", run, seeds, short_run: 4_000 };

fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some((name, value)) = text.split_once('=') {
        set_limit(name, value);
    }
    let ascii = |extra: &'static str| move |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
    parse::<Tenant>(&text, 64, ascii("._-"));
    parse::<QueueName>(&text, 64, ascii("._-"));
    parse::<TaskName>(&text, 256, ascii("._-:"));
    parse::<NodeId>(&text, 128, ascii("._-@"));
    parse::<RequestId>(&text, 36, ascii("-"));
    parse::<Digest>(&text, 64, |c| c.is_ascii_hexdigit());
}

/// A bound that is taken is within its range, and what is shown of it sets it again.
fn set_limit(name: &str, value: &str) {
    let mut limits = Limits::default();
    match limits.set(name, value) {
        Ok(()) => {
            let bound = *Bound::ALL.iter().find(|bound| bound.name() == name).expect("a bound that is set has its name");
            assert!((bound.minimum()..=bound.maximum()).contains(&limits.get(bound)), "{value}");
            let mut again = Limits::default();
            again.set(name, &limits.show(bound)).expect("what is shown is taken");
            assert_eq!(again, limits);
        }
        Err(error) => drop(error.to_string()),
    }
}

/// A name that is taken is short, of harmless characters, and read again as it was.
fn parse<T>(text: &str, longest: usize, allowed: impl Fn(char) -> bool)
where
    T: FromStr<Err: Display> + Display + Debug + PartialEq,
{
    match text.parse::<T>() {
        Ok(name) => {
            let shown = name.to_string();
            assert!((1..=longest).contains(&shown.len()) && shown.chars().all(allowed), "{shown:?}");
            assert_eq!(shown.parse::<T>().ok().as_ref(), Some(&name));
        }
        Err(error) => check_error(&error),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let bounds = Bound::ALL.iter().flat_map(|bound| {
        let [default, most] = [bound.default_value(), bound.maximum()].map(|value| bound.unit().show(value));
        [format!("{bound}={default}"), format!("{bound}={most}")]
    });
    let others = ["memory=18446744073709551615GiB", "wall-time=1 h", "a.b-c_d:e", "node-1@host", "00112233-4455-6677-8899-aabbccddeeff"];
    bounds.chain(others.map(str::to_owned)).chain(["0a".repeat(32)]).map(String::into_bytes).collect()
}
