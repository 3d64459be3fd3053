//! `context`: a guest calls the interface of that name.

use arbitrary::Arbitrary;

use crate::Target;
use crate::calls::{self, Calls, Entry, Import, Key, Program, World};

pub(crate) const TARGET: Target = Target { name: "context", run, seeds: Vec::new, short_run: 100 };

thread_local!(static WORLD: World = World::new(Context::IMPORTS));

fn run(data: &[u8]) {
    WORLD.with(|world| calls::run::<Context>(world, data));
}

#[derive(Debug, Arbitrary)]
enum Context {
    GetRequest,
    GetMetadata(Key),
    ListMetadata,
    SetMetadata(Vec<Entry>),
    Cancelled,
    RemainingMs,
}

const fn import(name: &'static str, parameters: &'static str, returns: bool) -> Import {
    Import { interface: "context", name, parameters, returns }
}

impl Calls for Context {
    const IMPORTS: &'static [Import] = &[
        import("get-request", "i", false),
        import("get-metadata", "iii", false),
        import("list-metadata", "i", false),
        import("set-metadata", "iii", false),
        import("cancelled", "", true),
        import("remaining-ms", "i", false),
    ];

    fn write(self, program: &mut Program, times: u16) {
        let answer = Program::ANSWER.into();
        match self {
            Self::GetRequest => program.call(0, &[answer], times),
            Self::GetMetadata(key) => {
                let [at, length] = key.write(program);
                program.call(1, &[at, length, answer], times);
            }
            Self::ListMetadata => program.call(2, &[answer], times),
            Self::SetMetadata(entries) => {
                let [at, count] = Entry::write_all(&entries, program);
                program.call(3, &[at, count, answer], times);
            }
            Self::Cancelled => program.call(4, &[], times),
            Self::RemainingMs => program.call(5, &[answer], times),
        }
    }
}
