//! Pickles of a fixed set of exceptions, protocol 4, as Python's own pickler writes them. Class names are constants of this file;
//! texts and numbers are the only variables, and a text can only ever become a Python string.

use crate::ids::RequestId;

const PROTOCOL_4: [u8; 2] = [0x80, 4];
const FRAME: u8 = 0x95;
const STOP: u8 = b'.';
const MARK: u8 = b'(';
const NONE: u8 = b'N';
const SHORT_TEXT: u8 = 0x8c;
const TEXT: u8 = b'X';
const BYTE: u8 = b'K';
const TWO_BYTES: u8 = b'M';
const FOUR_BYTES: u8 = b'J';
const LONG: u8 = 0x8a;
const MEMOIZE: u8 = 0x94;
const GET: u8 = b'h';
const FAR_GET: u8 = b'j';
const CLASS: u8 = 0x93;
const NEW_OBJECT: u8 = 0x81;
const REDUCE: u8 = b'R';
const BUILD: u8 = b'b';
const EMPTY_TUPLE: u8 = b')';
const TUPLE_OF_1: u8 = 0x85;
const TUPLE_OF_3: u8 = 0x87;
const EMPTY_LIST: u8 = b']';
const APPEND: u8 = b'a';
const APPEND_ALL: u8 = b'e';
const EMPTY_DICT: u8 = b'}';
const SET_ITEM: u8 = b's';
const SET_ITEMS: u8 = b'u';
const EMPTY_SET: u8 = 0x8f;
const ADD_ITEMS: u8 = 0x90;

/// An exception of this class without arguments. Both names are ours.
pub(super) fn without_arguments(module: &'static str, class: &'static str) -> Vec<u8> {
    let mut pickle = Pickle::default();
    pickle.class(module, class);
    pickle.op(EMPTY_TUPLE);
    pickle.memoized(REDUCE);
    pickle.finish()
}

/// `UnknownTask(name)`
pub(super) fn unknown_task(name: &str) -> Vec<u8> {
    let mut pickle = Pickle::default();
    pickle.class("mognet.tasks.task_registry", "UnknownTask");
    let name = pickle.text(name);
    pickle.memoized(TUPLE_OF_1);
    pickle.memoized(REDUCE);
    pickle.memoized(EMPTY_DICT);
    pickle.name("task_name");
    pickle.get(name);
    pickle.op(SET_ITEM);
    pickle.op(BUILD);
    pickle.finish()
}

/// `TooManyRetries(UUID(id), actual, max)`
pub(super) fn too_many_retries(id: RequestId, actual: u32, max: u32) -> Vec<u8> {
    let mut pickle = Pickle::default();
    pickle.class("mognet.exceptions.too_many_retries", "TooManyRetries");
    let id = pickle.uuid(id);
    pickle.int(actual.into());
    pickle.int(max.into());
    pickle.memoized(TUPLE_OF_3);
    pickle.memoized(REDUCE);
    pickle.memoized(EMPTY_DICT);
    pickle.op(MARK);
    pickle.name("request_id");
    pickle.get(id);
    pickle.name("max_retries");
    pickle.int(max.into());
    pickle.name("actual_retries");
    pickle.int(actual.into());
    pickle.op(SET_ITEMS);
    pickle.op(BUILD);
    pickle.finish()
}

/// `InvalidTaskArguments([InvalidErrorInfo(loc, msg, type), …])`, from the name or position and the reason of each argument.
pub(super) fn invalid_arguments(errors: &[(String, String)], error_type: &'static str) -> Vec<u8> {
    let mut pickle = Pickle::default();
    pickle.class(TASK_EXCEPTIONS, "InvalidTaskArguments");
    let list = pickle.memoized(EMPTY_LIST);
    pickle.error_infos(errors, error_type);
    pickle.memoized(TUPLE_OF_1);
    pickle.memoized(REDUCE);
    pickle.memoized(EMPTY_DICT);
    pickle.name("errors");
    pickle.get(list);
    pickle.op(SET_ITEM);
    pickle.op(BUILD);
    pickle.finish()
}

const TASK_EXCEPTIONS: &str = "mognet.exceptions.task_exceptions";

/// A pickle that is being written, and what its reader's memo holds by then.
#[derive(Default)]
struct Pickle {
    body: Vec<u8>,
    memoized: u32,
    /// Names of ours that the memo holds, as Python writes each of its interned strings once.
    names: Vec<(&'static str, Memo)>,
    classes: Vec<(&'static str, Memo)>,
}

/// A place in the reader's memo.
#[derive(Clone, Copy)]
struct Memo(u32);

impl Pickle {
    fn op(&mut self, code: u8) {
        self.body.push(code);
    }

    fn memoized(&mut self, code: u8) -> Memo {
        self.body.extend([code, MEMOIZE]);
        self.next_memo()
    }

    fn next_memo(&mut self) -> Memo {
        let memo = Memo(self.memoized);
        self.memoized += 1;
        memo
    }

    fn get(&mut self, Memo(at): Memo) {
        match u8::try_from(at) {
            Ok(at) => self.body.extend([GET, at]),
            Err(_) => {
                self.op(FAR_GET);
                self.body.extend(at.to_le_bytes());
            }
        }
    }

    /// A string. Rust's texts hold no surrogates, so their UTF-8 is what Python expects.
    fn text(&mut self, text: &str) -> Memo {
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
    fn name(&mut self, name: &'static str) {
        match self.names.iter().find(|(known, _)| *known == name) {
            Some(&(_, memo)) => self.get(memo),
            None => {
                let memo = self.text(name);
                self.names.push((name, memo));
            }
        }
    }

    fn class(&mut self, module: &'static str, class: &'static str) {
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

    fn int(&mut self, value: u128) {
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

    fn uuid(&mut self, id: RequestId) -> Memo {
        self.class("uuid", "UUID");
        self.op(EMPTY_TUPLE);
        let memo = self.memoized(NEW_OBJECT);
        self.memoized(EMPTY_DICT);
        self.name("int");
        self.int(u128::from_be_bytes(*id.as_bytes()));
        self.op(SET_ITEM);
        self.op(BUILD);
        memo
    }

    fn error_infos(&mut self, errors: &[(String, String)], error_type: &'static str) {
        match errors {
            [] => {}
            [error] => {
                self.error_info(error, error_type);
                self.op(APPEND);
            }
            several => {
                self.op(MARK);
                several.iter().for_each(|error| self.error_info(error, error_type));
                self.op(APPEND_ALL);
            }
        }
    }

    /// One `InvalidErrorInfo`, a pydantic object: its fields, then what pydantic keeps beside them.
    fn error_info(&mut self, (argument, reason): &(String, String), error_type: &'static str) {
        self.class(TASK_EXCEPTIONS, "InvalidErrorInfo");
        self.op(EMPTY_TUPLE);
        self.memoized(NEW_OBJECT);
        self.memoized(EMPTY_DICT);
        self.op(MARK);
        self.name("__dict__");
        self.fields(argument, reason, error_type);
        self.name("__pydantic_extra__");
        self.op(NONE);
        self.name("__pydantic_fields_set__");
        self.memoized(EMPTY_SET);
        self.op(MARK);
        ["type", "loc", "msg"].into_iter().for_each(|field| self.name(field));
        self.op(ADD_ITEMS);
        self.name("__pydantic_private__");
        self.op(NONE);
        self.op(SET_ITEMS);
        self.op(BUILD);
    }

    fn fields(&mut self, argument: &str, reason: &str, error_type: &'static str) {
        self.memoized(EMPTY_DICT);
        self.op(MARK);
        self.name("loc");
        self.location(argument);
        self.memoized(TUPLE_OF_1);
        self.name("msg");
        self.text(reason);
        self.name("type");
        self.name(error_type);
        self.op(SET_ITEMS);
    }

    /// A position is a number to Python, a name is a string.
    fn location(&mut self, argument: &str) {
        match argument.parse::<u32>() {
            Ok(position) if position.to_string() == argument => self.int(position.into()),
            _ => {
                self.text(argument);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
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

    /// What follows the header, after checking that the frame is as long as it says and holds all.
    fn body(pickle: &[u8]) -> &[u8] {
        let (header, body) = pickle.split_at(11);
        assert_eq!(header[..3], [0x80, 4, FRAME]);
        assert_eq!(u64::from_le_bytes(header[3..].try_into().unwrap()), body.len() as u64);
        assert_eq!(body.last(), Some(&STOP));
        body
    }

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
        let errors: Vec<_> = (0..300).map(|at| (format!("a{at}"), "reason".to_owned())).collect();
        body(&invalid_arguments(&errors, "value_error"));
    }

    #[test]
    fn a_position_is_a_number_only_where_it_reads_as_one() {
        for (argument, first) in [("0", b'K'), ("17", b'K'), ("017", SHORT_TEXT), ("+1", SHORT_TEXT), ("-1", SHORT_TEXT), ("n", SHORT_TEXT)]
        {
            assert_eq!(written(|pickle| pickle.location(argument)).first(), Some(&first), "{argument}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_its_length_and_its_bytes_and_nothing_of_it_is_code(text in any::<String>(), times in 0usize..100) {
            let text = text.repeat(times);
            let written = written(|pickle| { pickle.text(&text); });
            let expected_header = match u8::try_from(text.len()) {
                Ok(length) => vec![SHORT_TEXT, length],
                Err(_) => [&[TEXT][..], &u32::try_from(text.len()).unwrap().to_le_bytes()].concat(),
            };
            prop_assert_eq!(written, [&expected_header, text.as_bytes(), &[MEMOIZE]].concat());
            body(&unknown_task(&text));
            body(&invalid_arguments(&[(text.clone(), text.clone()), (text.clone(), text)], "value_error"));
        }
    }
}
