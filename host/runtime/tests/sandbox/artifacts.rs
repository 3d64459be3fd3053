//! Compiled modules on disk: what is loaded again, and what is not believed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mogbox_core::{Executor as _, Limits};
use mogbox_runtime::EngineSettings;

use crate::guests::Guest;
use crate::world::{Run, World};

fn node(folder: &Path) -> World {
    node_with(folder, EngineSettings::default().artifact_bytes)
}

fn node_with(folder: &Path, artifact_bytes: u64) -> World {
    let artifacts = Some(folder.to_owned());
    World::with(&EngineSettings { max_instances: 16, artifacts, artifact_bytes, ..EngineSettings::default() })
}

/// How often a new node compiles for one good guest.
async fn compilations(folder: &Path) -> u64 {
    let world = node(folder);
    world.still_serves().await;
    world.sandbox.compilations()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let named = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "artifact");
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(named).collect()
}

/// A guest that is another module for each name.
fn named(name: &str) -> Vec<u8> {
    Guest { items: &format!("(func ${name})"), ..Guest::default() }.build()
}

#[tokio::test]
async fn a_module_is_compiled_once_however_often_a_node_starts() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(compilations(folder.path()).await, 1);
    assert_eq!(compilations(folder.path()).await, 0);
    let world = node(folder.path());
    world.sandbox.inspect(Guest::default().build().into(), &Limits::default()).await.unwrap();
    assert_eq!(world.sandbox.compilations(), 0);
}

#[tokio::test]
async fn a_damaged_file_is_compiled_again_wherever_the_damage_is() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(compilations(folder.path()).await, 1);
    let file = files(folder.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    for at in [0, whole.len() / 2, whole.len() - 40, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&file, damaged).unwrap();
        assert_eq!(compilations(folder.path()).await, 1, "byte {at}");
        assert_eq!(compilations(folder.path()).await, 0, "byte {at}");
    }
    for length in [0, 31, 32, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        assert_eq!(compilations(folder.path()).await, 1, "{length} bytes");
    }
}

#[tokio::test]
async fn what_another_key_sealed_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(compilations(folder.path()).await, 1);
    fs::remove_file(folder.path().join("key")).unwrap();
    assert_eq!(compilations(folder.path()).await, 1);
    assert_eq!(compilations(folder.path()).await, 0);
    // Whoever could read the key could have sealed anything.
    fs::set_permissions(folder.path().join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(compilations(folder.path()).await, 1);
}

#[tokio::test]
async fn one_module_is_not_taken_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let world = node(folder.path());
    world.run(Run::of_module(named("other"))).await;
    let other = files(folder.path()).remove(0);
    world.still_serves().await;
    let good = files(folder.path()).into_iter().find(|file| *file != other).unwrap();
    fs::copy(&other, &good).unwrap();
    assert_eq!(compilations(folder.path()).await, 1);
}

#[tokio::test]
async fn the_folder_and_its_key_are_the_users_alone() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a").join("b");
    assert_eq!(compilations(&inner).await, 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&inner), mode(&inner.join("key")), mode(&files(&inner)[0])), (0o700, 0o600, 0o600));
}

#[tokio::test]
async fn the_files_that_were_used_least_recently_go() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(compilations(folder.path()).await, 1);
    let size = fs::metadata(&files(folder.path())[0]).unwrap().len();
    let world = node_with(folder.path(), size * 5 / 2);
    for name in ["one", "two"] {
        world.run(Run::of_module(named(name))).await;
        world.run(Run::of(&Guest::default())).await;
    }
    assert_eq!((files(folder.path()).len(), world.sandbox.compilations()), (2, 2));
    assert_eq!(compilations(folder.path()).await, 0);
    let tiny = node_with(folder.path(), 1);
    assert_eq!(files(folder.path()).len(), 0);
    tiny.still_serves().await;
    assert_eq!(files(folder.path()).len(), 0);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = EngineSettings { max_instances: 1, artifacts: Some(file.path().join("sub")), ..EngineSettings::default() };
    let error = World::try_with(&settings).err().unwrap();
    assert!(error.starts_with(&format!("cannot keep compiled modules in {}", file.path().join("sub").display())), "{error}");
}
