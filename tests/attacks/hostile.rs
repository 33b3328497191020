//! Files of attackers, made by hand: a good policy, and what is put behind it.

use wastegate_engine::policy::shipped;

/// A shipped policy, which is a component.
pub(crate) fn shipped_policy(name: &str) -> Vec<u8> {
    let found = shipped::find(name);
    found.unwrap_or_else(|| panic!("no {name}")).to_vec()
}

/// The shipped policy `fifo` with more behind it.
pub(crate) fn fifo_with(section: &[u8]) -> Vec<u8> {
    [shipped_policy("fifo").as_slice(), section].concat()
}

/// A number as WebAssembly writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb(content.len()).as_slice(), content].concat()
}

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// Section ids inside a component.
const CORE_MODULE: u8 = 1;
const NESTED_COMPONENT: u8 = 4;
const TYPES: u8 = 7;

/// What types of components begin with.
pub(crate) const COMPONENT_TYPE: u8 = 0x41;
pub(crate) const INSTANCE_TYPE: u8 = 0x42;

/// One type that holds one type that holds one, so many times.
fn nested_types(begin: u8, deep: usize) -> Vec<u8> {
    let nested = [begin, 1, 1].repeat(deep);
    let content = [&[1], nested.as_slice(), &[begin, 0]].concat();
    [COMPONENT, &section(TYPES, &content)].concat()
}

/// A component in which types are nested.
pub(crate) fn types(begin: u8, deep: usize) -> Vec<u8> {
    section(NESTED_COMPONENT, &nested_types(begin, deep))
}

/// A core module that says it was built for a world in which types are nested.
pub(crate) fn world_of_types(begin: u8, deep: usize) -> Vec<u8> {
    let name = b"component-type:attack";
    let content = [
        &leb(name.len()),
        name.as_slice(),
        &nested_types(begin, deep),
    ]
    .concat();
    [MODULE, &section(0, &content)].concat()
}

/// Components, each in the one before.
pub(crate) fn components(deep: usize) -> Vec<u8> {
    (1..deep).fold(section(NESTED_COMPONENT, COMPONENT), |inner, _| {
        section(NESTED_COMPONENT, &[COMPONENT, &inner].concat())
    })
}

fn module(functions: usize, body: &[u8]) -> Vec<u8> {
    let code = [leb(body.len()).as_slice(), body].concat();
    let functions_of = [leb(functions), vec![0; functions]].concat();
    let codes = [leb(functions), code.repeat(functions)].concat();
    let module = [
        MODULE,
        &section(1, b"\x01\x60\0\0"),
        &section(3, &functions_of),
        &section(10, &codes),
    ];
    section(CORE_MODULE, &module.concat())
}

/// A module with so many functions that do nothing.
pub(crate) fn empty_functions(count: usize) -> Vec<u8> {
    module(count, b"\0\x0b")
}

/// A function of so many loops inside one another, with as many locals that change in the innermost
/// and decide whether to go round again: short to write, and long to compile.
pub(crate) fn loops(count: usize) -> Vec<u8> {
    let mut body = [&[1], leb(count).as_slice(), &[0x7f]].concat();
    body.extend([0x03, 0x40].repeat(count));
    for local in 0..count {
        let local = leb(local);
        body.extend([&[0x20], local.as_slice(), &[0x41, 1, 0x6a, 0x21], &local].concat());
    }
    for local in 0..count {
        body.extend([&[0x20], leb(local).as_slice(), &[0x0d, 0, 0x0b]].concat());
    }
    body.push(0x0b);
    module(1, &body)
}
