//! Writes a pickle of protocol 4 as Python's own pickler does: one frame, every text and object memoized. Knows no exception.

use super::opcode::{BYTE, CLASS, FAR_GET, FOUR_BYTES, FRAME, GET, LONG, MEMOIZE, PROTOCOL_4, SHORT_TEXT, STOP, TEXT, TWO_BYTES};

/// A pickle that is being written, and what its reader's memo holds by then.
#[derive(Default)]
pub(super) struct Pickle {
    body: Vec<u8>,
    memoized: u32,
    /// Names of ours that the memo holds, as Python writes each of its interned strings once.
    names: Vec<(&'static str, Memo)>,
    classes: Vec<(&'static str, Memo)>,
}

/// A place in the reader's memo.
#[derive(Clone, Copy)]
pub(super) struct Memo(u32);

impl Pickle {
    pub(super) fn op(&mut self, code: u8) {
        self.body.push(code);
    }

    pub(super) fn memoized(&mut self, code: u8) -> Memo {
        self.body.extend([code, MEMOIZE]);
        self.next_memo()
    }

    fn next_memo(&mut self) -> Memo {
        let memo = Memo(self.memoized);
        self.memoized += 1;
        memo
    }

    pub(super) fn get(&mut self, Memo(at): Memo) {
        match u8::try_from(at) {
            Ok(at) => self.body.extend([GET, at]),
            Err(_) => {
                self.op(FAR_GET);
                self.body.extend(at.to_le_bytes());
            }
        }
    }

    /// A string. Rust's texts hold no surrogates, so their UTF-8 is what Python expects.
    pub(super) fn text(&mut self, text: &str) -> Memo {
        // A length of four bytes holds any text here: all are bounded to kilobytes before.
        let text = text.get(..text.floor_char_boundary(u32::MAX as usize)).unwrap_or_default();
        match u8::try_from(text.len()) {
            Ok(length) => self.body.extend([SHORT_TEXT, length]),
            Err(_) => {
                self.op(TEXT);
                self.body.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            }
        }
        self.body.extend(text.as_bytes());
        self.op(MEMOIZE);
        self.next_memo()
    }

    /// A string of ours: written once, then referred to.
    pub(super) fn name(&mut self, name: &'static str) {
        match self.names.iter().find(|(known, _)| *known == name) {
            Some(&(_, memo)) => self.get(memo),
            None => {
                let memo = self.text(name);
                self.names.push((name, memo));
            }
        }
    }

    pub(super) fn class(&mut self, module: &'static str, class: &'static str) {
        match self.classes.iter().find(|(known, _)| *known == class) {
            Some(&(_, memo)) => self.get(memo),
            None => {
                self.name(module);
                self.name(class);
                let memo = self.memoized(CLASS);
                self.classes.push((class, memo));
            }
        }
    }

    pub(super) fn int(&mut self, value: u128) {
        if let Ok(byte) = u8::try_from(value) {
            self.body.extend([BYTE, byte]);
        } else if let Ok(two) = u16::try_from(value) {
            self.op(TWO_BYTES);
            self.body.extend(two.to_le_bytes());
        } else if let Ok(four) = i32::try_from(value) {
            self.op(FOUR_BYTES);
            self.body.extend(four.to_le_bytes());
        } else {
            self.long(value);
        }
    }

    /// Two's complement, so a number whose highest bit is set needs a further byte.
    fn long(&mut self, value: u128) {
        let length = value.ilog2() / 8 + u32::from(value.ilog2() % 8 == 7) + 1;
        let digits = value.to_le_bytes().into_iter().chain([0]);
        self.body.extend([LONG, u8::try_from(length).unwrap_or(u8::MAX)]);
        self.body.extend(digits.take(length as usize));
    }

    /// The whole pickle: header, one frame, end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.op(STOP);
        let length = u64::try_from(self.body.len()).unwrap_or(u64::MAX);
        let header = PROTOCOL_4.into_iter().chain([FRAME]).chain(length.to_le_bytes());
        header.chain(self.body).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Pickle)) -> Vec<u8> {
        let mut pickle = Pickle::default();
        write(&mut pickle);
        pickle.body
    }

    #[test]
    fn numbers_are_written_in_the_shortest_form_as_by_python() {
        let cases: [(u128, &[u8]); 10] = [
            (0, b"K\0"),
            (255, b"K\xff"),
            (256, b"M\0\x01"),
            (65_535, b"M\xff\xff"),
            (65_536, b"J\0\0\x01\0"),
            (2_147_483_647, b"J\xff\xff\xff\x7f"),
            (2_147_483_648, b"\x8a\x05\0\0\0\x80\0"),
            (4_294_967_295, b"\x8a\x05\xff\xff\xff\xff\0"),
            (1 << 39, b"\x8a\x06\0\0\0\0\x80\0"),
            (u128::MAX, b"\x8a\x11\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0"),
        ];
        for (number, expected) in cases {
            assert_eq!(written(|pickle| pickle.int(number)), expected, "{number}");
        }
    }

    #[test]
    fn a_memo_of_more_than_256_places_is_reached() {
        assert_eq!(written(|pickle| pickle.get(Memo(255))), b"h\xff");
        assert_eq!(written(|pickle| pickle.get(Memo(256))), b"j\0\x01\0\0");
    }

    #[test]
    fn a_name_is_written_once_and_then_referred_to() {
        let twice = written(|pickle| {
            pickle.name("loc");
            pickle.name("loc");
        });
        assert_eq!(twice, b"\x8c\x03loc\x94h\0");
    }

    proptest! {
        #[test]
        fn a_text_is_its_length_and_its_bytes_and_nothing_of_it_is_code(text in any::<String>(), times in 0usize..100) {
            let text = text.repeat(times);
            let expected_header = match u8::try_from(text.len()) {
                Ok(length) => vec![SHORT_TEXT, length],
                Err(_) => [&[TEXT][..], &u32::try_from(text.len()).unwrap().to_le_bytes()].concat(),
            };
            let written = written(|pickle| { pickle.text(&text); });
            prop_assert_eq!(written, [&expected_header, text.as_bytes(), &[MEMOIZE]].concat());
        }
    }
}
