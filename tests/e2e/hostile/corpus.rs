//! The page that lists the corpus, `tests/CORPUS.md`, says what there is: no more, no less, and enough of it.

use std::collections::BTreeSet;
use std::fs;

use crate::promises::has_test;
use crate::support::repository;

/// A guest or an upload of the page: the file and name of its test, and which it is of a table.
type Entry = (String, String, Option<String>);

/// What the page lists below one of its two headings.
fn listed(heading: &str) -> BTreeSet<Entry> {
    let page = fs::read_to_string(repository().join("tests/CORPUS.md")).unwrap();
    let part = page.split("\n## ").find_map(|part| part.strip_prefix(heading)).unwrap();
    part.lines().filter_map(|line| line.strip_prefix("- `")).map(entry).collect()
}

fn entry(line: &str) -> Entry {
    let (test, which) = line.split_once('`').unwrap();
    let (path, name) = test.split_once("::").unwrap();
    (path.to_owned(), name.to_owned(), which.strip_prefix(": ").map(str::to_owned))
}

/// Every test of a folder, and of those with a table every upload in it.
fn written(folder: &str) -> BTreeSet<Entry> {
    let files = fs::read_dir(repository().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.flat_map(|path| entries(&path.strip_prefix(repository()).unwrap().display().to_string())).collect()
}

fn entries(path: &str) -> Vec<Entry> {
    let source = fs::read_to_string(repository().join(path)).unwrap();
    let tests = source.split("#[test]").skip(1).map(|test| {
        let name = test.split_once("fn ").and_then(|(_, rest)| rest.split_once('(')).unwrap().0.to_owned();
        let body = test.split("\n}").next().unwrap();
        let calls = if path.contains("/uploads/") { ["upload(", "text(", "refused("].as_slice() } else { &[] };
        let cases: Vec<_> = calls.iter().flat_map(|call| cases(body, call)).collect();
        let whole = cases.is_empty().then_some(None);
        whole.into_iter().chain(cases.into_iter().map(Some)).map(move |case| (path.to_owned(), name.clone(), case)).collect::<Vec<_>>()
    });
    tests.flatten().collect()
}

/// The texts that calls of this function begin with.
fn cases(body: &str, call: &str) -> Vec<String> {
    let arguments = body.match_indices(call).filter(|(at, _)| body[..*at].ends_with([' ', '_', '\n']));
    let texts = arguments.filter_map(|(at, _)| body[at + call.len()..].trim_start().strip_prefix('"')?.split_once('"'));
    texts.map(|(text, _)| text.to_owned()).collect()
}

#[test]
fn at_least_fifty_guests_and_thirty_uploads_are_listed_and_each_is_there() {
    let (guests, uploads) = (listed("Guests\n"), listed("Uploads\n"));
    assert!(guests.len() >= 50 && uploads.len() >= 30, "{} guests and {} uploads", guests.len(), uploads.len());
    for (path, name, _) in guests.iter().chain(&uploads) {
        let source = fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(has_test(&source, name), "{path}::{name} is no test");
    }
}

#[test]
fn every_guest_and_every_upload_that_is_written_is_listed() {
    let (guests, uploads) = (written("tests/e2e/hostile"), written("tests/e2e/hostile/uploads"));
    let here = "tests/e2e/hostile/corpus.rs";
    let listed: BTreeSet<Entry> = listed("Guests\n").into_iter().chain(listed("Uploads\n")).collect();
    let written: BTreeSet<Entry> = guests.into_iter().chain(uploads).filter(|(path, ..)| path != here).collect();
    let missing: Vec<_> = written.difference(&listed).collect();
    assert!(missing.is_empty(), "not on the page: {missing:#?}");
    let gone: Vec<_> = listed.difference(&written).filter(|(path, ..)| path.starts_with("tests/e2e/hostile/")).collect();
    assert!(gone.is_empty(), "on the page, and nowhere else: {gone:#?}");
}
