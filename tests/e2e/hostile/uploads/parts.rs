//! Components with more in them than any needs, or with what the engine has been told not to take.

use mogbox_fixtures::guest::Guest;

use super::encode::{COMPONENT, component, leb, many, section, with_function, with_module};
use super::{Upload, are_refused, upload};

/// So many components, each within the one before.
fn nested(levels: usize) -> Vec<u8> {
    (1..levels).fold(COMPONENT.to_vec(), |within, _| component(&[section(4, &within)]))
}

/// A component of which this text is a part.
fn text(name: &'static str, part: &str, told: &'static str) -> Upload {
    upload(name, wat::parse_str(format!("(component {part})")).unwrap(), told)
}

#[test]
fn components_with_too_many_parts_are_refused_with_the_bound_named() {
    let functions = |number: usize| with_module(&[section(1, &[1, 0x60, 0, 0]), section(3, &many(number, &[0]))]);
    are_refused([
        upload("a thousand components within each other", nested(1_000), "9 levels of components and modules within each other or more"),
        upload(
            "a thousand components side by side",
            component(&vec![section(4, &COMPONENT); 1_000]),
            "201 components or more, at most 200",
        ),
        upload("201 core modules", component(&vec![section(1, b"\0asm\x01\0\0\0"); 201]), "201 core modules or more, at most 200"),
        upload("100,001 types", with_module(&[section(1, &many(100_001, &[0x60, 0, 0]))]), "100001 types or more, at most 100000"),
        upload("a million types of a component", component(&[section(7, &many(1_000_000, &[0x42, 0]))]), "1000000 types or more"),
        upload("a million functions", functions(1_000_000), "1000000 functions or more, at most 200000"),
        upload("100,001 globals", with_module(&[section(6, &many(100_001, &[0x7f, 0, 0x41, 0, 0x0b]))]), "100001 globals or more"),
        upload("100,001 segments of data", with_module(&[section(11, &many(100_001, &[1, 0]))]), "100001 segments of data and elements"),
        upload("a million imports", with_module(&[section(2, &many(1_000_000, &[0, 0, 0, 0]))]), "1000000 imports or more"),
        upload("a million exports", with_module(&[section(7, &many(1_000_000, &[0, 0, 0]))]), "1000000 exports or more"),
    ]);
}

#[test]
fn functions_that_are_too_large_are_refused() {
    let locals = |number: usize| [vec![1], leb(number), vec![0x7e]].concat();
    let jump = format!("(func (block (br_table {} (i32.const 77777))))", "0 ".repeat(300_000));
    are_refused([
        upload("a function of four mebibytes", with_function(&[0], &[1; 4 << 20]), "one of its functions has 41943"),
        upload("a jump to 300,000 places", Guest { items: &jump, ..Guest::default() }.build(), "`br_table` has 299999 targets"),
        upload("50,001 locals", with_function(&locals(50_001), &[]), "too many locals"),
        upload("four billion locals", with_function(&locals(0xffff_ffff), &[]), "too many locals"),
        upload("blocks without an end", with_function(&[0], &[2, 0x40].repeat(100_000)), "it is not a valid component: "),
    ]);
}

#[test]
fn memories_tables_and_data_that_there_cannot_be_are_refused() {
    let table = "(table 4294967295 funcref)";
    let data = [vec![1, 0, 0x41, 0, 0x0b], leb(1 << 30), b"short".to_vec()].concat();
    are_refused([
        upload("a memory larger than four gibibytes", with_module(&[section(5, &[1, 0, 0x81, 0x80, 0x04])]), "memory size must be at most"),
        text("a memory of 64 bits", "(core module (memory i64 1))", "memory64 must be enabled"),
        text("a shared memory", "(core module (memory 1 1 shared))", "threads must be enabled"),
        upload("a table of four billion entries", Guest { items: table, ..Guest::default() }.build(), "which exceeds the limit of 65536"),
        upload("a gibibyte of data in some bytes", with_module(&[section(5, &[1, 0, 1]), section(11, &data)]), "unexpected end"),
        text("a type that a collector would own", "(core module (type (struct)))", "gc feature"),
        text("an exception", "(core module (tag))", "exceptions proposal"),
    ]);
}
