//! Lets the fuzzer at the target that has this binary's name.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mogbox_fuzz::write_seeds(env!("CARGO_BIN_NAME")),
    |data: &[u8]| mogbox_fuzz::run(env!("CARGO_BIN_NAME"), data)
);
