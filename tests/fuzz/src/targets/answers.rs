//! `answers`: what a task returns, in every shape that the WIT has and in none.

use arbitrary::Arbitrary;

use crate::Target;
use crate::calls::{self, Calls, Import, Program, Text, World};

pub(crate) const TARGET: Target = Target { name: "answers", run, seeds: Vec::new, short_run: 100 };

thread_local!(static WORLD: World = World::new(Answer::IMPORTS));

fn run(data: &[u8]) {
    WORLD.with(|world| calls::run::<Answer>(world, data));
}

#[derive(Debug, Arbitrary)]
enum Answer {
    Value(Text),
    Failed { kind: Text, message: Text, details: Option<Text> },
    InvalidArguments(Vec<(Text, Text)>),
    UnknownTask,
    Retry(Text, Option<u64>),
    Pause(Option<u64>),
    Other([u8; 4], Vec<u8>),
}

/// Memory of the answer: 4 or 8 bytes at a time.
#[derive(Default)]
struct Memory(Vec<u8>);

impl Memory {
    fn words(mut self, words: &[u64]) -> Self {
        words.iter().for_each(|word| self.0.extend(u32::try_from(*word).unwrap_or(u32::MAX).to_le_bytes()));
        self
    }

    fn maybe(mut self, number: Option<u64>) -> Self {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        self.0.extend([u64::from(number.is_some()), number.unwrap_or_default()].into_iter().flat_map(u64::to_le_bytes));
        self
    }
}

impl Answer {
    /// The result's case, the error's case, and what follows.
    fn memory(self, program: &mut Program) -> Vec<u8> {
        let error = |case: u64| Memory::default().words(&[1, 0, case, 0]);
        match self {
            Self::Value(text) => Memory::default().words(&[0, 0]).words(&text.write(program)).0,
            Self::Failed { kind, message, details } => {
                let texts = [kind.write(program), message.write(program)].concat();
                let details = details.map_or([0; 3], |details| {
                    let [at, length] = details.write(program);
                    [1, at, length]
                });
                error(0).words(&texts).words(&details).0
            }
            Self::InvalidArguments(errors) => {
                let items: Vec<_> = errors.iter().flat_map(|(name, why)| [name.write(program), why.write(program)]).collect();
                let [at, halves] = program.list(&items);
                error(1).words(&[at, halves / 2]).0
            }
            Self::UnknownTask => error(2).0,
            Self::Retry(message, after) => error(3).words(&message.write(program)).maybe(after).0,
            Self::Pause(after) => error(4).maybe(after).0,
            Self::Other(cases, rest) => [Memory::default().words(&cases.map(u64::from)).0, rest].concat(),
        }
    }
}

impl Calls for Answer {
    /// One, so that calls that make no sense have something to call.
    const IMPORTS: &'static [Import] = &[Import { interface: "context", name: "cancelled", parameters: "", returns: true }];

    fn write(self, program: &mut Program, _: u16) {
        let memory = self.memory(program);
        program.write(Program::ANSWER, &memory);
        program.answer(Program::ANSWER);
    }
}
