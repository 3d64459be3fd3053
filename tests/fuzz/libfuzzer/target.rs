//! Lets the fuzzer at the target that has this binary's name.
#![no_main]

use std::alloc::System;

use cap::Cap;

/// Bytes that the host may hold at one time, whatever the input says. More than that ends the process, which is a finding.
const MOST_MEMORY: usize = 256 << 20;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MOST_MEMORY);

libfuzzer_sys::fuzz_target!(
    init: mogbox_fuzz::write_seeds(env!("CARGO_BIN_NAME")),
    |data: &[u8]| mogbox_fuzz::run(env!("CARGO_BIN_NAME"), data)
);
