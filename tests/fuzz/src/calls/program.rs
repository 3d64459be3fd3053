//! Programs of the guest: where its memory is written, and which calls are made with which numbers.

/// Where the parameters of a call lie, 8 bytes each.
pub(super) const PARAMETERS: u32 = 1_024;

/// Where ids of children are kept.
const IDS: u32 = 3_072;

/// Ids that are kept.
const MAX_IDS: u8 = 16;

const DATA: u32 = 4_096;
const DATA_END: u32 = 32_768;

/// Bytes of the longest program: what is beyond is left out.
const LONGEST: usize = 31 << 10;

/// A program.
#[derive(Default)]
pub(crate) struct Program {
    code: Vec<u8>,
    data: u32,
}

impl Program {
    /// Where a call leaves its answer, if it has one.
    pub(crate) const ANSWER: u32 = 2_048;

    fn op(&mut self, op: u8, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.code.len() + length < LONGEST {
            self.code.push(op);
            parts.iter().for_each(|part| self.code.extend_from_slice(part));
        }
    }

    /// Writes to the guest's memory.
    pub(crate) fn write(&mut self, at: u32, bytes: &[u8]) {
        for (number, chunk) in bytes.chunks(usize::from(u16::MAX)).enumerate() {
            let at = at.wrapping_add(u32::try_from(number * usize::from(u16::MAX)).unwrap_or_default());
            let length = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
            self.op(0, &[&at.to_le_bytes(), &length.to_le_bytes(), chunk]);
        }
    }

    /// Calls a function with these numbers.
    pub(crate) fn call(&mut self, function: usize, parameters: &[u64], times: u16) {
        let numbers: Vec<u8> = parameters.iter().take(16).flat_map(|number| number.to_le_bytes()).collect();
        self.write(PARAMETERS, &numbers);
        self.op(1, &[&[u8::try_from(function).unwrap_or(u8::MAX)], &times.to_le_bytes()]);
    }

    pub(crate) fn grow(&mut self, pages: u8) {
        self.op(2, &[&[pages]]);
    }

    /// Ends the run with what lies at an address.
    pub(crate) fn answer(&mut self, at: u32) {
        self.op(3, &[&at.to_le_bytes()]);
    }

    /// Keeps the id that the last call answered with.
    pub(crate) fn keep_id(&mut self, slot: u8) {
        // An answer that is no error has its text after four bytes.
        self.op(4, &[&self::slot(slot).to_le_bytes(), &(Self::ANSWER + 4).to_le_bytes()]);
    }

    /// Address and length of a kept id.
    pub(crate) fn kept_id(slot: u8) -> [u64; 2] {
        [self::slot(slot).into(), 36]
    }

    /// Puts bytes where the program keeps its data; address and length of them.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> [u64; 2] {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).min(DATA_END - DATA);
        if self.data.saturating_add(length) > DATA_END - DATA {
            self.data = 0;
        }
        let at = DATA + self.data;
        self.data += length.next_multiple_of(8);
        self.write(at, &bytes[..length as usize]);
        [at.into(), length.into()]
    }

    /// Puts a list there whose items are pairs of address and length; address and number of them.
    pub(crate) fn list(&mut self, items: &[[u64; 2]]) -> [u64; 2] {
        let halves: Vec<u8> = items.iter().flatten().flat_map(|number| u32::try_from(*number).unwrap_or(u32::MAX).to_le_bytes()).collect();
        let [at, _] = self.bytes(&halves);
        [at, items.len() as u64]
    }

    /// What the guest is given as its argument.
    pub(super) fn digits(&self) -> String {
        self.code.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Where an id is kept.
fn slot(number: u8) -> u32 {
    IDS + 40 * u32::from(number % MAX_IDS)
}
