//! The core module within a component: where it lies, and another in its place.

use std::ops::Range;

/// Bytes of a component before its first section.
const HEADER: usize = 8;

/// The section that holds a core module.
const CORE_MODULE: u8 = 1;

/// The first core module of a component.
pub(super) fn code(component: &[u8]) -> &[u8] {
    &component[section(component).1]
}

/// The component with another core module in the place of its first.
pub(super) fn with_code(component: &[u8], code: &[u8]) -> Vec<u8> {
    let (start, contents) = section(component);
    [&component[..start], &[CORE_MODULE], &leb(code.len()), code, &component[contents.end..]].concat()
}

/// Where the section begins, and where its contents lie.
fn section(component: &[u8]) -> (usize, Range<usize>) {
    let mut at = HEADER;
    loop {
        let (length, bytes) = read_leb(&component[at + 1..]);
        let contents = at + 1 + bytes..at + 1 + bytes + length;
        if component[at] == CORE_MODULE {
            return (at, contents);
        }
        at = contents.end;
    }
}

fn read_leb(bytes: &[u8]) -> (usize, usize) {
    let length = bytes.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let value = bytes[..length].iter().rev().fold(0, |value, byte| (value << 7) | usize::from(byte & 0x7f));
    (value, length)
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
