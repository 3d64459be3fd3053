//! What a module is made of: its kind, its imports against the list of what there is, its exports.

use wasmtime::Engine;
use wasmtime::component::Component;

/// How every WebAssembly binary begins, and the version and layer that follow.
const MAGIC: &[u8] = b"\0asm";
const CORE_MODULE: &[u8] = &[1, 0, 0, 0];
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];

/// What a guest exports to serve tasks.
const TASKS: &str = "mogbox:task/tasks@0.1.";

/// Every import there is, as the beginning of its name and of its version.
const OFFERED: [(&str, &str); 11] = [
    ("mogbox:task/types", "0.1."),
    ("mogbox:task/context", "0.1."),
    ("mogbox:task/state", "0.1."),
    ("mogbox:task/requests", "0.1."),
    ("mogbox:task/log", "0.1."),
    ("wasi:cli/", "0.2."),
    ("wasi:clocks/", "0.2."),
    ("wasi:filesystem/", "0.2."),
    ("wasi:io/", "0.2."),
    ("wasi:random/", "0.2."),
    ("wasi:sockets/", "0.2."),
];

const OFFERED_TEXT: &str =
    "mogbox:task 0.1 (types, context, state, requests, log) and WASI 0.2 (cli, clocks, filesystem, io, random, sockets)";

/// Names shown of a longer list.
const MAX_SHOWN: usize = 10;

/// Refuses what is no component as far as its first bytes tell, and says what it is.
///
/// # Errors
/// Where it is none.
pub fn check_kind(bytes: &[u8]) -> Result<(), String> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return Err(no_wasm(bytes));
    };
    if rest.starts_with(COMPONENT) {
        return Ok(());
    }
    if rest.starts_with(CORE_MODULE) {
        return Err(
            "it is a core module, expected a component: build for wasm32-wasip2, or componentize it with the guest's toolchain".into()
        );
    }
    Err("it is WebAssembly of a version that is not known here, expected a component".into())
}

fn no_wasm(bytes: &[u8]) -> String {
    let start = bytes.get(..bytes.len().min(16)).unwrap_or_default();
    match std::str::from_utf8(bytes.get(..bytes.len().min(1_024)).unwrap_or_default()) {
        _ if bytes.is_empty() => "it is empty, expected a WebAssembly component".into(),
        Ok(text) if text.trim_start().starts_with("(module") || text.trim_start().starts_with("(component") => {
            "it is WebAssembly text, expected a binary component: turn it into one with wasm-tools parse".into()
        }
        Ok(_) => "it is text, expected a WebAssembly component: upload the built .wasm file, not its source".into(),
        Err(_) => format!("it is not WebAssembly, expected a component: it begins with the bytes {start:02x?}"),
    }
}

/// Refuses an import that nothing offers, and names it.
pub(crate) fn check_imports(engine: &Engine, component: &Component) -> Result<(), String> {
    let ty = component.component_type();
    let stranger = ty.imports(engine).map(|(name, _)| name).find(|name| !is_offered(name));
    match stranger {
        Some(name) => Err(format!("it imports {name}, which the sandbox does not offer: it offers {OFFERED_TEXT}")),
        None => Ok(()),
    }
}

fn is_offered(import: &str) -> bool {
    let Some((interface, version)) = import.split_once('@') else { return false };
    OFFERED.iter().any(|(name, offered)| {
        let named = if name.ends_with('/') { interface.starts_with(name) } else { interface == *name };
        named && version.starts_with(offered)
    })
}

/// Refuses a component that serves no tasks, and says what it exports instead.
pub(crate) fn check_exports(engine: &Engine, component: &Component) -> Result<(), String> {
    let ty = component.component_type();
    let names: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
    if names.iter().any(|name| name.starts_with(TASKS)) {
        return Ok(());
    }
    let shown: Vec<&str> = names.iter().copied().take(MAX_SHOWN).collect();
    let found = if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
    Err(format!("it does not export mogbox:task/tasks@0.1, so it serves no tasks; it exports {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_there_is_is_offered() {
        for offered in ["mogbox:task/context@0.1.0", "wasi:clocks/monotonic-clock@0.2.6", "wasi:io/poll@0.2.12"] {
            assert!(is_offered(offered), "{offered}");
        }
        for other in
            ["mogbox:task/contexts@0.1.0", "mogbox:task/context@0.2.0", "wasi:http/types@0.2.6", "wasi:io/poll@0.3.0", "wasi:io/poll"]
        {
            assert!(!is_offered(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_component_is_named_for_what_it_is() {
        let reason = |bytes: &[u8]| check_kind(bytes).unwrap_err();
        assert!(reason(b"").starts_with("it is empty"));
        assert!(reason(b"  (module)").starts_with("it is WebAssembly text"));
        assert!(reason(b"print(1)").starts_with("it is text"));
        assert!(reason(b"\x7fELF\xff\xfe").contains("[7f, 45, 4c, 46, ff, fe]"));
        assert!(reason(b"\0asm\x01\0\0\0").contains("core module"));
        assert!(reason(b"\0asm\x02\0\0\0").contains("version"));
        check_kind(b"\0asm\x0d\0\x01\0").unwrap();
    }
}
