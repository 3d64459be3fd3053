//! Any order of steps and writes by any attempts, current and late ones, leaves what a small model of the rules says.

use std::collections::BTreeMap;

use mogbox_core::limits::Limits;
use mogbox_core::result::State;
use mogbox_core::store::{Popped, Transition, Transitioned, Written};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::world::{FINAL, World, entries, finish, json, resume, start};
use crate::harness::on_both;

on_both! { World; any_order_of_steps_and_writes_follows_the_rules }

const KEYS: [&str; 2] = ["k", "l"];

#[derive(Debug, Clone)]
enum Act {
    Start,
    Resume,
    Suspend,
    Retry,
    Finish(State),
    Revoke,
    SetMetadata(&'static str),
    SetState(&'static str),
    PopState(&'static str),
    ClearState,
}

/// A result with what lies beside it: every value is the number of the act that wrote it.
#[derive(Debug, Default, PartialEq)]
struct Model {
    state: Option<State>,
    attempt: u32,
    starts: u32,
    stops: u32,
    retries: u32,
    metadata: BTreeMap<&'static str, usize>,
    kept: BTreeMap<&'static str, usize>,
}

impl Model {
    fn state(&self) -> State {
        self.state.unwrap_or(State::Pending)
    }

    /// `begins` says whether the step brings the start of its attempt along.
    fn step(&mut self, fence: u32, begins: bool, act: &Act) -> Transitioned {
        if self.state().is_final() {
            return Transitioned::Final(self.state());
        }
        if fence < self.attempt && !matches!(act, Act::Revoke) {
            return Transitioned::Fenced;
        }
        if begins && fence > self.attempt {
            (self.state, self.attempt, self.starts) = (Some(State::Running), fence, self.starts + 1);
        }
        let again = |state| self.attempt == fence && self.state == Some(state);
        match act {
            Act::Start => return Transitioned::Applied,
            Act::Resume if again(State::Running) => return Transitioned::Applied,
            Act::Suspend | Act::Retry if again(State::Suspended) => return Transitioned::Applied,
            _ => {}
        }
        match act {
            Act::Resume => (self.state, self.starts) = (Some(State::Running), self.starts + 1),
            Act::Suspend | Act::Retry => (self.state, self.stops) = (Some(State::Suspended), self.stops + 1),
            Act::Finish(state) => (self.state, self.stops, self.retries) = (Some(*state), self.stops + 1, 0),
            _ => (self.state, self.stops, self.retries) = (Some(State::Revoked), self.stops + 1, 0),
        }
        match act {
            Act::Retry => self.retries += 1,
            Act::Finish(_) => self.kept.clear(),
            _ => {}
        }
        Transitioned::Applied
    }

    /// Whether this attempt may write.
    fn holds(&self, fence: u32) -> bool {
        !self.state().is_final() && fence >= self.attempt
    }

    fn entries(&self, of: &BTreeMap<&'static str, usize>) -> Vec<Option<String>> {
        KEYS.iter().map(|key| of.get(key).map(ToString::to_string)).collect()
    }
}

fn acts() -> impl Strategy<Value = Vec<(u32, bool, Act)>> {
    let key = prop::sample::select(KEYS.to_vec());
    let act = prop_oneof![
        4 => Just(Act::Start),
        3 => Just(Act::Resume),
        3 => Just(Act::Suspend),
        2 => Just(Act::Retry),
        1 => prop::sample::select(FINAL.to_vec()).prop_map(Act::Finish),
        1 => Just(Act::Revoke),
        4 => key.clone().prop_map(Act::SetMetadata),
        5 => key.clone().prop_map(Act::SetState),
        3 => key.prop_map(Act::PopState),
        1 => Just(Act::ClearState),
    ];
    prop::collection::vec((1_u32..5, any::<bool>(), act), 1..24)
}

async fn any_order_of_steps_and_writes_follows_the_rules(world: World) {
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let follow = |acts| {
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(follows_the_model(&world, acts)));
        Ok(())
    };
    runner.run(&acts(), follow).unwrap();
}

async fn follows_the_model(world: &World, acts: Vec<(u32, bool, Act)>) {
    let id = world.submitted().await;
    let mut model = Model::default();
    for (number, (fence, begins, act)) in acts.into_iter().enumerate() {
        match act {
            Act::SetMetadata(_) | Act::SetState(_) | Act::PopState(_) | Act::ClearState => {
                write(world, &mut model, id, (number, fence), &act).await;
            }
            _ => step(world, &mut model, id, (fence, begins), act).await,
        }
        assert_eq!(world.counters(id).await, (model.state(), model.starts, model.stops, model.retries));
        assert_eq!(stored(world, id).await, (model.entries(&model.metadata), model.entries(&model.kept)));
    }
}

async fn step(world: &World, model: &mut Model, id: mogbox_core::RequestId, (fence, begins): (u32, bool), act: Act) {
    let before = model.state();
    let begins = begins && !matches!(act, Act::Revoke);
    let expected = model.step(fence, begins || matches!(act, Act::Start), &act);
    let step = match act {
        Act::Start => start(),
        Act::Resume => resume(),
        Act::Suspend => Transition::Suspend,
        Act::Retry => Transition::Retry,
        Act::Finish(state) => finish(state),
        _ => return assert_eq!(world.revoke(id).await, Some(before)),
    };
    let taken = if begins { world.start_and(id, fence, step).await } else { world.step(id, fence, step).await };
    assert_eq!(taken, expected, "attempt {fence}");
}

async fn write(world: &World, model: &mut Model, id: mogbox_core::RequestId, (number, fence): (usize, u32), act: &Act) {
    let (holds, text, limits) = (model.holds(fence), number.to_string(), Limits::default());
    let written = if holds { Written::Stored } else { Written::Fenced };
    let kept = if holds { &mut model.kept } else { &mut BTreeMap::new() };
    match act {
        Act::SetMetadata(key) => {
            let new = entries([(key, text.as_str())]);
            assert_eq!(world.results.set_metadata(&world.tenant, id, Some(fence), &new, &limits).await, Ok(written));
            if holds {
                model.metadata.insert(key, number);
            }
        }
        Act::SetState(key) => {
            assert_eq!(world.state.set(&world.tenant, id, fence, key, &json(&text), &limits).await, Ok(written));
            kept.insert(key, number);
        }
        Act::PopState(key) => {
            let value = kept.remove(key).map(|number| json(&number.to_string()));
            let popped = if holds { Popped::Value(value) } else { Popped::Fenced };
            assert_eq!(world.state.pop(&world.tenant, id, fence, key).await, Ok(popped));
        }
        _ => {
            assert_eq!(world.state.clear(&world.tenant, id, Some(fence)).await, Ok(written));
            kept.clear();
        }
    }
}

/// Metadata and state, by key.
async fn stored(world: &World, id: mogbox_core::RequestId) -> (Vec<Option<String>>, Vec<Option<String>>) {
    let metadata = world.results.metadata(&world.tenant, id).await.unwrap().expect("there is a result");
    let mut kept = Vec::new();
    for key in KEYS {
        kept.push(world.state.get(&world.tenant, id, key).await.unwrap().map(|value| value.as_str().to_owned()));
    }
    (KEYS.iter().map(|key| metadata.get(key).map(|value| value.as_str().to_owned())).collect(), kept)
}
