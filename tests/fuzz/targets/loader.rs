//! From bytes to "taken or refused": whatever passes the fence, the libraries behind it bear.
//!
//! An input is a file as it is. It is also what `wasm-smith` makes a module of, so that what is valid is
//! reached too; that module is then put into a component, and packed into another as a world. Between inputs
//! `wasm-mutate` changes modules in ways that keep them valid, and libFuzzer changes the rest.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use wasm_mutate::WasmMutate;
use wasm_smith::Module;
use wasmparser::{Parser, Validator};
use wastegate_fuzz::fence::{self, Bounds};
use wit_component::ComponentEncoder;

/// Stack of the thread that reads a file: what the host gives it, since a sanitizer's frames are larger and
/// the depth that the fence lets through is so small.
const STACK_BYTES: usize = 64 << 20;

/// Fuel of one mutation: the search for one ends.
const MUTATION_FUEL: u64 = 300;

fuzz_target!(|bytes: &[u8]| {
    let bytes = bytes.to_vec();
    let reader = std::thread::Builder::new().stack_size(STACK_BYTES);
    let read = reader.spawn(move || {
        taken_or_refused(&bytes);
        if let Some(module) = made_of(&bytes) {
            taken_or_refused(&module);
            taken_or_refused(&component_of(&module));
            taken_or_refused(&packed(&module));
        }
    });
    read.unwrap().join().unwrap();
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mutated = data
        .get(..size)
        .filter(|bytes| seed % 2 == 0 && is_valid(bytes));
    let mutated = mutated.and_then(|module| {
        let mut mutate = WasmMutate::default();
        mutate.seed(seed.into()).fuel(MUTATION_FUEL);
        let mut all = mutate.run(module).ok()?;
        let mutated = all.next()?.ok()?;
        (mutated.len() <= max_size).then_some(mutated)
    });
    match mutated {
        Some(mutated) => {
            data[..mutated.len()].copy_from_slice(&mutated);
            mutated.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
});

/// Whether it is a module that the mutator bears: it panics on others.
fn is_valid(bytes: &[u8]) -> bool {
    let passes = fence::walk(bytes, &Bounds::default()).is_ok();
    passes && Parser::is_core_wasm(bytes) && Validator::new().validate_all(bytes).is_ok()
}

/// Goes the way of `policy::load`, as far as it does not compile.
fn taken_or_refused(bytes: &[u8]) {
    if fence::walk(bytes, &Bounds::default()).is_err() {
        return;
    }
    if Validator::new().validate_all(bytes).is_err() {
        return;
    }
    if Parser::is_component(bytes) {
        let _ = wit_component::decode(bytes);
        return;
    }
    let Ok((_, _)) = wit_component::metadata::decode(bytes) else {
        return;
    };
    let encoder = ComponentEncoder::default().validate(true).module(bytes);
    let _ = encoder.and_then(|mut encoder| encoder.encode());
}

fn made_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let module = Module::arbitrary(&mut Unstructured::new(bytes)).ok()?;
    Some(module.to_bytes())
}

/// A component with that in it.
fn component_of(module: &[u8]) -> Vec<u8> {
    [
        b"\0asm\x0d\0\x01\0\x01",
        leb(module.len()).as_slice(),
        module,
    ]
    .concat()
}

/// A module that says that this is the world it was built for.
fn packed(content: &[u8]) -> Vec<u8> {
    let name = b"component-type";
    let length = leb(1 + name.len() + content.len());
    let name_length = u8::try_from(name.len()).unwrap();
    [
        b"\0asm\x01\0\0\0\0",
        length.as_slice(),
        &[name_length],
        name,
        content,
    ]
    .concat()
}

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
