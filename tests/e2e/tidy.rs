//! Checks of the code base itself: what is written about it stays true.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::repository;

/// Every Rust file of the project, with its text.
fn rust_files() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for top in ["host", "guest-sdk", "examples", "tests"] {
        collect(&repository().join(top), &mut found);
    }
    assert!(found.len() > 50, "only {} files: the search is broken", found.len());
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

#[test]
fn every_file_that_the_architecture_names_exists() {
    let text = fs::read_to_string(repository().join("host/ARCHITECTURE.md")).unwrap();
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|word| word.contains('/') && word.ends_with(".rs")).collect();
    assert!(named.len() >= 13, "the path of a request is gone from the page: {named:?}");
    let missing: Vec<&&str> = named.iter().filter(|path| !repository().join(path).is_file()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = rust_files().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let long: Vec<_> =
        rust_files().into_iter().map(|(path, text)| (text.lines().count(), path)).filter(|(lines, _)| *lines > 400).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn dependencies_point_one_way() {
    let manifest = |path: &str| fs::read_to_string(repository().join(path).join("Cargo.toml")).unwrap();
    let forbidden = [
        ("host/core", ["redis", "rusqlite", "lapin", "wasmtime", "axum", "clap", "mogbox-backends", "mogbox-runtime"].as_slice()),
        ("host/runtime", ["redis", "rusqlite", "lapin", "axum", "clap", "mogbox-backends"].as_slice()),
        ("host/backends", ["wasmtime", "axum", "clap", "mogbox-runtime"].as_slice()),
        ("host/server", ["redis", "rusqlite", "lapin", "wasmtime"].as_slice()),
    ];
    for (crate_, names) in forbidden {
        let text = manifest(crate_);
        let dependencies = text.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        for name in names {
            let depends = dependencies.lines().any(|line| line.split(['.', ' ', '=']).next() == Some(name));
            assert!(!depends, "{crate_} depends on {name}");
        }
    }
}

#[test]
fn every_bound_is_in_the_readme_with_its_default_and_its_maximum() {
    let text = fs::read_to_string(repository().join("README.md")).unwrap();
    for bound in mogbox_core::Bound::ALL {
        let unit = bound.unit();
        let row = format!("| `{bound}` | {} | {} |", unit.show(bound.default_value()), unit.show(bound.maximum()));
        assert!(text.contains(&row), "the README has no row {row}");
    }
}

#[test]
fn every_lint_exception_has_its_reason() {
    for (path, text) in rust_files() {
        for (number, line) in text.lines().enumerate() {
            let exception = ["#[allow(", "#![allow(", "#[expect(", "#![expect("].iter().any(|start| line.trim_start().starts_with(start));
            let reason = text.lines().skip(number).take(8).any(|line| line.contains("reason"));
            assert!(!exception || reason, "{}:{}", path.display(), number + 1);
        }
    }
}
