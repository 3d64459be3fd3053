//! Guests of the tests: WebAssembly text with the plumbing of the canonical ABI around it, encoded as the toolchains do it.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A guest to build: what differs from one that returns its first argument and serves one task.
pub(crate) struct Guest<'a> {
    /// The WIT world, of `wasi.wit`.
    pub(crate) world: &'a str,
    /// Core imports, as text.
    pub(crate) imports: &'a str,
    /// Further definitions.
    pub(crate) items: &'a str,
    /// The body of `run`: parameters `$name $name_len $args $args_len $kwargs $kwargs_len`, to return an address.
    pub(crate) run: &'a str,
    /// The body of `describe`.
    pub(crate) describe: &'a str,
}

/// The body of a `run` that returns the first argument.
pub(crate) const ECHO: &str = "(call $ok (i32.load (local.get $args)) (i32.load offset=4 (local.get $args)))";

/// The body of a `describe` that names one task, `t`.
pub(crate) const ONE_TASK: &str = "(i32.const 128)";

/// What the imports of `context` look like in core WebAssembly.
pub(crate) const CONTEXT: &str = r#"
  (import "mogbox:task/context@0.1.0" "get-metadata" (func $get_metadata (param i32 i32 i32)))
  (import "mogbox:task/context@0.1.0" "set-metadata" (func $set_metadata (param i32 i32 i32)))
  (import "mogbox:task/context@0.1.0" "cancelled" (func $cancelled (result i32)))
"#;

/// What the import of `state` looks like.
pub(crate) const STATE: &str = r#"(import "mogbox:task/state@0.1.0" "get" (func $get_state (param i32 i32 i32)))"#;

/// What the imports of `requests` look like.
pub(crate) const REQUESTS: &str = r#"
  (import "mogbox:task/requests@0.1.0" "submit"
    (func $submit (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32)))
  (import "mogbox:task/requests@0.1.0" "wait" (func $wait (param i32 i32 i32 i32 i64 i32)))
"#;

/// What the import of `log` looks like.
pub(crate) const LOG: &str = r#"(import "mogbox:task/log@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))"#;

/// What the imports of WASI look like.
pub(crate) const WASI: &str = r#"
  (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $subscribe (param i64) (result i32)))
  (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:random/random@0.2.6" "get-random-bytes" (func $random (param i64 i32)))
  (import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@0.2.6" "get-stderr" (func $stderr (result i32)))
  (import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))
  (import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
"#;

impl Default for Guest<'_> {
    fn default() -> Self {
        Self { world: "plain", imports: "", items: "", run: ECHO, describe: ONE_TASK }
    }
}

impl Guest<'_> {
    /// A guest with this body of `run`.
    pub(crate) fn running(run: &str) -> Guest<'_> {
        Guest { run, ..Guest::default() }
    }

    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut module = self.core_module();
        let (resolve, package) = wit();
        let world = resolve.select_world(&[package], Some(self.world)).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
        ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
    }

    /// The core module, before it is made a component.
    pub(crate) fn core_module(&self) -> Vec<u8> {
        let Self { imports, items, run, describe, .. } = self;
        wat::parse_str(format!(
            r#"(module $guest
  {imports}
  (memory (export "memory") 2)
  (global $top (mut i32) (i32.const 65536))
  ;; One task: name, title, description, parameters, no returns; then the list of it.
  (data (i32.const 64) "t{{}}")
  (data (i32.const 80) "\40\00\00\00\01\00\00\00" "\40\00\00\00\00\00\00\00" "\40\00\00\00\00\00\00\00" "\41\00\00\00\02\00\00\00")
  (data (i32.const 128) "\50\00\00\00\01\00\00\00")
  (func $ok (param $text i32) (param $len i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 0))
    (i32.store (i32.const 24) (local.get $text))
    (i32.store (i32.const 28) (local.get $len))
    (i32.const 16))
  (func (export "cabi_realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $fits (i32.ge_s (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))) (i32.const 0)))
      unreachable)
    (local.get $at))
  {items}
  (func $run (export "mogbox:task/tasks@0.1.0#run")
    (param $name i32) (param $name_len i32) (param $args i32) (param $args_len i32) (param $kwargs i32) (param $kwargs_len i32)
    (result i32) (local $i i32) (local $j i32)
    {run})
  (func $describe (export "mogbox:task/tasks@0.1.0#describe") (result i32) {describe}))"#
        ))
        .unwrap()
    }
}

fn wit() -> (Resolve, wit_parser::PackageId) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = Resolve::default();
    resolve.push_dir(here.join("../../wit")).unwrap();
    let package = resolve.push_str("wasi.wit", include_str!("wasi.wit")).unwrap();
    (resolve, package)
}
