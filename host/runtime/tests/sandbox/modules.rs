//! Modules that are not there when a request needs them: which of them are lost for good, and which may come back.

use mogbox_core::{Digest, Execution, Executor, Outcome};

use crate::guests::Guest;
use crate::world::{Run, World};

/// An attempt with a module of which the store keeps these bytes, or none.
async fn attempt(world: &World, digest: Digest, stored: Option<Vec<u8>>) -> Execution {
    let mut attempt = world.attempt(Run::of(&Guest::default()));
    attempt.module = digest;
    if let Some(bytes) = stored {
        world.memory.modules.lock().unwrap().insert(digest, bytes);
    }
    let execution = world.sandbox.execute(attempt).await;
    world.still_serves().await;
    execution
}

/// The text of an attempt that failed for good because of its module.
fn broken(execution: &Execution, digest: Digest) -> &str {
    let Outcome::Trapped { class, message } = &execution.outcome else { panic!("{:?}", execution.outcome) };
    assert_eq!(class, "module");
    assert!(message.ends_with(&format!("; push module {digest} again")), "{message}");
    assert_eq!((execution.receipt.module, execution.receipt.started), (Some(digest), None));
    message
}

#[tokio::test]
async fn a_module_whose_bytes_are_gone_fails_its_request_for_good() {
    let (world, digest) = (World::new(), Digest::of(b"nowhere"));
    let execution = attempt(&world, digest, None).await;
    assert!(broken(&execution, digest).starts_with("the bytes of the module are gone from the store; push"));
}

#[tokio::test]
async fn a_module_whose_bytes_are_others_fails_its_request_for_good() {
    let (world, digest) = (World::new(), Digest::of(b"as it was pushed"));
    let execution = attempt(&world, digest, Some(b"as it is stored".to_vec())).await;
    assert!(broken(&execution, digest).starts_with("the stored bytes are not those of the module that was pushed; push"));
}

#[tokio::test]
async fn a_module_that_does_not_compile_fails_its_request_for_good() {
    let world = World::new();
    let mut bytes = Guest::default().build();
    bytes.truncate(bytes.len() / 2);
    let digest = Digest::of(&bytes);
    let execution = attempt(&world, digest, Some(bytes)).await;
    let text = broken(&execution, digest);
    assert!(text.starts_with("the stored module does not compile: ") && text.len() < 3_000, "{text}");
}

#[tokio::test]
async fn a_module_that_does_not_link_fails_its_request_for_good() {
    let world = World::new();
    let imports = r#"(import "acme:secrets/vault@1.0.0" "open" (func $open (result i32)))"#;
    let bytes = Guest { world: "with-stranger", imports, ..Guest::running("(call $open)") }.build();
    let digest = Digest::of(&bytes);
    let execution = attempt(&world, digest, Some(bytes)).await;
    let text = broken(&execution, digest);
    assert!(text.starts_with("the stored module does not link: ") && text.contains("acme:secrets/vault"), "{text}");
}

#[tokio::test]
async fn a_module_that_came_back_serves_the_next_attempt() {
    let (world, bytes) = (World::new(), Guest::default().build());
    let digest = Digest::of(&bytes);
    let mut lost = world.attempt(Run::of(&Guest::default()));
    world.memory.modules.lock().unwrap().clear();
    lost.module = digest;
    broken(&world.sandbox.execute(lost).await, digest);
    world.still_serves().await;
}

#[tokio::test]
async fn a_store_that_is_away_puts_the_attempt_off() {
    let world = World::new();
    let attempt = world.attempt(Run::of(&Guest::default()));
    *world.memory.outage.lock().unwrap() = Some("connection refused".into());
    let execution = world.sandbox.execute(attempt).await;
    assert_eq!(execution.outcome, Outcome::Unavailable("store unavailable: connection refused".into()));
    *world.memory.outage.lock().unwrap() = None;
    world.still_serves().await;
}
