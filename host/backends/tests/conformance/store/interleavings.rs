//! Any order of steps by any attempts leaves what a small model of the rules says.

use mogbox_core::result::State;
use mogbox_core::store::{Transition, Transitioned};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::world::{FINAL, World, finish, resume, start};
use crate::harness::on_both;

on_both! { World; any_order_of_steps_follows_the_rules }

#[derive(Debug, Clone)]
enum Act {
    Start,
    Resume,
    Suspend,
    Retry,
    Finish(State),
    Revoke,
}

#[derive(Debug, PartialEq)]
struct Model {
    state: State,
    attempt: u32,
    starts: u32,
    stops: u32,
    retries: u32,
}

impl Model {
    fn step(&mut self, fence: u32, act: &Act) -> Transitioned {
        if self.state.is_final() {
            return Transitioned::Final(self.state);
        }
        if fence < self.attempt && !matches!(act, Act::Revoke) {
            return Transitioned::Fenced;
        }
        let again = |state| self.attempt == fence && self.state == state;
        match act {
            Act::Start | Act::Resume if again(State::Running) => {}
            Act::Suspend | Act::Retry if again(State::Suspended) => {}
            Act::Start => (self.state, self.starts, self.attempt) = (State::Running, self.starts + 1, fence),
            Act::Resume => (self.state, self.starts) = (State::Running, self.starts + 1),
            Act::Suspend => (self.state, self.stops) = (State::Suspended, self.stops + 1),
            Act::Retry => (self.state, self.stops, self.retries) = (State::Suspended, self.stops + 1, self.retries + 1),
            Act::Finish(state) => (self.state, self.stops, self.retries) = (*state, self.stops + 1, 0),
            Act::Revoke => (self.state, self.stops, self.retries) = (State::Revoked, self.stops + 1, 0),
        }
        Transitioned::Applied
    }
}

fn acts() -> impl Strategy<Value = Vec<(u32, Act)>> {
    let act = prop_oneof![
        4 => Just(Act::Start),
        3 => Just(Act::Resume),
        3 => Just(Act::Suspend),
        2 => Just(Act::Retry),
        1 => prop::sample::select(FINAL.to_vec()).prop_map(Act::Finish),
        1 => Just(Act::Revoke),
    ];
    prop::collection::vec((1_u32..5, act), 1..16)
}

async fn any_order_of_steps_follows_the_rules(world: World) {
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let follow = |acts| {
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(follows_the_model(&world, acts)));
        Ok(())
    };
    runner.run(&acts(), follow).unwrap();
}

async fn follows_the_model(world: &World, acts: Vec<(u32, Act)>) {
    let id = world.submitted().await;
    let mut model = Model { state: State::Pending, attempt: 0, starts: 0, stops: 0, retries: 0 };
    for (fence, act) in acts {
        let before = model.state;
        let expected = model.step(fence, &act);
        let step = match act {
            Act::Start => start(),
            Act::Resume => resume(),
            Act::Suspend => Transition::Suspend,
            Act::Retry => Transition::Retry,
            Act::Finish(state) => finish(state),
            Act::Revoke => {
                assert_eq!(world.revoke(id).await, Some(before));
                continue;
            }
        };
        assert_eq!(world.step(id, fence, step).await, expected, "attempt {fence}");
        assert_eq!(world.counters(id).await, (model.state, model.starts, model.stops, model.retries));
    }
    assert_eq!(world.counters(id).await, (model.state, model.starts, model.stops, model.retries));
}
