//! Pickles of a fixed set of exceptions, as Python's own pickler writes them. Class names are constants of this file; texts and
//! numbers are the only variables, and a text can only ever become a Python string.

mod opcode;
mod writer;

use opcode::{
    ADD_ITEMS, APPEND, APPEND_ALL, BUILD, EMPTY_DICT, EMPTY_LIST, EMPTY_SET, EMPTY_TUPLE, MARK, NEW_OBJECT, NONE, REDUCE, SET_ITEM,
    SET_ITEMS, TUPLE_OF_1, TUPLE_OF_3,
};
use writer::{Memo, Pickle};

use crate::ids::RequestId;

const TASK_EXCEPTIONS: &str = "mognet.exceptions.task_exceptions";

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
    let id = uuid(&mut pickle, id);
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
    error_infos(&mut pickle, errors, error_type);
    pickle.memoized(TUPLE_OF_1);
    pickle.memoized(REDUCE);
    pickle.memoized(EMPTY_DICT);
    pickle.name("errors");
    pickle.get(list);
    pickle.op(SET_ITEM);
    pickle.op(BUILD);
    pickle.finish()
}

fn uuid(pickle: &mut Pickle, id: RequestId) -> Memo {
    pickle.class("uuid", "UUID");
    pickle.op(EMPTY_TUPLE);
    let memo = pickle.memoized(NEW_OBJECT);
    pickle.memoized(EMPTY_DICT);
    pickle.name("int");
    pickle.int(u128::from_be_bytes(*id.as_bytes()));
    pickle.op(SET_ITEM);
    pickle.op(BUILD);
    memo
}

fn error_infos(pickle: &mut Pickle, errors: &[(String, String)], error_type: &'static str) {
    match errors {
        [] => {}
        [error] => {
            error_info(pickle, error, error_type);
            pickle.op(APPEND);
        }
        several => {
            pickle.op(MARK);
            several.iter().for_each(|error| error_info(pickle, error, error_type));
            pickle.op(APPEND_ALL);
        }
    }
}

/// One `InvalidErrorInfo`, a pydantic object: its fields, then what pydantic keeps beside them.
fn error_info(pickle: &mut Pickle, (argument, reason): &(String, String), error_type: &'static str) {
    pickle.class(TASK_EXCEPTIONS, "InvalidErrorInfo");
    pickle.op(EMPTY_TUPLE);
    pickle.memoized(NEW_OBJECT);
    pickle.memoized(EMPTY_DICT);
    pickle.op(MARK);
    pickle.name("__dict__");
    fields(pickle, argument, reason, error_type);
    pickle.name("__pydantic_extra__");
    pickle.op(NONE);
    pickle.name("__pydantic_fields_set__");
    pickle.memoized(EMPTY_SET);
    pickle.op(MARK);
    ["type", "loc", "msg"].into_iter().for_each(|field| pickle.name(field));
    pickle.op(ADD_ITEMS);
    pickle.name("__pydantic_private__");
    pickle.op(NONE);
    pickle.op(SET_ITEMS);
    pickle.op(BUILD);
}

fn fields(pickle: &mut Pickle, argument: &str, reason: &str, error_type: &'static str) {
    pickle.memoized(EMPTY_DICT);
    pickle.op(MARK);
    pickle.name("loc");
    location(pickle, argument);
    pickle.memoized(TUPLE_OF_1);
    pickle.name("msg");
    pickle.text(reason);
    pickle.name("type");
    pickle.name(error_type);
    pickle.op(SET_ITEMS);
}

/// A position is a number to Python, a name is a string.
fn location(pickle: &mut Pickle, argument: &str) {
    match argument.parse::<u32>() {
        Ok(position) if position.to_string() == argument => pickle.int(position.into()),
        _ => {
            pickle.text(argument);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::opcode::{BYTE, FRAME, SHORT_TEXT, STOP};
    use super::*;

    /// What follows the header, after checking that the frame is as long as it says and holds all.
    fn body(pickle: &[u8]) -> &[u8] {
        let (header, body) = pickle.split_at(11);
        assert_eq!(header[..3], [0x80, 4, FRAME]);
        assert_eq!(u64::from_le_bytes(header[3..].try_into().unwrap()), body.len() as u64);
        assert_eq!(body.last(), Some(&STOP));
        body
    }

    #[test]
    fn a_position_is_a_number_only_where_it_reads_as_one() {
        let first = |argument: &str| {
            let mut pickle = Pickle::default();
            location(&mut pickle, argument);
            body(&pickle.finish()).to_vec().first().copied()
        };
        assert!(["0", "17", "255"].iter().all(|position| first(position) == Some(BYTE)));
        assert!(["017", "+1", "-1", "n", "", "4294967296"].iter().all(|name| first(name) == Some(SHORT_TEXT)));
    }

    proptest! {
        #[test]
        fn the_frame_holds_all_whatever_the_texts(text in any::<String>(), times in 0usize..40, errors in 0usize..40) {
            let text = text.repeat(times);
            body(&unknown_task(&text));
            body(&invalid_arguments(&vec![(text.clone(), text); errors], "value_error"));
        }
    }
}
