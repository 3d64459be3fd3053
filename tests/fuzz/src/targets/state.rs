//! `state`: a guest calls the interface of that name.

use arbitrary::Arbitrary;

use crate::Target;
use crate::calls::{self, Calls, Import, Key, Program, Text, World};

pub(crate) const TARGET: Target = Target { name: "state", run, seeds: Vec::new, short_run: 100 };

thread_local!(static WORLD: World = World::new(State::IMPORTS));

fn run(data: &[u8]) {
    WORLD.with(|world| calls::run::<State>(world, data));
}

#[derive(Debug, Arbitrary)]
enum State {
    Get(Key),
    Set(Key, Text),
    Pop(Key),
    Clear,
}

const fn import(name: &'static str, parameters: &'static str) -> Import {
    Import { interface: "state", name, parameters, returns: false }
}

impl Calls for State {
    const IMPORTS: &'static [Import] = &[import("get", "iii"), import("set", "iiiii"), import("pop", "iii"), import("clear", "i")];

    fn write(self, program: &mut Program, times: u16) {
        let answer = Program::ANSWER.into();
        match self {
            Self::Get(key) => {
                let [at, length] = key.write(program);
                program.call(0, &[at, length, answer], times);
            }
            Self::Set(key, value) => {
                let ([at, length], [value, size]) = (key.write(program), value.write(program));
                program.call(1, &[at, length, value, size, answer], times);
            }
            Self::Pop(key) => {
                let [at, length] = key.write(program);
                program.call(2, &[at, length, answer], times);
            }
            Self::Clear => program.call(3, &[answer], times),
        }
    }
}
