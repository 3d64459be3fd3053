//! Inputs out of seeds for the short run: the changes that fuzzers make, from a generator that starts the same each time.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Bytes of the longest input.
const LONGEST: usize = 4 << 10;

/// Bytes that mean something to some parser.
const TELLING: [&[u8]; 16] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\u0000",
    b"\\",
    b"null",
    b"-",
    b"1e999",
    b"\xff",
    b"\0",
    b"18446744073709551616",
    b"=\n",
];

/// Makes one input after the other.
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    random: StdRng,
}

impl Mutator {
    /// Inputs that resemble these seeds, or nothing at all.
    #[must_use]
    pub fn new(seeds: Vec<Vec<u8>>) -> Self {
        Self { seeds, random: StdRng::seed_from_u64(0x6d6f_6762_6f78) }
    }

    /// The next input: mostly a seed with some changes, else random bytes.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = match self.seeds.len() {
            0 => self.noise(),
            _ if self.random.random_bool(0.05) => self.noise(),
            count => self.seeds[self.random.random_range(0..count)].clone(),
        };
        for _ in 0..self.random.random_range(1..8) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn noise(&mut self) -> Vec<u8> {
        let length = self.random.random_range(0..1_024);
        (0..length).map(|_| self.random.random()).collect()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.random_range(0..=input.len());
        let end = self.random.random_range(at..=input.len().min(at + 32));
        match self.random.random_range(0..6) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..end)),
            2 => self.flip(input, at),
            3 => self.insert(input, at),
            4 => {
                let copy = input[at..end].repeat(self.random.random_range(1..20));
                input.splice(at..at, copy);
            }
            _ => self.splice(input, at),
        }
    }

    fn flip(&mut self, input: &mut [u8], at: usize) {
        let bit = self.random.random_range(0..8);
        if let Some(byte) = input.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    fn insert(&mut self, input: &mut Vec<u8>, at: usize) {
        let telling = TELLING[self.random.random_range(0..TELLING.len())];
        input.splice(at..at, telling.iter().copied());
    }

    /// Goes on with the end of another seed.
    fn splice(&mut self, input: &mut Vec<u8>, at: usize) {
        if self.seeds.is_empty() {
            return;
        }
        let other = &self.seeds[self.random.random_range(0..self.seeds.len())];
        let from = self.random.random_range(0..=other.len());
        input.truncate(at);
        input.extend_from_slice(&other[from..]);
    }
}
