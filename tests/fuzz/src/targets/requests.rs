//! `requests`: a guest calls the interface of that name.

use arbitrary::{Arbitrary, Unstructured};

use crate::Target;
use crate::calls::{self, Calls, Entry, Import, Key, Program, Text, World};

pub(crate) const TARGET: Target = Target { name: "requests", run, seeds: Vec::new, short_run: 100 };

thread_local!(static WORLD: World = World::new(Requests::IMPORTS));

fn run(data: &[u8]) {
    WORLD.with(|world| calls::run::<Requests>(world, data));
}

#[derive(Debug, Arbitrary)]
enum Requests {
    Submit(Box<Child>),
    Wait { ids: Vec<Id>, any: bool, timeout: Option<u8> },
}

#[derive(Debug, Arbitrary)]
struct Child {
    name: Key,
    args: Vec<Text>,
    kwargs: Vec<Entry>,
    metadata: Vec<Entry>,
    #[arbitrary(with = |input: &mut Unstructured<'_>| Ok(Some(input.int_in_range(0..=12)?).filter(|priority| *priority != 5)))]
    priority: Option<u8>,
    queue: Option<Key>,
    deadline_ms: Option<u64>,
    /// Where its id is kept.
    slot: u8,
}

/// The id of a child that was submitted, or of nobody's.
#[derive(Debug, Arbitrary)]
enum Id {
    Kept(u8),
    Random([u8; 16]),
    Bytes(Vec<u8>),
}

impl Id {
    fn write(&self, program: &mut Program) -> [u64; 2] {
        match self {
            Self::Kept(slot) => Program::kept_id(*slot),
            Self::Random(bytes) => {
                let id = mogbox_core::RequestId::from_slice(bytes).expect("16 bytes");
                program.bytes(id.to_string().as_bytes())
            }
            Self::Bytes(bytes) => program.bytes(bytes),
        }
    }
}

impl Calls for Requests {
    const IMPORTS: &'static [Import] = &[
        Import { interface: "requests", name: "submit", parameters: "iiiiiiiiiiiiiiIi", returns: false },
        Import { interface: "requests", name: "wait", parameters: "iiiiIi", returns: false },
    ];

    fn write(self, program: &mut Program, times: u16) {
        match self {
            Self::Submit(child) => child.write(program, times),
            Self::Wait { ids, any, timeout } => {
                let items: Vec<_> = ids.iter().map(|id| id.write(program)).collect();
                let [at, count] = program.list(&items);
                let (is_some, timeout) = (timeout.is_some().into(), timeout.unwrap_or_default().into());
                program.call(1, &[at, count, any.into(), is_some, timeout, Program::ANSWER.into()], times);
            }
        }
    }
}

impl Child {
    fn write(self, program: &mut Program, times: u16) {
        let name = self.name.write(program);
        let args = Text::write_all(&self.args, program);
        let [kwargs, metadata] = [&self.kwargs, &self.metadata].map(|entries| Entry::write_all(entries, program));
        let priority = [self.priority.is_some().into(), self.priority.unwrap_or_default().into()];
        let queue = self.queue.map_or([0; 3], |queue| {
            let [at, length] = queue.write(program);
            [1, at, length]
        });
        let deadline = [self.deadline_ms.is_some().into(), self.deadline_ms.unwrap_or_default(), Program::ANSWER.into()];
        let parts: [&[u64]; 7] = [&name, &args, &kwargs, &metadata, &priority, &queue, &deadline];
        program.call(0, &parts.concat(), times);
        program.keep_id(self.slot);
    }
}
