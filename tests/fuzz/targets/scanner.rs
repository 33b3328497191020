//! Wherever a stream is cut, the scanner says the same of it, and hands on what came and nothing else, but
//! for masks that were missing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wastegate_fuzz::frames::{Unmasked, encode};
use wastegate_fuzz::{Input, Said, told};

/// The most that is held back: a control frame of which the last byte is missing.
const HELD_BACK_MAX: usize = 2 + 4 + 124;

fuzz_target!(|bytes: &[u8]| {
    let Some(input) = Input::of(bytes) else {
        return;
    };
    let mut scanner = input.scanner();
    let cut = told(&mut scanner, input.chunks());
    let whole = told(&mut input.scanner(), [input.stream]);
    assert_eq!(cut, whole);
    let bytewise = told(&mut input.scanner(), input.stream.chunks(1));
    assert_eq!(bytewise, whole);

    let mut handed_on = Vec::new();
    let mut broken = false;
    for said in &whole {
        match said {
            Said::Data(data) => handed_on.extend(data),
            Said::Control(kind, payload, mask) => handed_on.extend(encode(*kind, payload, *mask)),
            Said::Broken(_) => broken = true,
        }
    }
    let adds_masks = input.masks() && input.limits().unmasked != Unmasked::Refuse;
    if !adds_masks {
        assert!(input.stream.starts_with(&handed_on));
        if !broken && !scanner.is_closed() {
            assert!(input.stream.len() - handed_on.len() <= HELD_BACK_MAX);
        }
    }
    if !scanner.is_between_frames() {
        assert!(!scanner.is_between_messages() && !scanner.is_closed());
    }
});
