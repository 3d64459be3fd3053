//! Guests that never end by themselves: one that spins, and for each import of the host one that waits in it where that can be, or
//! calls it over and over.

use mogbox_core::Limits;

use crate::guests::{CONFIG, CONTEXT, Guest, HTTP, LOG, REQUESTS, STATE, WASI};
use crate::parking::CALLS;

/// A guest without an end.
pub(crate) struct Endless {
    /// The import that it is in.
    pub(crate) name: &'static str,
    pub(crate) module: Vec<u8>,
    /// Whether it only waits while the store does not answer.
    pub(crate) hangs: bool,
}

/// An import, and one call of it. What the host returns is laid at the same place each time.
const OVER_AND_OVER: [(&str, &str, &str); 14] = [
    ("get-request", CONTEXT, "(call $get_request (i32.const 256))"),
    ("cancelled", CONTEXT, "(drop (call $cancelled))"),
    ("remaining-ms", CONTEXT, "(call $remaining_ms (i32.const 256))"),
    ("log", LOG, "(call $log (i32.const 2) (i32.const 64) (i32.const 3) (i32.const 0) (i32.const 0))"),
    ("now", WASI, "(drop (call $now))"),
    // As much as one call may ask for.
    ("get-random-bytes", WASI, "(call $random (i64.const 262144) (i32.const 256))"),
    ("blocking-write-and-flush", WASI, "(call $write (local.get $i) (i32.const 0) (i32.const 4096) (i32.const 256))"),
    ("fields", HTTP, "(call $drop_fields (call $fields))"),
    (
        "fields.append of 16 KiB",
        HTTP,
        "(local.set $j (call $fields))
         (call $append (local.get $j) (i32.const 64) (i32.const 1) (i32.const 131072) (i32.const 16384) (i32.const 256))
         (call $drop_fields (local.get $j))",
    ),
    ("config get", CONFIG, "(call $get_config (i32.const 64) (i32.const 1) (i32.const 256))"),
    ("config get-all", CONFIG, "(call $get_all_config (i32.const 256))"),
    // As much as one call may bring: a quarter more than the bound on state.
    ("log of 5 MiB", LOG, "(call $log (i32.const 2) (i32.const 131072) (i32.const 5242880) (i32.const 0) (i32.const 0))"),
    // As much as is checked and kept.
    ("set of 4 MiB", STATE, "(call $set_state (i32.const 64) (i32.const 1) (i32.const 131072) (i32.const 4194303) (i32.const 256))"),
    (
        "set-metadata of 256 KiB",
        CONTEXT,
        "(i32.store (i32.const 1024) (i32.const 64)) (i32.store (i32.const 1028) (i32.const 1))
         (i32.store (i32.const 1032) (i32.const 131072)) (i32.store (i32.const 1036) (i32.const 262143))
         (call $set_metadata (i32.const 1024) (i32.const 1) (i32.const 256))",
    ),
];

/// Pages for the largest of them, filled with digits: a text and JSON alike.
const PAGES: u32 = 84;
const FILL: &str = "(memory.fill (i32.const 131072) (i32.const 49) (i32.const 5242880))";

/// What waits without a store: a timer, a child that nobody runs, and a server that does not answer.
const WAITING: [(&str, &str, &str); 4] = [
    ("block", WASI, "(call $block (call $subscribe (i64.const 3600000000000)))"),
    (
        "poll",
        WASI,
        "(i32.store (i32.const 320) (call $subscribe (i64.const 3600000000000)))
         (call $poll (i32.const 320) (i32.const 1) (i32.const 256))",
    ),
    ("wait for an HTTP answer", HTTP, WAIT_FOR_AN_ANSWER),
    (
        "wait for a child",
        REQUESTS,
        "(call $submit (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 256))
         (i32.store (i32.const 320) (i32.load (i32.const 260))) (i32.store (i32.const 324) (i32.load (i32.const 264)))
         (call $wait (i32.const 320) (i32.const 1) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 256))",
    ),
];

/// Asks the host `never`, whose name is written first.
const WAIT_FOR_AN_ANSWER: &str = "
  (i32.store (i32.const 320) (i32.const 0x6576656e)) (i32.store8 (i32.const 324) (i32.const 114))
  (local.set $j (call $http_request (call $fields)))
  (if (call $set_authority (local.get $j) (i32.const 1) (i32.const 320) (i32.const 5)) (then unreachable))
  (i32.store8 (i32.const 330) (i32.const 47))
  (if (call $set_path (local.get $j) (i32.const 1) (i32.const 330) (i32.const 1)) (then unreachable))
  (call $handle (local.get $j) (i32.const 0) (i32.const 0) (i32.const 256))
  (if (i32.load8_u (i32.const 256)) (then unreachable))
  (call $block (call $subscribe_answer (i32.load (i32.const 264))))";

/// All of them.
pub(crate) fn endless() -> Vec<Endless> {
    let spin = build("", "(loop $again (br $again)) unreachable");
    let mut all = vec![Endless { name: "spin", module: spin, hangs: false }];
    for (name, imports, call) in OVER_AND_OVER {
        let handle = if name.starts_with("blocking") { "(local.set $i (call $stdout))" } else { "" };
        let run = format!("{FILL} {handle} (loop $again {call} (global.set $top (i32.const 65536)) (br $again)) unreachable");
        all.push(Endless { name, module: build(imports, &run), hangs: false });
    }
    for (name, imports, call) in WAITING {
        all.push(Endless { name, module: build(imports, &format!("{call} unreachable")), hangs: false });
    }
    all.extend(CALLS.iter().map(|call| Endless { name: call.name, module: call.build(), hangs: true }));
    all
}

fn build(imports: &str, run: &str) -> Vec<u8> {
    let world = if [WASI, HTTP, CONFIG].contains(&imports) { "with-wasi" } else { "plain" };
    Guest { world, imports, pages: PAGES, ..Guest::running(run) }.build()
}

/// Bounds that none of them reaches before its deadline.
pub(crate) fn wide() -> Limits {
    let hour = 3_600_000;
    Limits { host_calls: u64::MAX, host_bytes: u64::MAX, cpu_time: hour, wall_time: hour, call_time: hour, ..Limits::default() }
}
