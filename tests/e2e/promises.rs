//! What is promised is held by tests that exist and run: reads the page that names them.

use std::fs;

use crate::support::repository;

/// The tests that the page names, below each of its headings.
fn promises() -> Vec<(String, Vec<(String, String)>)> {
    let page = fs::read_to_string(repository().join("tests/PROMISES.md")).unwrap();
    let rows = page.split("\n### ").skip(1).map(|row| {
        let title = row.lines().next().unwrap().to_owned();
        let tests = row.lines().filter_map(|line| line.strip_prefix("- `")?.strip_suffix('`')?.split_once("::"));
        (title, tests.map(|(path, name)| (path.to_owned(), name.to_owned())).collect())
    });
    rows.collect()
}

/// Whether a file has a test of this name: marked as one, or listed among those that a macro makes.
pub(crate) fn has_test(source: &str, name: &str) -> bool {
    if source.lines().any(|line| line.trim_start_matches("async ").starts_with(&format!("def {name}("))) {
        // One of Python's, which runs by its name alone.
        return name.starts_with("test_");
    }
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| line.contains(&format!("fn {name}("))) else { return false };
    let marked = lines[..at].iter().rev().take_while(|line| line.starts_with("#[")).any(|line| line.contains("test"));
    let list = ["on_both! {", "on_all! {"].iter().find_map(|list| source.split_once(list));
    let listed = list.and_then(|(_, rest)| rest.split_once('}')).map_or("", |(names, _)| names);
    marked || listed.split_whitespace().any(|listed| listed == name)
}

/// Whether no test of a file is left out, by an attribute of its own or inside another, such as one for some platforms only.
fn all_run(source: &str) -> bool {
    if ["pytest.mark.skip", "pytest.skip", "pytest.mark.xfail"].iter().any(|left_out| source.contains(left_out)) {
        return false;
    }
    let mut attributes = source.lines().filter_map(|line| line.trim().strip_prefix("#["));
    !attributes.any(|attribute| attribute.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "ignore"))
}

#[test]
fn every_promise_is_held_by_tests_that_exist_and_run() {
    let promises = promises();
    assert!(promises.len() >= 26, "promises are gone from the page: {}", promises.len());
    for (title, tests) in promises {
        assert!(!tests.is_empty(), "no test holds {title:?}");
        for (path, name) in tests {
            let source = fs::read_to_string(repository().join(&path)).unwrap_or_else(|error| panic!("{title:?} names {path}: {error}"));
            assert!(has_test(&source, &name), "{title:?} names {path}::{name}, which is no test");
            assert!(all_run(&source), "{path} has tests that do not run");
        }
    }
}

#[test]
fn a_test_that_is_left_out_is_found() {
    let left_out = |attribute: &str| !all_run(&format!("#[test]\n  #[{attribute}]\nfn a_b() {{"));
    assert!(["ignore", "ignore = \"slow\"", "cfg_attr(unix, ignore)"].into_iter().all(left_out));
    assert!(!left_out("expect(ignored_unit_patterns)") && all_run("// ignore\n#[test]\nfn a_b() {"));
}

#[test]
fn a_function_that_is_no_test_holds_nothing() {
    assert!(has_test("#[test]\nfn a_b() {", "a_b") && has_test("#[tokio::test(x)]\n#[allow(y)]\nasync fn a_b() {", "a_b"));
    assert!(has_test("on_both! { World;\n  a_b\n}\nasync fn a_b(world: World) {", "a_b"));
    assert!(has_test("on_all! { World;\n  a_b\n}\nasync fn a_b(world: World) {", "a_b"));
    assert!(has_test("async def test_a(x):\n", "test_a") && !has_test("def a(x):\n", "a"));
    assert!(!has_test("fn a_b() {", "a_b") && !has_test("on_both! { World;\n  other\n}\nasync fn a_b(world: World) {", "a_b"));
}
