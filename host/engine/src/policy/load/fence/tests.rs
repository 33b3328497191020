//! Files at and over the bounds, written by hand.

use super::*;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

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

/// A component with one type, in which there are so many more.
fn types(begin: u8, deep: usize) -> Vec<u8> {
    let nested = [begin, 1, 1].repeat(deep);
    let content = [&[1], nested.as_slice(), &[begin, 0]].concat();
    [COMPONENT, &section(7, &content)].concat()
}

fn custom(name: &str, content: &[u8]) -> Vec<u8> {
    let content = [leb(name.len()).as_slice(), name.as_bytes(), content].concat();
    [MODULE, &section(0, &content)].concat()
}

/// A module with functions of this body.
fn functions(count: usize, body: &[u8]) -> Vec<u8> {
    let code = [leb(body.len()).as_slice(), body].concat();
    [
        MODULE,
        &section(1, b"\x01\x60\0\0"),
        &section(3, &[leb(count), vec![0; count]].concat()),
        &section(10, &[leb(count), code.repeat(count)].concat()),
    ]
    .concat()
}

fn loops(deep: usize, locals: usize) -> Vec<u8> {
    let open = [0x03, 0x40].repeat(deep);
    let close = [0x0b].repeat(deep + 1);
    let locals = [&[1], leb(locals).as_slice(), &[0x7f]].concat();
    functions(1, &[locals, open, close].concat())
}

fn broken(bytes: &[u8]) -> Count {
    match walk(bytes, &Bounds::default()) {
        Err(Stopped::Breach(breach)) => breach.of,
        other => panic!("{other:?}"),
    }
}

fn passes(bytes: &[u8]) -> Counted {
    walk(bytes, &Bounds::default()).unwrap()
}

#[test]
fn types_inside_one_another_are_counted_without_a_call_for_each() {
    for begin in [0x41, 0x42] {
        assert_eq!(passes(&types(begin, 30)).of(Count::Nesting), 32);
        for deep in [32, 1_000, 50_000] {
            assert_eq!(broken(&types(begin, deep)), Count::Nesting);
        }
    }
}

#[test]
fn what_is_packed_into_a_core_module_counts_as_what_is_in_it() {
    let packed = custom("component-type:mine", &types(0x42, 20));
    assert_eq!(passes(&packed).of(Count::Nesting), 23);
    assert_eq!(
        broken(&custom("component-type", &types(0x42, 1_000))),
        Count::Nesting
    );
    // A package that is packed into itself, without end but that of the file.
    let deep = (0..40).fold(types(0x42, 0), |inner, _| custom("component-type", &inner));
    assert_eq!(broken(&deep), Count::Nesting);
}

#[test]
fn components_inside_one_another_are_counted() {
    let nested = |deep: usize| {
        (0..deep).fold(COMPONENT.to_vec(), |inner, _| {
            [COMPONENT, &section(4, &inner)].concat()
        })
    };
    assert_eq!(passes(&nested(31)).of(Count::Modules), 32);
    assert_eq!(broken(&nested(8_000)), Count::Nesting);
}

#[test]
fn functions_their_locals_and_their_loops_are_counted() {
    assert_eq!(
        passes(&functions(60_000, b"\0\x0b")).of(Count::Functions),
        60_000
    );
    assert_eq!(broken(&functions(100_000, b"\0\x0b")), Count::Functions);
    assert_eq!(passes(&loops(50, 100)).of(Count::LoopLocals), 5_000);
    assert_eq!(broken(&loops(50, 101)), Count::LoopLocals);
    assert_eq!(broken(&loops(101, 1)), Count::Loops);
    assert_eq!(broken(&loops(0, 5_001)), Count::Locals);
    let blocks = [&[0][..], &[0x02, 0x40].repeat(5_001), &[0x0b].repeat(5_002)].concat();
    assert_eq!(broken(&functions(1, &blocks)), Count::Blocks);
    let long = [&[0][..], &[0x01].repeat(2 << 20), &[0x0b]].concat();
    assert_eq!(broken(&functions(1, &long)), Count::FunctionBytes);
}

#[test]
fn a_breach_says_what_where_and_which_key() {
    let error = walk(&types(0x42, 1_000), &Bounds::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the policy has 33 components, modules or types inside one another at byte 104, and at most 32 are accepted: build it from less code, or raise `policy.load.nesting_max`"
    );
}

/// Wherever it ends and whatever bit is wrong, a file is refused or let through.
#[test]
fn what_is_spoilt_ends_the_walk_and_nothing_else() {
    let files = [
        types(0x41, 5),
        loops(5, 5),
        custom("component-type", &types(0x42, 3)),
        functions(3, b"\0\x0b"),
    ];
    for file in files {
        for at in 0..file.len() {
            let _ = walk(&file[..at], &Bounds::default());
            for bit in 0..8 {
                let mut spoilt = file.clone();
                spoilt[at] ^= 1 << bit;
                let _ = walk(&spoilt, &Bounds::default());
            }
        }
    }
}
