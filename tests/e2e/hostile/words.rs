//! Words of a guest that play tricks on whoever reads them: escape sequences, reversed text, HTML, NULs. They reach clients as
//! JSON, and no terminal and no log as themselves.

use serde_json::json;

use super::victim::Victim;
use crate::support::mogbox;

/// Clears the screen, sets a title, turns the reading order, breaks lines, ends text, and runs a script.
const TRICKS: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nfaked line\u{202e}\u{0}\u{9b}31m<script>alert(1)</script>\u{feff}";

/// Checks that nothing in a text would be obeyed by a terminal.
#[track_caller]
pub(super) fn is_plain(text: &str) {
    let obeyed = |c: &char| (c.is_control() && *c != '\n') || ['\u{202e}', '\u{feff}', '\u{9b}'].contains(c);
    assert_eq!(text.chars().find(obeyed), None, "{text:?}");
}

#[test]
fn words_of_a_guest_reach_no_terminal_as_themselves() {
    let victim = Victim::with_defaults();
    let failed = victim.ends("hostile.fail", json!([TRICKS, TRICKS]), "FAILURE", "faked line");
    let said = victim.ends("hostile.say", json!([TRICKS]), "SUCCESS", "");
    let stored = victim.ends("hostile.set_metadata", json!(["<b>tricks</b>", TRICKS]), "SUCCESS", "");
    let panicked = victim.ends("hostile.panic", json!([TRICKS]), "FAILURE", "faked line");
    assert_eq!(stored["metadata"]["<b>tricks</b>"], json!(TRICKS), "clients get what the guest said");
    for request in [&failed, &said, &stored, &panicked] {
        let id = request["id"].as_str().unwrap();
        let on_victim = |args: &[&str]| mogbox(&[&["--server", victim.url(), "--tenant", "hostile"], args].concat());
        is_plain(&on_victim(&["get", id]).ok());
        is_plain(&on_victim(&["--json", "get", id]).ok());
        is_plain(&on_victim(&["metadata", id]).ok());
        let waited = on_victim(&["wait", id]);
        is_plain(&waited.stdout);
        is_plain(&waited.stderr);
    }
    let log = victim.log();
    is_plain(&log);
    assert!(!log.contains("\nfaked line"), "{log}");
}

#[test]
fn words_of_a_guest_do_not_become_lines_of_the_nodes_log() {
    let victim = Victim::with_defaults();
    victim.ends("hostile.say", json!(["\n2026-01-01T00:00:00Z ERROR mogbox: all is lost\n"]), "SUCCESS", "");
    assert!(!victim.log().contains("all is lost"), "{}", victim.log());
}
