//! Every command of the command line, by a tenant that tries to reach another. A command that the table here lacks fails the test.

use serde_json::Value;

use super::pair::{HAVING, Pair};
use crate::support::{Output, binary, guests, mogbox, run, untold};

/// Commands that talk to no node, or to one of their own.
const ELSEWHERE: [&str; 6] = ["serve", "build", "publish", "pull", "bench", "help"];

/// What a command that names another's must say.
const NO_REQUEST: &str = "tenant anna has no request ID: check the tenant";
const NO_SCOPE: &str = "this call needs admin";

/// Each command with names of another's, and what it fails with; nothing where it shows what the caller itself has.
const WAYS: &[(&str, &str)] = &[
    ("push FILE --name MODULE --dry-run", "task example.add is served"),
    ("modules", ""),
    ("modules show MODULE", "has no module \"MODULE\""),
    ("modules roll-back MODULE", "no module \"MODULE\""),
    ("modules delete MODULE --force", "no module \"MODULE\""),
    ("modules roll-back shared --to DIGEST", "DIGEST"),
    ("submit TASK 1", "no module of tenant anna serves task \"TASK\""),
    ("wait ID", NO_REQUEST),
    ("get ID", NO_REQUEST),
    ("metadata ID", NO_REQUEST),
    ("metadata ID --set go=true", NO_REQUEST),
    ("revoke ID --force", NO_REQUEST),
    ("tree ID", NO_REQUEST),
    ("tasks get ID", NO_REQUEST),
    ("tasks revoke ID --force", NO_REQUEST),
    ("tasks tree ID", NO_REQUEST),
    ("nodes status", ""),
    ("queues status", ""),
    ("queues purge tasks --force", ""),
    ("dead-letters", ""),
    ("tenants list", NO_SCOPE),
    ("tenants create TENANT", NO_SCOPE),
    ("tenants show TENANT", NO_SCOPE),
    ("tenants set TENANT --weight 1", NO_SCOPE),
    ("tenants suspend TENANT", NO_SCOPE),
    ("tenants resume TENANT", NO_SCOPE),
    ("tenants delete TENANT --force", NO_SCOPE),
    ("tokens list", NO_SCOPE),
    ("tokens create --for TENANT --scope read", NO_SCOPE),
    ("tokens create --admin", NO_SCOPE),
    ("tokens remove TOKEN", NO_SCOPE),
    ("usage", ""),
];

/// Runs a command as the tenant that tries, with names of the other.
fn as_trying(pair: &Pair, words: &str, more: &[&str]) -> Output {
    let words = with_names(pair, words);
    run(untold(binary()).env("MOGBOX_TOKEN", &pair.trying_token).args(["--server", pair.url()]).args(words.split(' ')).args(more))
}

fn with_names(pair: &Pair, text: &str) -> String {
    let names = &pair.names;
    let places = [
        ("ID", &names.id),
        ("MODULE", &names.module),
        ("DIGEST", &names.digest),
        ("TASK", &names.task),
        ("TENANT", &names.tenant),
        ("TOKEN", &names.token),
    ];
    let text = text.replace("FILE", guests::EXAMPLE_ADD);
    let put_in = |word: &str| places.iter().find(|(place, _)| *place == word).map_or_else(|| word.to_owned(), |(_, name)| (*name).clone());
    let quoted = |word: &str| match word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
        Some(word) => format!("\"{}\"", put_in(word)),
        None => put_in(word),
    };
    text.split(' ').map(|word| word.strip_suffix(':').map_or_else(|| quoted(word), |word| quoted(word) + ":")).collect::<Vec<_>>().join(" ")
}

fn commands() -> Vec<String> {
    let help = mogbox(&["--help"]).ok();
    let listed = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap().to_owned();
    let name = |line: &str| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?.split(' ').next().map(ToOwned::to_owned);
    listed.lines().filter_map(name).collect()
}

#[test]
fn no_command_reaches_another_tenant() {
    let pair = Pair::shared();
    let before = pair.everything();
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands.iter().filter(|command| !ELSEWHERE.contains(&command.as_str())) {
        let known = WAYS.iter().any(|(words, _)| words.split(' ').next() == Some(command));
        assert!(known, "how another tenant may be reached by `mogbox {command}` is not in the table: add it");
    }
    for (words, expected) in WAYS {
        let output = as_trying(pair, words, &[]);
        if expected.is_empty() {
            let shown = output.ok();
            let seen: Vec<_> = pair.marks().into_iter().filter(|mark| shown.contains(mark)).collect();
            assert!(seen.is_empty(), "`mogbox {words}` shows {seen:?}: {shown}");
        } else {
            let said = output.failed();
            assert!(said.contains(&with_names(pair, expected)), "`mogbox {words}`: {said}");
        }
        // Naming the tenant itself is of no help.
        let said = as_trying(pair, words, &["--tenant", HAVING]).failed();
        let expected = if *expected == NO_SCOPE { NO_SCOPE.to_owned() } else { format!("there is no tenant {HAVING} here") };
        assert!(said.contains(&expected), "`mogbox {words} --tenant {HAVING}`: {said}");
    }
    let after = pair.everything();
    assert_eq!(without_changes(&before), without_changes(&after));
}

/// As text, so that a difference is found quickly.
fn without_changes(everything: &Value) -> String {
    serde_json::to_string_pretty(everything).unwrap()
}
