//! Bounds that nobody can change: the README says what the sources declare.

use std::fs;

use crate::support::repository;

/// A declaration in a source, and how the README says it.
const FIXED: [(&str, &str, &str); 37] = [
    ("host/core/src/entries.rs", "MAX_KEY: usize = 256;", "a key has at most 256 bytes"),
    ("host/core/src/json.rs", "MAX_DEPTH: usize = 64;", "JSON is nested at most 64 deep"),
    ("host/core/src/submit.rs", "MAX_ARGUMENTS: usize = 1_000;", "at most 1,000 arguments"),
    ("host/core/src/context/children.rs", "MAX_WAIT_IDS: usize = 1_000;", "names at most 1,000 children"),
    ("host/core/src/module.rs", "MAX_VERSIONS: usize = 20;", "its last 20 versions"),
    ("host/core/src/module.rs", "MAX_DESCRIPTIONS: usize = 8 << 20;", "all descriptions of a tenant are 8 MiB at most"),
    ("host/core/src/module.rs", "MAX_MODULES: usize = 1_000;", "a tenant has at most 1,000 modules"),
    ("host/core/src/wire/exception.rs", "MAX_TEXT: usize = 64 << 10;", "the text of an error at 64 KiB"),
    ("host/runtime/src/engine.rs", "guest_stack: 512 << 10,", "512 KiB of stack"),
    ("host/runtime/src/engine.rs", "MAX_MEMORIES: u32 = 4;", "4 memories"),
    ("host/runtime/src/engine.rs", "MAX_TABLES: u32 = 16;", "16 tables"),
    ("host/runtime/src/engine.rs", "MAX_TABLE_ENTRIES: usize = 65_536;", "of 65,536 entries"),
    ("host/runtime/src/engine.rs", "MAX_CORE_INSTANCES: u32 = 64;", "64 core instances"),
    ("host/runtime/src/guest.rs", "MAX_HANDLES: usize = 1_000;", "1,000 handles of WASI at most"),
    ("host/runtime/src/guest.rs", "MAX_RANDOM: u64 = 256 << 10;", "at most 256 KiB of random bytes"),
    (
        "host/runtime/src/usage.rs",
        "largest.saturating_add(largest / 4)",
        "brings at most a quarter more than the largest of the bounds above",
    ),
    ("host/runtime/src/trap.rs", "MAX_MESSAGE: usize = 4 << 10;", "cut at 4 KiB"),
    ("host/runtime/src/cache.rs", "MAX_WAIT: Duration = Duration::from_secs(120);", "waits at most 120 s for others to compile"),
    ("host/runtime/src/inspect/contents.rs", "MAX_CORE_MODULES: usize = 200;", "at most 200 core modules"),
    ("host/runtime/src/inspect/contents.rs", "MAX_COMPONENTS: usize = 200;", "and 200 components"),
    ("host/runtime/src/inspect/contents.rs", "MAX_DEPTH: usize = 8;", "8 levels deep"),
    ("host/runtime/src/inspect/contents.rs", "MAX_TYPES: usize = 100_000;", "100,000 types, imports, exports, globals and segments each"),
    ("host/runtime/src/inspect/contents.rs", "MAX_FUNCTIONS: usize = 200_000;", "200,000 functions"),
    ("host/runtime/src/inspect/contents.rs", "MAX_FUNCTION: usize = 1 << 20;", "of 1 MiB at most"),
    ("host/runtime/src/inspect/describe.rs", "CPU_TIME: u64 = 1_000;", "1 s of CPU time"),
    ("host/runtime/src/inspect/describe.rs", "WALL_TIME: u64 = 2_000;", "2 s of wall time"),
    ("host/runtime/src/inspect/describe.rs", "MEMORY: u64 = 64 << 20;", "64 MiB and 10,000 calls"),
    ("host/runtime/src/inspect/describe.rs", "MAX_TASKS: usize = 1_000;", "a module describes at most 1,000 tasks"),
    ("host/runtime/src/inspect/describe.rs", "MAX_TOTAL: usize = 1 << 20;", "says at most 1 MiB"),
    ("host/runtime/src/inspect/describe.rs", "MAX_TITLE: usize = 256;", "256 bytes a title"),
    ("host/runtime/src/inspect/describe.rs", "MAX_SCHEMA: usize = 64 << 10;", "64 KiB a schema"),
    ("host/server/src/api/listen.rs", "MAX_CONNECTIONS: usize = 1_024;", "1,024 connections"),
    ("host/server/src/api.rs", "MAX_WAITS: usize = 900;", "900 calls that wait"),
    ("host/server/src/api/turns.rs", "MAX_UPLOADS: usize = 4;", "4 uploads at once"),
    ("host/server/src/api/turns.rs", "MAX_UPLOADS_OF_TENANT: usize = 2;", "2 of them of one tenant"),
    ("host/server/src/api/turns.rs", "MAX_PRESENT_OF_TENANT: usize = 100;", "100 of a tenant and 500 in all wait"),
    ("host/server/src/api/extract.rs", "FRAME: usize = 64 << 10;", "and 64 KiB;"),
];

#[test]
fn the_readme_says_of_every_fixed_bound_what_the_sources_declare() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    for (path, declared, said) in FIXED {
        assert!(fs::read_to_string(repository().join(path)).unwrap().contains(declared), "{path} no longer declares {declared:?}");
        assert!(readme.contains(said), "the README does not say {said:?}");
    }
}
