//! What the node and a process that runs attempts say to each other over one socket: frames with a length before them, and what is in
//! them. Knows neither side. A length is checked before anything is kept of what it announces.

mod messages;

use std::io;

use mogbox_core::Digest;
use mogbox_core::limits::{Bound, Limits};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::usage::largest_copy;

pub(crate) use messages::{Answer, Call, End, Ended, FromCell, Start, ToCell};

/// Bytes before what a frame holds: its length, and its kind.
pub(crate) const HEAD: usize = 5;

/// The most that the node sends in one frame. Bytes.
pub(crate) const MAX_TO_CELL: usize = 1 << 30;

/// Bytes of a digest's text.
const DIGEST: usize = 64;

/// JSON around one line of a log, generously. Bytes.
const LOG_LINE: usize = 128;

/// JSON around everything else. Bytes.
const SLACK: usize = 64 << 10;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message, as JSON.
    Message,
    /// A digest, and the machine code of that module.
    Module,
}

/// The most that a process says in one frame on behalf of attempts with these bounds: twice the bytes of the largest call and of what an
/// attempt ends with, as JSON needs more than one for some characters. Bytes.
pub(crate) fn most_from_cell(limits: &Limits) -> usize {
    let texts = [Bound::Result, Bound::Log, Bound::HttpBytes]
        .iter()
        .fold(largest_copy(limits), |sum, bound| sum.saturating_add(limits.length(*bound)));
    let lines = limits.length(Bound::LogLines).saturating_mul(LOG_LINE);
    texts.saturating_mul(2).saturating_add(lines).saturating_add(SLACK)
}

/// A frame with a message; none where it would be over `most` bytes.
pub(crate) fn message(message: &impl Serialize, most: usize) -> Option<Vec<u8>> {
    let mut frame = vec![0; HEAD];
    serde_json::to_writer(&mut frame, message).ok()?;
    finished(frame, 0, most)
}

/// A frame with a module; none where it is too large for one.
pub(crate) fn module(digest: &Digest, code: &[u8]) -> Option<Vec<u8>> {
    let mut frame = Vec::with_capacity(HEAD + DIGEST + code.len());
    frame.extend_from_slice(&[0; HEAD]);
    frame.extend_from_slice(digest.to_string().as_bytes());
    frame.extend_from_slice(code);
    finished(frame, 1, MAX_TO_CELL)
}

fn finished(mut frame: Vec<u8>, kind: u8, most: usize) -> Option<Vec<u8>> {
    let length = frame.len().checked_sub(HEAD).filter(|length| *length <= most)?;
    let [a, b, c, d] = u32::try_from(length).ok()?.to_le_bytes();
    frame.get_mut(..HEAD)?.copy_from_slice(&[a, b, c, d, kind]);
    Some(frame)
}

/// The kind of a frame and the bytes to follow.
pub(crate) fn head(head: [u8; HEAD], most: usize) -> io::Result<(Kind, usize)> {
    let [a, b, c, d, kind] = head;
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if length > most {
        return Err(malformed(format!("a frame of {length} bytes, at most {most} are allowed")));
    }
    match kind {
        0 => Ok((Kind::Message, length)),
        1 => Ok((Kind::Module, length)),
        other => Err(malformed(format!("a frame of kind {other}, expected 0 or 1"))),
    }
}

/// The message in a frame.
pub(crate) fn read_message<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    serde_json::from_slice(body).map_err(|error| malformed(format!("a message that makes no sense: {error}")))
}

/// The module in a frame.
pub(crate) fn read_module(body: &[u8]) -> io::Result<(Digest, &[u8])> {
    let missing = || malformed("a module without a digest".to_owned());
    let (digest, code) = body.split_at_checked(DIGEST).ok_or_else(missing)?;
    let digest = std::str::from_utf8(digest).ok().and_then(|text| text.parse().ok()).ok_or_else(missing)?;
    Ok((digest, code))
}

/// The other side does not keep to what was agreed.
pub(crate) fn malformed(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_of(frame: &[u8]) -> [u8; HEAD] {
        frame[..HEAD].try_into().unwrap()
    }

    #[test]
    fn a_frame_reads_back_what_it_was_made_of() {
        let digest = Digest::of(b"module");
        let frame = module(&digest, b"code").unwrap();
        assert_eq!(head(head_of(&frame), 100).unwrap(), (Kind::Module, 68));
        assert_eq!(read_module(&frame[HEAD..]).unwrap(), (digest, b"code".as_slice()));
        let frame = message(&ToCell::Forget { module: digest }, 100).unwrap();
        assert!(matches!(read_message(&frame[HEAD..]).unwrap(), ToCell::Forget { module } if module == digest));
    }

    #[test]
    fn what_is_too_long_or_of_no_known_kind_is_refused_by_its_first_bytes() {
        let error = |bytes| head(bytes, 1_000).unwrap_err().to_string();
        assert_eq!(error([255, 255, 255, 255, 0]), "a frame of 4294967295 bytes, at most 1000 are allowed");
        assert_eq!(error([1, 0, 0, 0, 7]), "a frame of kind 7, expected 0 or 1");
        assert!(message(&"x".repeat(100), 101).is_none());
        assert!(read_module(b"too short").is_err());
        assert!(read_message::<FromCell>(b"{").unwrap_err().to_string().starts_with("a message that makes no sense"));
    }
}
