//! Against a parser that has the whole stream before it, on streams cut in any way.

use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control as Other, Data, OpCode};

use super::*;

mod reference;

use reference::{parsed, scan};

const LIMITS: FrameLimits = FrameLimits {
    frame_bytes_max: 70_000,
    message_bytes_max: 100_000,
    fragments_max: 8,
    unmasked: Unmasked::Answers,
};

const POLICIES: [Unmasked; 3] = [Unmasked::Refuse, Unmasked::Answers, Unmasked::Accept];

fn cut<'a>(bytes: &'a [u8], at: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = at.iter().map(|at| at % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

/// A frame as another implementation writes it.
fn frame(opcode: OpCode, last: bool, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut frame = Frame::message(payload.to_vec(), OpCode::Data(Data::Binary), last);
    frame.header_mut().opcode = opcode;
    if let Some(mask) = mask {
        frame.header_mut().mask = Some(mask);
    }
    let mut bytes = Vec::new();
    frame.format(&mut bytes).unwrap();
    bytes
}

/// Streams of frames that are mostly right, so that deep states are reached.
fn streams(masks: bool) -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![
        4 => Just(OpCode::Data(Data::Binary)),
        4 => Just(OpCode::Data(Data::Continue)),
        1 => Just(OpCode::Data(Data::Text)),
        2 => Just(OpCode::Control(Other::Ping)),
        2 => Just(OpCode::Control(Other::Pong)),
    ];
    let length = prop_oneof![8 => 0..130_usize, 1 => 60_000..66_000_usize];
    let forgets = prop::bool::weighted(0.1);
    let one = (opcode, any::<bool>(), length, any::<[u8; 4]>(), forgets);
    let frames = proptest::collection::vec(one, 0..12);
    let spoilt = proptest::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (frames, spoilt).prop_map(move |(frames, spoilt)| {
        let mut bytes = Vec::new();
        for (opcode, last, length, mask, forgets) in frames {
            let is_control = matches!(opcode, OpCode::Control(_));
            let length = if is_control { length.min(125) } else { length };
            let mask = (masks && !forgets).then_some(mask);
            bytes.extend(frame(opcode, last || is_control, &vec![b'x'; length], mask));
        }
        if let Some((at, with)) = spoilt
            && !bytes.is_empty()
        {
            let at = at.index(bytes.len());
            bytes[at] ^= with;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// However it is cut, a stream comes to what the straightforward parser makes of it.
    #[test]
    fn frames_are_found_wherever_a_stream_is_cut(
        (masks, bytes) in any::<bool>().prop_flat_map(|masks| (Just(masks), streams(masks))),
        compresses in any::<bool>(),
        unmasked in prop::sample::select(&POLICIES),
        cuts in proptest::collection::vec(any::<usize>(), 0..40),
    ) {
        let sender = if masks { Sender::Client } else { Sender::Server };
        let limits = FrameLimits { unmasked, ..LIMITS };
        let expected = parsed(&bytes, masks, compresses, limits);
        let seen = scan(&mut Scanner::new(sender, compresses, limits), &cut(&bytes, &cuts));
        prop_assert_eq!(&seen.controls, &expected.controls);
        prop_assert_eq!(seen.ended, expected.ended);
        prop_assert!(seen.handed_on == expected.handed_on, "other bytes were handed on");
    }

    /// Noise is never a panic, and never anything that did not come in.
    #[test]
    fn noise_is_refused_or_handed_on(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        masks in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..40),
    ) {
        let sender = if masks { Sender::Client } else { Sender::Server };
        let limits = FrameLimits { unmasked: Unmasked::Refuse, ..LIMITS };
        let seen = scan(&mut Scanner::new(sender, true, limits), &cut(&bytes, &cuts));
        prop_assert!(bytes.starts_with(&seen.handed_on));
        prop_assert_eq!(seen, parsed(&bytes, masks, true, limits));
    }
}

#[test]
fn something_of_our_own_goes_between_frames_only() {
    let mask = Some([1, 2, 3, 4]);
    let mut scanner = Scanner::new(Sender::Client, false, LIMITS);
    let bytes = frame(OpCode::Data(Data::Text), false, b"hello", mask);
    assert!(scanner.is_between_messages());
    for (at, byte) in bytes.iter().enumerate() {
        scan(&mut scanner, &[&[*byte]]);
        // A header is handed on once it is whole: before that, nothing of the frame has gone out.
        let begun = at + 1 >= 6 && at + 1 < bytes.len();
        assert_eq!(scanner.is_between_frames(), !begun, "after byte {at}");
    }
    assert!(!scanner.is_between_messages(), "the message goes on");
    let end = frame(OpCode::Data(Data::Continue), true, b"", mask);
    scan(&mut scanner, &[&end]);
    assert!(scanner.is_between_messages());
}

/// B11: which frames may come without a mask, and that they go on with one.
#[test]
fn b11_unmasked_frames_are_refused_or_masked() {
    let pong = frame(OpCode::Control(Other::Pong), true, b"nonce", None);
    let close = encode(ControlKind::Close, &[0x03, 0xe8], None);
    let ping = frame(OpCode::Control(Other::Ping), true, b"?", None);
    let text = frame(OpCode::Data(Data::Text), true, b"hello", None);
    let cases = [
        (Unmasked::Refuse, [false; 4]),
        (Unmasked::Answers, [true, true, false, false]),
        (Unmasked::Accept, [true; 4]),
    ];
    for (unmasked, expected) in cases {
        let limits = FrameLimits { unmasked, ..LIMITS };
        for (bytes, passes) in [&pong, &close, &ping, &text].into_iter().zip(expected) {
            for cut in 0..=bytes.len() {
                let mut scanner = Scanner::new(Sender::Client, false, limits);
                let seen = scan(&mut scanner, &[&bytes[..cut], &bytes[cut..]]);
                let mut masked = vec![bytes[0], bytes[1] | 0x80, 0, 0, 0, 0];
                masked.extend(&bytes[2..]);
                let ended = (!passes).then_some(Violation::Mask);
                assert_eq!(seen.ended, ended, "{unmasked:?}, {bytes:?}");
                let handed_on = if passes { masked } else { Vec::new() };
                assert_eq!(seen.handed_on, handed_on, "{unmasked:?}, cut at {cut}");
            }
        }
    }
}

#[test]
fn nothing_counts_after_a_close() {
    let mut scanner = Scanner::new(Sender::Server, false, LIMITS);
    let close = encode(ControlKind::Close, &[0x03, 0xe8, b'b', b'y', b'e'], None);
    let seen = scan(&mut scanner, &[&close, &[0xff; 40]]);
    assert_eq!(seen.handed_on, close);
    assert_eq!(seen.ended, None);
    assert!(scanner.is_closed());
    let control = Control {
        kind: ControlKind::Close,
        payload: seen.controls[0].1.clone(),
        mask: None,
    };
    assert_eq!(control.close(), Ok((1_000, "bye")));
}

/// A length is believed only as far as the limits go, and nothing is reserved for it.
#[test]
fn a_header_that_announces_too_much_is_refused_before_its_payload() {
    let mut header = vec![0x82, 0xff];
    header.extend((1_u64 << 40).to_be_bytes());
    header.extend([1, 2, 3, 4]);
    let seen = scan(&mut Scanner::new(Sender::Client, false, LIMITS), &[&header]);
    let max = LIMITS.frame_bytes_max;
    let bytes = 1 << 40;
    assert_eq!(seen.ended, Some(Violation::FrameTooLong { bytes, max }));
    assert!(seen.handed_on.is_empty());
}

#[test]
fn what_control_frames_we_write_others_read() {
    for (kind, other) in [
        (ControlKind::Ping, Other::Ping),
        (ControlKind::Pong, Other::Pong),
    ] {
        for mask in [None, Some([9, 8, 7, 6])] {
            let ours = encode(kind, b"nonce", mask);
            assert_eq!(ours, frame(OpCode::Control(other), true, b"nonce", mask));
        }
    }
    assert_eq!(encode(ControlKind::Ping, &[0; 500], None).len(), 127);
}
