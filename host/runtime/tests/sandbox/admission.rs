//! Uploads: what is admitted, and what each kind of bad one is told.

use std::sync::Arc;

use mogbox_core::{Executor, Limits};

use crate::guests::{CONTEXT, Guest, ONE_TASK};
use crate::world::{Run, World};

async fn refusal(world: &World, bytes: Vec<u8>) -> String {
    let refused = world.sandbox.inspect(bytes.into(), &Limits::default()).await.unwrap_err().to_string();
    world.still_serves().await;
    refused
}

#[tokio::test]
async fn a_good_module_is_admitted_with_its_tasks_and_ready_to_run() {
    let world = World::new();
    let run = Run::of(&Guest::default());
    let found = world.sandbox.inspect(Arc::from(run.module.clone()), &Limits::default()).await.unwrap();
    assert_eq!((found.imports, found.exports), (vec!["mogbox:task/types@0.1.0".into()], vec!["mogbox:task/tasks@0.1.0".into()]));
    assert!(found.compiled_bytes > 0 && found.compile_ms.is_some());
    let tasks = found.tasks;
    assert_eq!(tasks.len(), 1);
    assert_eq!((tasks[0].name.as_str(), tasks[0].parameters.as_str()), ("t", "{}"));
    world.still_serves().await;
    assert_eq!(*world.memory.fetches.lock().unwrap(), 0, "it is compiled already");
}

#[tokio::test]
async fn what_is_no_component_is_refused_with_the_way_out() {
    let world = World::new();
    let core = refusal(&world, Guest::default().core_module()).await;
    assert_eq!(
        core,
        "module refused: it is a core module, expected a component: build for wasm32-wasip2, or componentize it with the guest's toolchain"
    );
    let text = refusal(&world, b"def add(a, b): return a + b".to_vec()).await;
    assert_eq!(text, "module refused: it is text, expected a WebAssembly component: upload the built .wasm file, not its source");
    assert!(refusal(&world, vec![0xff; 100]).await.contains("it is not WebAssembly"));
    let mut broken = Guest::default().build();
    broken.truncate(broken.len() / 2);
    assert!(refusal(&world, broken).await.starts_with("module refused: it is not a valid component: "));
}

#[tokio::test]
async fn a_module_over_its_bound_is_refused_before_it_is_looked_at() {
    let world = World::new();
    let limits = Limits { module: 1_000, ..Limits::default() };
    let refused = world.sandbox.inspect(vec![0; 1_001].into(), &limits).await.unwrap_err().to_string();
    assert!(refused.starts_with("module refused: 1001 bytes are over the bound module of 1000B; a node started with"), "{refused}");
}

#[tokio::test]
async fn an_import_that_nothing_offers_is_named() {
    let world = World::new();
    let imports = r#"(import "acme:secrets/vault@1.0.0" "open" (func $open (result i32)))"#;
    let body = "(call $open)";
    let refused = refusal(&world, Guest { world: "with-stranger", imports, ..Guest::running(body) }.build()).await;
    assert!(refused.starts_with("module refused: it imports acme:secrets/vault@1.0.0, which the sandbox does not offer"), "{refused}");
    assert!(refused.contains("it offers mogbox:task 0.1"), "{refused}");
}

#[tokio::test]
async fn a_component_that_serves_no_tasks_is_told_what_it_exports() {
    let world = World::new();
    let bytes = wat::parse_str(r#"(component (instance $i) (export "lib" (instance $i)))"#).unwrap();
    let refused = refusal(&world, bytes).await;
    assert_eq!(refused, "module refused: it does not export mogbox:task/tasks@0.1, so it serves no tasks; it exports lib");
}

#[tokio::test]
async fn tasks_of_the_right_name_and_the_wrong_type_are_refused() {
    let world = World::new();
    let bytes = wat::parse_str(r#"(component (instance $i) (export "mogbox:task/tasks@0.1.0" (instance $i)))"#).unwrap();
    assert!(refusal(&world, bytes).await.starts_with("module refused: its imports or exports do not fit the WIT: "));
}

#[tokio::test]
async fn a_describe_that_loops_crashes_or_grows_is_refused() {
    let world = World::new();
    let describing = |describe| Guest { describe, ..Guest::default() }.build();
    let refused = refusal(&world, describing("(loop $again (br $again)) unreachable")).await;
    // On a busy machine its wall time may be over first.
    let out_of_time = ["cpu-time of 1s", "wall-time of 2s"]
        .map(|bound| format!("module refused: its describe went over the bound {bound}, which is fixed for describe"));
    assert!(out_of_time.contains(&refused), "{refused}");
    let refused = refusal(&world, describing("unreachable")).await;
    assert!(refused.starts_with("module refused: its describe crashed (unreachable): wasm `unreachable`"), "{refused}");
    let greedy = "(if (i32.lt_s (memory.grow (i32.const 65533)) (i32.const 0)) (then unreachable)) (i32.const 0)";
    assert!(refusal(&world, describing(greedy)).await.contains("the bound memory of 64MiB"));
}

#[tokio::test]
async fn a_describe_that_lies_is_refused() {
    let world = World::new();
    let saying = |items: &str| Guest { items, ..Guest::default() }.build();
    let named = refusal(&world, saying(r#"(data (i32.const 64) " {}")"#)).await;
    assert!(named.contains("its describe names a task wrongly: invalid task name \" \""), "{named}");
    assert!(refusal(&world, saying(r#"(data (i32.const 65) "{{")"#)).await.contains("the parameters of task t are no JSON Schema"));
    assert!(refusal(&world, saying(r#"(data (i32.const 132) "\00")"#)).await.contains("names no task"));
}

#[tokio::test]
async fn a_describe_may_call_the_host_but_is_denied() {
    let world = World::new();
    // Traps unless the answers are the error `denied`, even to what is malformed, and nothing is cancelled.
    let denied = "(if (i32.ne (i32.load8_u (i32.const 256)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 260)) (i32.const 0)) (then unreachable))";
    let body = format!(
        "(call $get_metadata (i32.const 64) (i32.const 1) (i32.const 256)) {denied}
         (i32.store (i32.const 1024) (i32.const 64)) (i32.store (i32.const 1028) (i32.const 1))
         (i32.store (i32.const 1032) (i32.const 64)) (i32.store (i32.const 1036) (i32.const 1))
         (i32.store8 (i32.const 260) (i32.const 9))
         (call $set_metadata (i32.const 1024) (i32.const 1) (i32.const 256)) {denied}
         (if (call $cancelled) (then unreachable)) {ONE_TASK}"
    );
    let bytes = Guest { imports: CONTEXT, describe: &body, ..Guest::default() }.build();
    assert_eq!(world.sandbox.inspect(bytes.into(), &Limits::default()).await.unwrap().tasks.len(), 1);
}

#[tokio::test]
async fn a_describe_that_asks_for_a_request_is_refused() {
    let world = World::new();
    let imports = r#"(import "mogbox:task/context@0.1.0" "get-request" (func $get_request (param i32)))"#;
    let describe = format!("(call $get_request (i32.const 256)) {ONE_TASK}");
    let refused = refusal(&world, Guest { imports, describe: &describe, ..Guest::default() }.build()).await;
    let expected = "module refused: its describe crashed (invalid-call): describe called get-request, but no request runs";
    assert!(refused.starts_with(expected), "{refused}");
}
