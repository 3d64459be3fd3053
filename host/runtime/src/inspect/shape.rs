//! What a module is at first sight: its kind, its imports against the list of what there is, its exports.

/// How an executable file of this system begins, such as one with compiled code.
const ELF: &[u8] = b"\x7fELF";

/// How every WebAssembly binary begins, and the version and layer that follow.
const MAGIC: &[u8] = b"\0asm";
const CORE_MODULE: &[u8] = &[1, 0, 0, 0];
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];

/// What a guest exports to serve tasks.
const TASKS: &str = "mogbox:task/tasks@0.1.";

/// Every import there is, as the beginning of its name and of its version.
const OFFERED: [(&str, &str); 14] = [
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
    ("wasi:http/types", "0.2."),
    ("wasi:http/outgoing-handler", "0.2."),
    ("wasi:config/store", "0.2."),
];

const OFFERED_TEXT: &str = "mogbox:task 0.1 (types, context, state, requests, log) and WASI 0.2 (cli, clocks, config/store, filesystem, \
     http/outgoing-handler, io, random, sockets)";

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
        _ if bytes.starts_with(ELF) => {
            "it is compiled code (ELF), as in a .cwasm file, which no node takes from others, expected a WebAssembly \
                                        component: upload the .wasm file, each node compiles it"
                .into()
        }
        _ if bytes.is_empty() => "it is empty, expected a WebAssembly component".into(),
        Ok(text) if text.trim_start().starts_with("(module") || text.trim_start().starts_with("(component") => {
            "it is WebAssembly text, expected a binary component: turn it into one with wasm-tools parse".into()
        }
        Ok(_) => "it is text, expected a WebAssembly component: upload the built .wasm file, not its source".into(),
        Err(_) => format!("it is not WebAssembly, expected a component: it begins with the bytes {start:02x?}"),
    }
}

/// Refuses imports that nothing offers, and names them.
pub(crate) fn check_imports(imports: &[String]) -> Result<(), String> {
    let strangers: Vec<&str> = imports.iter().map(String::as_str).filter(|name| !is_offered(name)).collect();
    if strangers.is_empty() {
        return Ok(());
    }
    Err(format!("it imports {}, which the sandbox does not offer: it offers {OFFERED_TEXT}", shown(&strangers)))
}

fn shown(names: &[&str]) -> String {
    let first: Vec<&str> = names.iter().copied().take(MAX_SHOWN).collect();
    match names.len().saturating_sub(MAX_SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
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
pub(crate) fn check_exports(exports: &[String]) -> Result<(), String> {
    let names: Vec<&str> = exports.iter().map(String::as_str).collect();
    if names.iter().any(|name| name.starts_with(TASKS)) {
        return Ok(());
    }
    let found = if names.is_empty() { "nothing".to_owned() } else { shown(&names) };
    Err(format!("it does not export mogbox:task/tasks@0.1, so it serves no tasks; it exports {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_there_is_is_offered() {
        for offered in [
            "mogbox:task/context@0.1.0",
            "wasi:clocks/monotonic-clock@0.2.6",
            "wasi:io/poll@0.2.12",
            "wasi:http/types@0.2.6",
            "wasi:config/store@0.2.0-rc.1",
        ] {
            assert!(is_offered(offered), "{offered}");
        }
        for other in [
            "mogbox:task/contexts@0.1.0",
            "mogbox:task/context@0.2.0",
            "wasi:http/incoming-handler@0.2.6",
            "wasi:io/poll@0.3.0",
            "wasi:io/poll",
        ] {
            assert!(!is_offered(other), "{other}");
        }
    }

    #[test]
    fn every_import_that_nothing_offers_is_named_up_to_ten() {
        let imports = |number: usize| (0..number).map(|n| format!("acme:x/y{n}@1.0.0")).collect::<Vec<_>>();
        let offered = vec!["wasi:io/poll@0.2.6".to_owned()];
        check_imports(&offered).unwrap();
        let few = check_imports(&[offered, imports(2)].concat()).unwrap_err();
        assert!(few.starts_with("it imports acme:x/y0@1.0.0, acme:x/y1@1.0.0, which the sandbox does not offer"), "{few}");
        let many = check_imports(&imports(12)).unwrap_err();
        assert!(many.contains("acme:x/y9@1.0.0 and 2 more, which"), "{many}");
    }

    #[test]
    fn what_is_no_component_is_named_for_what_it_is() {
        let reason = |bytes: &[u8]| check_kind(bytes).unwrap_err();
        assert!(reason(b"").starts_with("it is empty"));
        assert!(reason(b"  (module)").starts_with("it is WebAssembly text"));
        assert!(reason(b"print(1)").starts_with("it is text"));
        assert!(reason(b"\x7fELF\xff\xfe").starts_with("it is compiled code (ELF), as in a .cwasm file"));
        assert!(reason(b"\xcf\xfa\xed\xfe").contains("[cf, fa, ed, fe]"));
        assert!(reason(b"\0asm\x01\0\0\0").contains("core module"));
        assert!(reason(b"\0asm\x02\0\0\0").contains("version"));
        check_kind(b"\0asm\x0d\0\x01\0").unwrap();
    }
}
