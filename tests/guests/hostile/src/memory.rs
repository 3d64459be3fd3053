//! Memory: more than there is.

use std::hint::black_box;

use mogbox_guest::{Result, TaskError, task};

/// Allocates so many bytes in pieces of one megabyte, writes to each page, and answers how many it got.
#[task(name = "hostile.allocate")]
pub(crate) fn allocate(bytes: Option<u64>) -> u64 {
    let (wanted, mut pieces) = (bytes.unwrap_or(u64::MAX), Vec::new());
    let mut got = 0;
    while got < wanted {
        let mut piece = vec![0u8; 1 << 20];
        piece.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
        got += piece.len() as u64;
        pieces.push(black_box(piece));
    }
    got
}

/// Asks for so many pages of 64 KiB at once, and fails where they are refused.
#[task(name = "hostile.grow")]
pub(crate) fn grow(pages: Option<u32>) -> Result<u64> {
    let pages = pages.unwrap_or(65_535);
    match grow_memory(pages) {
        Some(before) => Ok(before),
        None => Err(TaskError::failed("MemoryRefused", format!("no {pages} pages"))),
    }
}

#[cfg(target_family = "wasm")]
fn grow_memory(pages: u32) -> Option<u64> {
    let before = core::arch::wasm32::memory_grow(0, pages as usize);
    (before != usize::MAX).then_some(before as u64)
}

#[cfg(not(target_family = "wasm"))]
fn grow_memory(_: u32) -> Option<u64> {
    None
}
