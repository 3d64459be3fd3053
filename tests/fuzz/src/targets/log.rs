//! `log`: a guest calls the interface of that name.

use arbitrary::Arbitrary;

use crate::Target;
use crate::calls::{self, Calls, Entry, Import, Program, Text, World};

pub(crate) const TARGET: Target = Target { name: "log", run, seeds: Vec::new, short_run: 100 };

thread_local!(static WORLD: World = World::new(Log::IMPORTS));

fn run(data: &[u8]) {
    WORLD.with(|world| calls::run::<Log>(world, data));
}

#[derive(Debug, Arbitrary)]
struct Log {
    level: u8,
    message: Text,
    fields: Vec<Entry>,
}

impl Calls for Log {
    const IMPORTS: &'static [Import] = &[Import { interface: "log", name: "log", parameters: "iiiii", returns: false }];

    fn write(self, program: &mut Program, times: u16) {
        let [message, length] = self.message.write(program);
        let [fields, count] = Entry::write_all(&self.fields, program);
        program.call(0, &[u64::from(self.level % 6), message, length, fields, count], times);
    }
}
