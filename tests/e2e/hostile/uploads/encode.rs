//! Components byte by byte, for what no assembler would write, or not in such numbers.

/// How a component begins, and how a core module does.
pub(super) const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
const MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

/// A number as LEB128.
pub(super) fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A section.
pub(super) fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb(content.len()).as_slice(), content].concat()
}

/// The same thing so many times, with the number before it.
pub(super) fn many(number: usize, thing: &[u8]) -> Vec<u8> {
    [leb(number), thing.repeat(number)].concat()
}

/// A component that has these sections.
pub(super) fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [COMPONENT.as_slice(), &sections.concat()].concat()
}

/// A component that has one core module of these sections.
pub(super) fn with_module(sections: &[Vec<u8>]) -> Vec<u8> {
    component(&[section(1, &[MODULE.as_slice(), &sections.concat()].concat())])
}

/// A component whose core module has one function: its locals as they are encoded, and its instructions without the end.
pub(super) fn with_function(locals: &[u8], instructions: &[u8]) -> Vec<u8> {
    let body = [locals, instructions, &[0x0b]].concat();
    let code = [vec![1], leb(body.len()), body].concat();
    with_module(&[section(1, &[1, 0x60, 0, 0]), section(3, &[1, 0]), section(10, &code)])
}

/// A component that imports an empty instance under this name.
pub(super) fn importing(name: &str) -> Vec<u8> {
    // A type of an instance with nothing in it, then an import of that type.
    let import = [vec![1, 0], leb(name.len()), name.as_bytes().to_vec(), vec![5, 0]].concat();
    component(&[section(7, &[1, 0x42, 0]), section(10, &import)])
}
