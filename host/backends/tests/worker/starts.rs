//! When the start of an attempt is stored: with its end where that is near, else meanwhile, and always before what others can see.

use futures::future::join_all;
use jiff::Timestamp;
use mogbox_core::broker::Verdict;
use mogbox_core::context::ContextError;
use mogbox_core::outcome::Outcome;
use mogbox_core::result::{RequestResult, State};

use crate::script::{Script, done, saw};
use crate::world::{CHILD, TASK, World, entries, json, on_all};

on_all! { World;
    a_short_attempt_leaves_what_a_long_one_leaves
    an_attempt_that_lasts_is_running_meanwhile
    what_others_can_see_of_an_attempt_comes_after_its_start
    calls_that_come_together_store_one_start
    an_attempt_that_was_revoked_before_its_first_write_writes_nothing
}

async fn a_short_attempt_leaves_what_a_long_one_leaves(world: World) {
    let its = world.clone();
    let script = Script::default().answer(TASK, done()).then(TASK, |attempt| async move {
        its.runs(attempt.context.request().id, 1).await;
        done()
    });
    let node = world.node(&script.ready()).await;
    let mut results = Vec::new();
    for _ in 0..2 {
        let id = world.submit_task(TASK).await;
        assert_eq!(world.end(id).await, (State::Success, 1, 1));
        results.push(world.result(id).await);
    }
    let [short, long] = &results[..] else { unreachable!() };
    assert!(short.created <= short.started && short.started <= short.finished, "{short:?}");
    let RequestResult { id, created, started, finished, .. } = long.clone();
    assert_eq!(RequestResult { id, created, started, finished, ..short.clone() }, *long);
    node.shutdown().await;
}

async fn an_attempt_that_lasts_is_running_meanwhile(world: World) {
    let its = world.clone();
    let script = Script::default().then(TASK, |attempt| async move {
        let result = its.once(attempt.context.request().id, |result| result.state == State::Running).await;
        saw(&(result.number_of_starts, result.number_of_stops, result.started.is_some(), result.node_id))
    });
    let node = world.node(&script.ready()).await;
    let id = world.submit_task(TASK).await;
    assert_eq!(world.end(id).await, (State::Success, 1, 1));
    let seen = mogbox_core::result::Value::Success(json(&format!(r#"[1,0,true,"{}"]"#, node.id)));
    assert_eq!(world.value(id).await, seen);
}

async fn what_others_can_see_of_an_attempt_comes_after_its_start(world: World) {
    let mut script = Script::default();
    for call in ["metadata", "set", "pop", "clear", "submit"] {
        let its = world.clone();
        script = script.then(TASK, move |attempt| async move {
            let context = &attempt.context;
            match call {
                "metadata" => context.set_metadata(&entries([("k", "1")])).await.unwrap(),
                "set" => context.set_state("k", &json("1")).await.unwrap(),
                "pop" => drop(context.pop_state("k").await.unwrap()),
                "clear" => context.clear_state().await.unwrap(),
                _ => drop(context.submit(its.child(CHILD)).await.unwrap()),
            }
            saw(&its.counts(context.request().id).await)
        });
    }
    let _node = world.node(&script.ready()).await;
    for _ in 0..5 {
        let id = world.submit_task(TASK).await;
        assert_eq!(world.end(id).await, (State::Success, 1, 1));
        assert_eq!(world.value(id).await, mogbox_core::result::Value::Success(json(r#"["RUNNING",1,0]"#)));
    }
}

async fn calls_that_come_together_store_one_start(world: World) {
    let its = world.clone();
    let script = Script::default().then(TASK, |attempt| async move {
        let entry = entries([("k", "1")]);
        let calls = join_all((0..20).map(|_| attempt.context.set_metadata(&entry))).await;
        assert!(calls.iter().all(Result::is_ok), "{calls:?}");
        saw(&its.counts(attempt.context.request().id).await)
    });
    let _node = world.node(&script.ready()).await;
    let id = world.submit_task(TASK).await;
    assert_eq!(world.end(id).await, (State::Success, 1, 1));
    assert_eq!(world.value(id).await, mogbox_core::result::Value::Success(json(r#"["RUNNING",1,0]"#)));
}

async fn an_attempt_that_was_revoked_before_its_first_write_writes_nothing(world: World) {
    let its = world.clone();
    let script = Script::default().then(TASK, |attempt| async move {
        let (context, id) = (&attempt.context, attempt.context.request().id);
        its.results.revoke(&its.tenant, id, Timestamp::now()).await.unwrap();
        let denied = ContextError::Denied(format!("attempt 1 no longer holds request {id}"));
        assert_eq!(context.set_metadata(&entries([("k", "1")])).await, Err(denied.clone()));
        assert_eq!(context.submit(its.child(CHILD)).await, Err(denied.clone()));
        assert_eq!(context.set_state("k", &json("1")).await, Err(denied));
        Outcome::Success(json("1"))
    });
    let node = world.node(&script.ready()).await;
    let id = world.submit_task(TASK).await;
    assert_eq!(node.settled(1).await, [Verdict::Done]);
    assert_eq!(world.counts(id).await.0, State::Revoked);
    assert_eq!(world.results.metadata(&world.tenant, id).await.unwrap(), Some(entries([])));
    assert_eq!(world.results.children(&world.tenant, id).await.unwrap(), []);
}
