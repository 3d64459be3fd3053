//! The guest that carries out programs, with the imports of one interface.

use std::fmt::Write as _;

use mogbox_fixtures::guest::Guest;

use super::program::PARAMETERS;

/// A function of the host's, as core WebAssembly sees it.
pub(crate) struct Import {
    /// The interface, such as `context`.
    pub(crate) interface: &'static str,
    pub(crate) name: &'static str,
    /// `i` for each parameter of 32 bits, `I` for each of 64.
    pub(crate) parameters: &'static str,
    /// Whether it returns a number.
    pub(crate) returns: bool,
}

/// A guest that may call these functions, as a component.
pub(crate) fn guest(imports: &[Import]) -> Vec<u8> {
    let mut declared = String::new();
    let mut calls = String::new();
    for (number, Import { interface, name, parameters, returns }) in imports.iter().enumerate() {
        let types: Vec<_> = parameters.chars().map(|size| if size == 'I' { "i64" } else { "i32" }).collect();
        let result = if *returns { "(result i32)" } else { "" };
        let types_text = types.join(" ");
        writeln!(declared, r#"(import "mogbox:task/{interface}@0.1.0" "{name}" (func $f{number} (param {types_text}) {result}))"#)
            .expect("a string takes everything");
        let loaded = |(at, size): (usize, &&str)| format!("({size}.load (i32.const {}))", PARAMETERS as usize + 8 * at);
        let loads: String = types.iter().enumerate().map(loaded).collect();
        let call = format!("(call $f{number} {loads})");
        let call = if *returns { format!("(drop {call})") } else { call };
        writeln!(calls, "(if (i32.eq (local.get $function) (i32.const {number})) (then {call}))").expect("a string takes everything");
    }
    let items = include_str!("guest.wat").replace(";;CALLS", &calls);
    Guest { imports: &declared, items: &items, ..Guest::running("(call $carry_out (local.get $args))") }.build()
}
