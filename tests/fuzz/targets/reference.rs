//! The scanner against a parser that has the whole stream before it, and against our own encoder.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wastegate_fuzz::frames::{Control, ControlKind, encode};
use wastegate_fuzz::{Input, Said, agree, told};

fuzz_target!(|bytes: &[u8]| {
    let Some(input) = Input::of(bytes) else {
        return;
    };
    agree(&input);
    encoded(&input);
});

/// What we write, the scanner reads as it was.
fn encoded(input: &Input<'_>) {
    let Some((mask, payload)) = input.stream.split_first_chunk::<4>() else {
        return;
    };
    let mask = input.masks().then_some(*mask);
    let payload = payload.get(..125).unwrap_or(payload);
    for kind in [ControlKind::Close, ControlKind::Ping, ControlKind::Pong] {
        let frame = encode(kind, payload, mask);
        let control = Control {
            kind,
            payload: payload.to_vec(),
            mask,
        };
        assert_eq!(control.bytes(), frame);
        let told = told(&mut input.scanner(), frame.chunks(3));
        let expected = match control.close() {
            Err(violation) if kind == ControlKind::Close => Said::Broken(violation),
            _ => Said::Control(kind, payload.to_vec(), mask),
        };
        assert_eq!(told, [expected]);
    }
}
