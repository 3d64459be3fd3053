//! What the tenant is configured with, over `wasi:config`.

use std::collections::BTreeMap;

use bindings::wasi::config::store;

#[allow(unsafe_code, unreachable_pub, missing_docs, clippy::all, reason = "generated: the boundary of WebAssembly is unsafe")]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package wasi:config@0.2.0-rc.1;
            interface store {
                variant error { upstream(string), io(string) }
                get: func(key: string) -> result<option<string>, error>;
                get-all: func() -> result<list<tuple<string, string>>, error>;
            }
            world imports { import store; }
        ",
        world: "wasi:config/imports",
        generate_all,
    });
}

/// Everything, each value as it is got by its own key.
pub(crate) fn all() -> Result<BTreeMap<String, Option<String>>, String> {
    let all = store::get_all().map_err(|error| error.to_string())?;
    all.into_iter().map(|(key, _)| get(&key).map(|value| (key, value))).collect()
}

/// One value.
pub(crate) fn get(key: &str) -> Result<Option<String>, String> {
    store::get(key).map_err(|error| error.to_string())
}
