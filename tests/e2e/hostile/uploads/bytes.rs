//! Bytes that are no component, are one no more, or lie about their length.

use std::io::Write as _;

use mogbox_fixtures::guest::Guest;
use serde_json::json;

use super::encode::{COMPONENT, component, section, with_module};
use super::{are_refused, upload};
use crate::hostile::victim::Victim;
use crate::support::binary;

/// These bytes as gzip.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_is_no_component_at_all_is_refused_for_what_it_is() {
    let program = std::fs::read(binary()).unwrap();
    are_refused([
        upload("nothing", b"", "it is empty, expected a WebAssembly component"),
        upload("one zero", b"\0", "it is text"),
        upload("a text", b"def add(a, b): return a + b", "it is text, expected a WebAssembly component"),
        upload("WebAssembly text", b"(component)", "it is WebAssembly text, expected a binary component"),
        upload("a core module", Guest::default().core_module(), "it is a core module, expected a component"),
        upload("half of the magic number", b"\0as", "it is text"),
        upload("a version of the future", b"\0asm\x0e\0\x01\0", "it is WebAssembly of a version that is not known here"),
        upload("a layer of the future", b"\0asm\x0d\0\x02\0", "it is WebAssembly of a version that is not known here"),
        upload("an ELF file", &program[..1 << 20], "it is compiled code (ELF)"),
        upload("compiled code", b"\x7fELF\x02\x01\x01\xc8wasmtime", "as in a .cwasm file, which no node takes from others"),
        upload("a component in gzip", gzip(&Guest::default().build()), "it is not WebAssembly"),
        upload("a bomb of gzip", gzip(&vec![0; 32 << 20]), "it is not WebAssembly"),
        upload("a zip", b"PK\x03\x04\x14\0\0\0\x08\0\xff\xfe", "it is not WebAssembly"),
        upload("noise", [0xff_u8; 4096], "it begins with the bytes [ff, ff"),
        upload("text that begins with a mark", "\u{feff}\u{202e}(module)".as_bytes(), "it is text"),
    ]);
}

#[test]
fn components_that_lie_about_their_lengths_are_refused() {
    let invalid = "it is not a valid component: ";
    let with = |bytes: &[u8]| [COMPONENT.as_slice(), bytes].concat();
    are_refused([
        upload("a component that ends at once", COMPONENT, "it does not export mogbox:task/tasks@0.1"),
        upload("a section of four gibibytes", with(&[1, 0xff, 0xff, 0xff, 0xff, 0x0f]), "module section is too large"),
        upload("a length that is no number", with(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), "invalid var_u32"),
        upload("a length that never ends", with(&[0x80; 4096]), invalid),
        upload("a section that there is not", with(&section(200, b"x")), "malformed section id"),
        upload("four billion types", component(&[section(7, &[0xff, 0xff, 0xff, 0xff, 0x0f])]), "it has 4294967295 types or more"),
        upload("four billion imports", component(&[section(10, &[0xff, 0xff, 0xff, 0xff, 0x0f])]), "it has 4294967295 imports or more"),
        upload("sections that are out of order", with_module(&[section(3, &[0]), section(1, &[0])]), "out of order"),
        upload("code without functions", with_module(&[section(10, &[1, 2, 0, 0x0b])]), invalid),
        upload("functions without code", with_module(&[section(1, &[1, 0x60, 0, 0]), section(3, &[1, 0])]), invalid),
        upload("a name that is no UTF-8", component(&[section(0, b"\x04\xff\xfe\xff\xfe")]), "malformed UTF-8"),
    ]);
}

/// So far apart are the places where it is cut: a number that shares nothing with the lengths of sections.
const CUT_EVERY: usize = 31;

#[test]
fn a_component_that_is_cut_anywhere_is_refused() {
    let (victim, whole) = (Victim::with_defaults(), Guest::default().build());
    victim.while_others_work(|| {
        for cut in (0..whole.len()).step_by(CUT_EVERY) {
            let refused = victim.tenant("refused").upload("guest", &whole[..cut]);
            let reason = refused.problem(422, "module-refused");
            let fits = ["it is empty", "it is text", "it is not a valid component: ", "it does not export mogbox:task/tasks"];
            assert!(fits.iter().any(|text| reason.contains(text)), "cut at {cut}: {reason}");
        }
    });
    assert_eq!(victim.tenant("refused").get("/v1/modules").ok()["modules"], json!([]));
    victim.still_serves("cuts");
}

/// A generator of numbers that gives the same each time.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from((*state >> 8) & 0xffff_ffff).unwrap()
}

/// A component with one to four of its bits, or bytes, changed.
fn bent(whole: &[u8], state: &mut u64) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..1 + next(state) % 4 {
        let at = next(state) % bytes.len();
        bytes[at] = if next(state).is_multiple_of(2) { bytes[at] ^ (1 << (next(state) % 8)) } else { next(state).to_le_bytes()[0] };
    }
    bytes
}

#[test]
#[allow(clippy::print_stdout, reason = "how many were taken is printed for whoever wonders")]
fn a_component_that_is_bent_anywhere_is_refused_or_runs_within_its_bounds() {
    let (victim, whole) = (Victim::short_of_cpu_time(), Guest::default().build());
    let (api, mut state, mut taken) = (victim.tenant("bent"), 0x6d6f_6762_6f78, 0);
    victim.while_others_work(|| {
        for turn in 0..120 {
            let answer = api.upload("guest", &bent(&whole, &mut state));
            if answer.status != 201 {
                answer.problem(422, "module-refused");
                continue;
            }
            taken += 1;
            let task = answer.ok()["tasks"][0]["name"].as_str().unwrap().to_owned();
            let request = api.run(&task, json!([42]));
            assert!(["SUCCESS", "FAILURE", "INVALID"].contains(&request["state"].as_str().unwrap()), "turn {turn}: {request}");
        }
    });
    println!("{taken} of 120 were taken");
    victim.still_serves("components that were bent");
}
