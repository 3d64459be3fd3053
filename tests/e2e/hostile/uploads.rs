//! Uploads that are refused: no components, broken ones, ones with too much in them, with names that play tricks, with a describe that
//! misbehaves, and calls that send them as no client does. Each is told why, while another tenant's requests go on.

mod bytes;
mod calls;
mod crowd;
mod describe;
mod encode;
mod names;
mod parts;

use super::victim::Victim;

/// What somebody uploads, and what he is told.
struct Upload {
    name: &'static str,
    bytes: Vec<u8>,
    told: &'static str,
}

/// A case of a table. `tests/CORPUS.md` has its name.
fn upload(name: &'static str, bytes: impl Into<Vec<u8>>, told: &'static str) -> Upload {
    Upload { name, bytes: bytes.into(), told }
}

/// Each of them is refused with what is told.
#[track_caller]
#[allow(clippy::print_stdout, reason = "which of a table it was is printed for whoever looks at a failure")]
fn are_refused(uploads: impl IntoIterator<Item = Upload>) {
    let victim = Victim::with_defaults();
    victim.while_others_work(|| {
        for Upload { name, bytes, told } in uploads {
            println!("{name}: {} bytes", bytes.len());
            victim.refuses(&bytes, told);
        }
    });
}
