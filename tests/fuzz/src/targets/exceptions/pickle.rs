//! Reads a pickle as Python would, but knows only what the fixed exceptions need: any other opcode is a finding. Written from
//! Python's `pickletools`, apart from the writer that it checks.

/// What a pickle holds.
#[derive(Debug, Clone)]
pub(super) enum Object {
    /// `None`, a number: nothing in it.
    Plain,
    Text(String),
    /// One of the classes that are named.
    Class,
    /// A tuple, list, dictionary or set, or an object with what it is made from.
    Parts(Vec<Object>),
}

impl Object {
    /// Every text in it, in order.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Plain | Self::Class => Vec::new(),
            Self::Text(text) => vec![text],
            Self::Parts(parts) => parts.iter().flat_map(Self::texts).collect(),
        }
    }
}

/// Reads a whole pickle, and names every class that it asks for.
pub(super) fn load(pickle: &[u8]) -> (Object, Vec<String>) {
    let mut machine = Machine { rest: pickle, stack: Vec::new(), marks: Vec::new(), memo: Vec::new(), classes: Vec::new() };
    assert_eq!(machine.take(3), [0x80, 4, 0x95], "protocol 4 and one frame");
    assert_eq!(machine.number(8), machine.rest.len(), "the frame holds everything");
    while machine.step() {}
    assert!(machine.rest.is_empty() && machine.stack.len() == 1 && machine.marks.is_empty(), "{machine:?}");
    (machine.pop(), machine.classes)
}

#[derive(Debug)]
struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Object>,
    marks: Vec<usize>,
    memo: Vec<Object>,
    classes: Vec<String>,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(count).expect("a pickle that does not end early");
        self.rest = rest;
        taken
    }

    /// A little-endian number of so many bytes.
    fn number(&mut self, bytes: usize) -> usize {
        self.take(bytes).iter().rev().fold(0, |number, byte| (number << 8) | usize::from(*byte))
    }

    fn pop(&mut self) -> Object {
        self.stack.pop().expect("something on the stack")
    }

    fn pop_text(&mut self) -> String {
        match self.pop() {
            Object::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    fn since_mark(&mut self) -> Vec<Object> {
        let mark = self.marks.pop().expect("a mark");
        self.stack.split_off(mark)
    }

    /// Adds to the object on top. What the memo holds of it is the same object in Python; here a text that it lacks is not missed.
    fn add(&mut self, parts: Vec<Object>) {
        match self.stack.last_mut() {
            Some(Object::Parts(all)) => all.extend(parts),
            other => panic!("{other:?} takes nothing in"),
        }
    }

    fn gather(&mut self, count: usize) {
        let parts = self.stack.split_off(self.stack.len().checked_sub(count).expect("enough on the stack"));
        self.stack.push(Object::Parts(parts));
    }

    fn text(&mut self, length: usize) {
        let text = String::from_utf8(self.take(length).to_vec()).expect("UTF-8");
        self.stack.push(Object::Text(text));
    }

    fn plain(&mut self, bytes: usize) {
        self.take(bytes);
        self.stack.push(Object::Plain);
    }

    fn class(&mut self) {
        let (name, module) = (self.pop_text(), self.pop_text());
        self.classes.push(format!("{module} {name}"));
        self.stack.push(Object::Class);
    }

    /// One instruction; false after the last.
    fn step(&mut self) -> bool {
        match self.take(1)[0] {
            b'.' => return false,
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.plain(0),
            b'K' => self.plain(1),
            b'M' => self.plain(2),
            b'J' => self.plain(4),
            0x8a => {
                let length = self.number(1);
                self.plain(length);
            }
            0x8c => {
                let length = self.number(1);
                self.text(length);
            }
            b'X' => {
                let length = self.number(4);
                self.text(length);
            }
            0x94 => self.memo.push(self.stack.last().expect("something to remember").clone()),
            b'h' => self.recall(1),
            b'j' => self.recall(4),
            0x93 => self.class(),
            b')' | b']' | b'}' | 0x8f => self.stack.push(Object::Parts(Vec::new())),
            0x85 => self.gather(1),
            0x87 => self.gather(3),
            b'a' => self.add_top(1),
            b's' => self.add_top(2),
            b'e' | b'u' | 0x90 => {
                let parts = self.since_mark();
                self.add(parts);
            }
            0x81 | b'R' => self.call(),
            b'b' => self.add_top(1),
            other => panic!("opcode {other:#x} has no place in a pickle of ours"),
        }
        true
    }

    fn recall(&mut self, bytes: usize) {
        let at = self.number(bytes);
        self.stack.push(self.memo.get(at).expect("something in the memo").clone());
    }

    fn add_top(&mut self, count: usize) {
        let parts = self.stack.split_off(self.stack.len().checked_sub(count).expect("enough on the stack"));
        self.add(parts);
    }

    fn call(&mut self) {
        let arguments = self.pop();
        let class = self.pop();
        assert!(matches!(class, Object::Class), "{class:?} is called");
        self.stack.push(Object::Parts(vec![arguments]));
    }
}
