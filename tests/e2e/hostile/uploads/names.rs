//! Names and types of what a component imports and exports: of what there is not, of megabytes, and such as play tricks on readers.

use mogbox_fixtures::guest::Guest;

use super::encode::importing;
use super::{are_refused, upload};
use crate::hostile::victim::Victim;
use crate::hostile::words::is_plain;

/// The tasks of a component that imports or exports something wrong beside them.
const TASKS: &str = r#"(instance $tasks) (export "mogbox:task/tasks@0.1.0" (instance $tasks))"#;

fn component(parts: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {parts})")).unwrap()
}

#[test]
fn components_that_ask_for_what_there_is_not_are_refused_with_its_name() {
    let vault = r#"(import "acme:secrets/vault@1.0.0" "open" (func $open (result i32)))"#;
    let vault = Guest { world: "with-stranger", imports: vault, ..Guest::running("(call $open)") }.build();
    let preview1 = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))"#;
    are_refused([
        upload("a vault of secrets", vault, "it imports acme:secrets/vault@1.0.0, which the sandbox does not offer"),
        upload("a module of the first WASI", wat::parse_str(preview1).unwrap(), "it is a core module, expected a component"),
        upload("a WASI of the future", importing("wasi:io/poll@0.3.0"), "it imports wasi:io/poll@0.3.0, which"),
        upload("threads", importing("wasi:threads/spawn@0.2.0"), "it imports wasi:threads/spawn@0.2.0, which"),
        upload("a key-value store", importing("wasi:keyvalue/store@0.2.0"), "it imports wasi:keyvalue/store@0.2.0, which"),
        upload("a server of HTTP as import", importing("wasi:http/incoming-handler@0.2.6"), "it imports wasi:http/incoming-handler@0.2.6"),
        upload("an interface that there almost is", importing("mogbox:task/contexts@0.1.0"), "it imports mogbox:task/contexts@0.1.0"),
        upload("an interface of the node's inside", importing("mogbox:task/admin@0.1.0"), "it imports mogbox:task/admin@0.1.0"),
        upload("a function without an interface", component(r#"(import "exec" (func))"#), "it imports exec, which the sandbox does not"),
    ]);
}

#[test]
fn components_that_serve_something_else_or_of_another_type_are_refused() {
    let function = r#"(core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func $f (canon lift (core func $i "f")))"#;
    let wrong_import = format!(r#"(import "mogbox:task/log@0.1.0" (instance (export "log" (func (param "x" u32))))) {TASKS}"#);
    let function_as_tasks = format!(r#"{function} (export "mogbox:task/tasks@0.1.0" (func $f))"#);
    are_refused([
        upload(
            "a server of HTTP",
            component(r#"(instance $i) (export "wasi:http/incoming-handler@0.2.6" (instance $i))"#),
            "it does not export mogbox:task/tasks@0.1, so it serves no tasks; it exports wasi:http/incoming-handler@0.2.6",
        ),
        upload("a command", component(r#"(instance $i) (export "wasi:cli/run@0.2.6" (instance $i))"#), "it exports wasi:cli/run@0.2.6"),
        upload("tasks of a version to come", component(r#"(instance $i) (export "mogbox:task/tasks@0.2.0" (instance $i))"#), "@0.2.0"),
        upload("tasks without functions", component(TASKS), "its imports or exports do not fit the WIT: "),
        upload("tasks that are one function", component(&function_as_tasks), "its imports or exports do not fit the WIT: "),
        upload("a log of another type", component(&wrong_import), "its imports or exports do not fit the WIT: "),
    ]);
}

#[test]
fn names_of_megabytes_or_with_tricks_are_refused_in_short_and_plain_words() {
    let invalid = "it is not a valid component: ";
    are_refused([
        upload("a name of a mebibyte", importing(&"a".repeat(1 << 20)), invalid),
        upload("a name of 50,000 bytes", importing(&"a".repeat(50_000)), "the name of one of its imports has 50000 bytes, at most 256"),
        upload("an empty name", importing(""), invalid),
        upload("a name that clears the screen", importing("a\u{1b}[2J\u{7}\u{9b}31m"), invalid),
        upload("a name that is read backwards", importing("user\u{202e}gpj:exe/x@1.0.0"), invalid),
        upload("a name of several lines", importing("a\r\nERROR all is lost"), invalid),
        upload("a name with markup", importing("<script>alert(1)</script>"), invalid),
        upload("a name with a zero in it", importing("mogbox:task/log\0@0.1.0"), invalid),
        upload("a path as name", importing("../../etc/passwd"), invalid),
    ]);
    let victim = Victim::with_defaults();
    for name in ["a\u{1b}[2J\u{7}\u{9b}31m", "user\u{202e}gpj:exe/x@1.0.0", "a\u{feff}b\u{2066}c", "a\u{0}b"] {
        let refused = victim.tenant("refused").upload("guest", &importing(name));
        let reason = refused.problem(422, "module-refused");
        is_plain(reason);
        assert!(reason.len() < 4 << 10, "{} bytes of a reason", reason.len());
    }
    is_plain(&victim.log());
}
