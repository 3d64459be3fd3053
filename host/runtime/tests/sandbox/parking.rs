//! One call of the host for each import that can wait for something.

use mogbox_fixtures::guest::{CONTEXT, Guest, REQUESTS, STATE};

/// An import with a body that calls it once and leaves its answer at address 256. All of these answer with a result whose error lies
/// at the same place.
pub(crate) struct Call {
    pub(crate) name: &'static str,
    imports: &'static str,
    body: &'static str,
}

/// An entry at address 1024: `t` with the value `{}`.
pub(crate) const ENTRY: &str = r#"(data (i32.const 1024) "\40\00\00\00\01\00\00\00\41\00\00\00\02\00\00\00")"#;

/// Every import that asks a store or a broker.
pub(crate) const CALLS: [Call; 9] = [
    Call { name: "get-metadata", imports: CONTEXT, body: "(call $get_metadata (i32.const 64) (i32.const 1) (i32.const 256))" },
    Call { name: "list-metadata", imports: CONTEXT, body: "(call $list_metadata (i32.const 256))" },
    Call { name: "set-metadata", imports: CONTEXT, body: "(call $set_metadata (i32.const 1024) (i32.const 1) (i32.const 256))" },
    Call { name: "get", imports: STATE, body: "(call $get_state (i32.const 64) (i32.const 1) (i32.const 256))" },
    Call {
        name: "set",
        imports: STATE,
        body: "(call $set_state (i32.const 64) (i32.const 1) (i32.const 65) (i32.const 2) (i32.const 256))",
    },
    Call { name: "pop", imports: STATE, body: "(call $pop_state (i32.const 64) (i32.const 1) (i32.const 256))" },
    Call { name: "clear", imports: STATE, body: "(call $clear_state (i32.const 256))" },
    Call {
        name: "submit",
        imports: REQUESTS,
        body: "(call $submit (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0)
            (i32.const 256))",
    },
    Call {
        name: "wait",
        imports: REQUESTS,
        body: "(call $wait (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 256))",
    },
];

/// Returns the text of the error at address 256 as JSON; traps where there is none, or another than `unavailable`.
const RETURN_THE_ERROR: &str = r#"
  (if (i32.ne (i32.load8_u (i32.const 256)) (i32.const 1)) (then unreachable))
  (if (i32.ne (i32.load8_u (i32.const 260)) (i32.const 5)) (then unreachable))
  (local.set $i (i32.sub (i32.load (i32.const 264)) (i32.const 1)))
  (local.set $j (i32.load (i32.const 268)))
  (i32.store8 (local.get $i) (i32.const 34))
  (i32.store8 (i32.add (local.get $i) (i32.add (local.get $j) (i32.const 1))) (i32.const 34))
  (call $ok (local.get $i) (i32.add (local.get $j) (i32.const 2)))"#;

impl Call {
    /// A guest that makes this call and returns the text of the error that it gets.
    pub(crate) fn build(&self) -> Vec<u8> {
        let run = format!("{} {RETURN_THE_ERROR}", self.body);
        Guest { imports: self.imports, items: ENTRY, ..Guest::running(&run) }.build()
    }
}
