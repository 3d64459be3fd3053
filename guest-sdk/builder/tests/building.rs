//! Builds real crates with the compiler of this machine, into a target folder that is kept between runs.

#![allow(clippy::unwrap_used, reason = "the whole file is a test, its helping functions too")]

use std::fs;
use std::path::{Path, PathBuf};

use mogbox_guest_builder::{Build, BuildError, Progress};

const WORKSPACE: &str = "[workspace]\nresolver = \"3\"\nmembers = [\"first\", \"second\", \"library\"]\n";
const CODE: &str = "//! A guest.\n#[unsafe(no_mangle)]\npub extern \"C\" fn twice(n: u32) -> u32 { n * 2 }\n";

fn member(workspace: &Path, name: &str, kind: &str, code: &str) {
    let folder = workspace.join(name);
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"{kind}\"]\n");
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/lib.rs"), code).unwrap();
}

fn workspace(code: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Cargo.toml"), WORKSPACE).unwrap();
    member(folder.path(), "first", "cdylib", code);
    member(folder.path(), "second", "cdylib", CODE);
    member(folder.path(), "library", "lib", CODE);
    folder
}

fn build(manifest: &Path, packages: &[&str]) -> Build {
    let target_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let packages = packages.iter().map(ToString::to_string).collect();
    Build { manifest: manifest.to_owned(), packages, target_dir, output: manifest.join("out") }
}

#[test]
fn every_guest_of_a_workspace_becomes_a_component_and_an_unchanged_one_is_not_written_again() {
    let workspace = workspace(CODE);
    let mut ready = 0;
    let build = build(workspace.path(), &[]);
    let components = build.run(|event| ready += usize::from(matches!(event, Progress::Ready(_)))).unwrap();
    assert_eq!(components.iter().map(|component| component.package.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(ready, 2);
    let written: Vec<_> = components.iter().map(|component| fs::metadata(&component.path).unwrap().modified().unwrap()).collect();
    for component in &components {
        let bytes = fs::read(&component.path).unwrap();
        assert_eq!(bytes.len() as u64, component.size);
        assert!(bytes.starts_with(b"\0asm\x0d\0\x01\0"), "no component");
    }
    let again = build.run(|_| ()).unwrap();
    assert_eq!(again, components);
    let after: Vec<_> = again.iter().map(|component| fs::metadata(&component.path).unwrap().modified().unwrap()).collect();
    assert_eq!(after, written);
}

#[test]
fn code_that_does_not_compile_fails_with_the_compilers_words() {
    let workspace = workspace("//! A guest.\npub fn broken() -> u32 { \"text\" }\n");
    let mut heard = String::new();
    let error = build(workspace.path(), &["first"]).run(|event| {
        if let Progress::Cargo(line) = event {
            heard.push_str(&line);
        }
    });
    let Err(BuildError::Compile { output }) = error else { panic!("{error:?}") };
    assert!(output.contains("mismatched types"), "{output}");
    assert!(heard.contains("mismatched types"), "{heard}");
}

#[test]
fn a_folder_without_a_manifest_and_a_crate_that_is_no_guest_are_refused() {
    let workspace = workspace(CODE);
    let nowhere = build(&workspace.path().join("nowhere"), &[]).run(|_| ()).unwrap_err();
    assert!(nowhere.to_string().contains("nowhere"), "{nowhere}");
    let library = build(&workspace.path().join("library"), &[]).run(|_| ()).unwrap_err();
    assert!(library.to_string().contains("crate-type = [\"cdylib\"]"), "{library}");
}
