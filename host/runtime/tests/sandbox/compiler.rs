//! Modules compiled by a process of its own: what it may take, what it is left, and what of its answers is believed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use mogbox_core::{Executor as _, Limits, Outcome};
use mogbox_runtime::{CompilerSettings, EngineSettings};

use crate::guests::{Guest, compile_bomb, padded};
use crate::world::{Run, World};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mogbox-compiler");

/// More than any test takes; what is still there then never ends.
const PATIENCE: Duration = Duration::from_secs(120);

fn compiler() -> CompilerSettings {
    CompilerSettings { program: PROGRAM.into(), time: PATIENCE, memory: 1 << 30 }
}

fn node(compiler: CompilerSettings, artifacts: Option<&Path>) -> World {
    let artifacts = artifacts.map(Path::to_owned);
    World::with(&EngineSettings { max_instances: 16, compiler: Some(compiler), artifacts, ..EngineSettings::default() })
}

async fn refusal(world: &World, bytes: Vec<u8>) -> String {
    world.sandbox.inspect(bytes.into(), &Limits::default()).await.unwrap_err().to_string()
}

/// A program that is none of ours.
fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("program");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

#[tokio::test]
async fn a_module_compiled_by_the_process_runs_with_a_folder_for_it_and_without() {
    node(compiler(), None).still_serves().await;
    let folder = tempfile::tempdir().unwrap();
    for expected in [1, 0] {
        let world = node(compiler(), Some(folder.path()));
        world.still_serves().await;
        assert_eq!(world.sandbox.compilations(), expected);
    }
    let unfinished = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("unfinished");
    assert!(!fs::read_dir(folder.path()).unwrap().any(|entry| unfinished(&entry.unwrap())));
}

#[tokio::test]
async fn a_module_that_takes_too_long_is_refused_with_the_bound_and_the_node_serves_on() {
    let world = node(CompilerSettings { time: Duration::from_secs(3), ..compiler() }, None);
    world.still_serves().await;
    let refused = refusal(&world, compile_bomb()).await;
    let expected = "module refused: it does not compile: it takes more than 3s of time to compile, over the bound compile-time of 3s; \
                    a node started with --limit compile-time=VALUE raises it, up to 10m";
    assert_eq!(refused, expected);
    let Outcome::Trapped { class, message } = world.survives(Run::of_module(compile_bomb())).await.outcome else { panic!("it ran") };
    assert!(class == "module" && message.contains("over the bound compile-time of 3s"), "{message}");
}

#[tokio::test]
async fn a_module_that_takes_too_much_memory_is_refused_with_the_bound() {
    let world = node(CompilerSettings { memory: 64 << 20, ..compiler() }, None);
    let refused = refusal(&world, padded(60 << 20)).await;
    assert!(refused.contains("it takes more than 64MiB of memory to compile, over the bound compile-memory of 64MiB; a node"), "{refused}");
    // Instances that no engine has room for are the module's own fault, though only whoever loads it finds out.
    let many = "(core instance (instantiate $m))".repeat(65);
    let text = format!(r#"(component (core module $m) {many} (instance $i) (export "mogbox:task/tasks@0.1.0" (instance $i)))"#);
    let refused = refusal(&world, wat::parse_str(text).unwrap()).await;
    assert!(refused.starts_with("module refused: it does not compile: ") && refused.contains("65"), "{refused}");
    world.still_serves().await;
    let roomy = node(CompilerSettings { memory: 256 << 20, ..compiler() }, None);
    roomy.sandbox.inspect(padded(60 << 20).into(), &Limits::default()).await.unwrap();
}

/// Runs the program as a node does, on this input.
fn run(cpu_seconds: u64, input: &[u8]) -> (ExitStatus, String) {
    let arguments = [u64::from(std::process::id()), 1 << 30, cpu_seconds].map(|number| number.to_string());
    let mut command = Command::new(PROGRAM);
    command.arg("compile-module").args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_process_ends_at_its_processor_time_whoever_else_sleeps() {
    let (status, said) = run(1, &compile_bomb());
    assert_eq!(status.signal(), Some(24), "{status}: {said}");
    let (status, said) = run(60, &Guest::default().build());
    assert!(status.success(), "{status}: {said}");
}

#[test]
fn the_process_ends_with_its_parent() {
    // The shell waits for it; what it would read never comes, so that it would wait for ever.
    let line = format!("exec 3<&0; {PROGRAM} compile-module $$ 1000000000 100 <&3 3<&- & echo started; wait");
    let mut shell = Command::new("sh").args(["-c", &line]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut held, mut output) = (shell.stdin.take().unwrap(), shell.stdout.take().unwrap());
    held.write_all(b"\0asm").unwrap();
    output.read_exact(&mut [0; 8]).unwrap();
    shell.kill().unwrap();
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(output.read_to_end(&mut Vec::new())));
    end.recv_timeout(PATIENCE).unwrap().unwrap();
    shell.wait().unwrap();
    drop(held);
}

#[tokio::test]
async fn the_process_sees_nothing_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let program = script(folder.path(), &format!("export -p > {}; echo '\x1b[31mred' >&2; exit 7", seen.display()));
    let refused = refusal(&node(CompilerSettings { program, ..compiler() }, None), Guest::default().build()).await;
    assert!(refused.contains("does not work (exit status: 7): \u{fffd}[31mred"), "{refused}");
    let seen = fs::read_to_string(seen).unwrap();
    let names: Vec<&str> = seen.lines().filter_map(|line| line.strip_prefix("export ")?.split('=').next()).collect();
    assert!(names.contains(&"RAYON_NUM_THREADS") && !names.contains(&"HOME") && !names.contains(&"PATH"), "{seen}");
    // The shell's own beside ours.
    let known = ["MIMALLOC_ARENA_EAGER_COMMIT", "RAYON_NUM_THREADS", "OLDPWD", "PWD", "SHLVL", "_"];
    assert!(names.iter().all(|name| known.contains(name)), "{seen}");
}

#[tokio::test]
async fn an_answer_that_is_no_compiled_module_is_refused_and_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["cat > /dev/null; echo garbage", "cat > /dev/null; cat /bin/sh", "exit 0"] {
        let artifacts = folder.path().join("artifacts");
        let world = node(CompilerSettings { program: script(folder.path(), text), ..compiler() }, Some(&artifacts));
        let refused = refusal(&world, Guest::default().build()).await;
        assert!(refused.contains("this node cannot compile it now: what the compiler of modules, "), "{refused}");
        assert!(refused.contains("wrote cannot be used"), "{refused}");
        let files: Vec<_> = fs::read_dir(&artifacts).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, ["key"]);
    }
}

#[tokio::test]
async fn a_node_without_its_compiler_says_so_and_tries_again_later() {
    let world = node(CompilerSettings { program: "/nowhere/mogbox".into(), ..compiler() }, None);
    let refused = refusal(&world, Guest::default().build()).await;
    let expected = "module refused: this node cannot compile it now: the compiler of modules, /nowhere/mogbox, cannot be started: ";
    assert!(refused.starts_with(expected), "{refused}");
    let Outcome::Unavailable(text) = world.run(Run::of(&Guest::default())).await.outcome else { panic!("it ran") };
    assert!(text.contains("/nowhere/mogbox, cannot be started"), "{text}");
}

#[test]
fn the_program_does_nothing_for_those_who_are_no_node() {
    let output = Command::new(PROGRAM).arg("compile-module").stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "compile-module is for nodes, which start it for each module");
    assert!(!output.status.success() && output.stdout.is_empty());
}
