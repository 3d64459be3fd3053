//! Generated from the WIT: private to this crate, and named in `convert` and `host` only.
#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "mogbox:task/task",
    imports: { default: async | trappable },
    exports: { default: async },
});
