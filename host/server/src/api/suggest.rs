//! The answer to a name that nobody serves: the nearest one that is served, and the others.

use mogbox_core::module::ModuleIndex;
use mogbox_core::{TaskName, Tenant};

use super::problem::{Code, Problem};

/// Names shown at most.
const SHOWN: usize = 20;

/// No active module serves the task.
pub(super) fn unknown_task(tenant: &Tenant, name: &TaskName, index: &ModuleIndex) -> Problem {
    let mut served: Vec<&str> = index
        .0
        .values()
        .filter_map(|module| module.active_version())
        .flat_map(|version| &version.tasks)
        .map(|task| task.name.as_str())
        .collect();
    served.sort_unstable();
    Problem::new(
        Code::UnknownTask,
        format!("no module of tenant {tenant} serves task {:?}; {}", name.as_str(), advice(name.as_str(), &served)),
    )
}

fn advice(name: &str, served: &[&str]) -> String {
    if served.is_empty() {
        return "no module is active: push one with `mogbox push FILE.wasm`".to_owned();
    }
    let listed = served.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    let more = served.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    match nearest(name, served) {
        Some(near) => format!("did you mean {near:?}? Served are: {listed}{rest}"),
        None => format!("served are: {listed}{rest}"),
    }
}

/// The served name that takes the fewest edits, where that is at most a third of its letters.
fn nearest<'a>(name: &str, served: &[&'a str]) -> Option<&'a str> {
    let last_part = |text: &str| text.rsplit('.').next().is_some_and(|part| part == name);
    if let Some(same) = served.iter().find(|candidate| last_part(candidate)) {
        return Some(same);
    }
    let (edits, candidate) = served.iter().take(1_000).map(|candidate| (distance(name, candidate), *candidate)).min()?;
    (edits <= candidate.len() / 3).then_some(candidate)
}

/// Edits (insert, remove, replace) between two texts.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (above, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let replaced = diagonal + usize::from(x != y);
            diagonal = *above;
            left = replaced.min(diagonal + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_as_by_hand() {
        for (a, b, edits) in [("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn a_slip_is_answered_with_the_name_that_was_meant() {
        let served = ["demo.get_metadata", "demo.set_metadata", "example.add"];
        assert_eq!(advice("example.ad", &served).split('?').next(), Some("did you mean \"example.add\""));
        assert_eq!(advice("add", &served).split('?').next(), Some("did you mean \"example.add\""));
        assert_eq!(advice("zzz", &served), "served are: demo.get_metadata, demo.set_metadata, example.add");
        assert!(advice("x", &[]).contains("mogbox push FILE.wasm"));
    }
}
