//! What a scanner says of a stream, and what a parser says that has the whole stream before it. Of these
//! the fuzzer (`tests/fuzz`) has the use too, so here is nothing but the frames themselves.

use super::{ControlKind, FrameLimits, Piece, Scanner, Unmasked, Violation};

/// What a scanner made of a stream.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// What is handed on if nothing is swallowed.
    pub(super) handed_on: Vec<u8>,
    pub(super) controls: Vec<(ControlKind, Vec<u8>)>,
    pub(super) ended: Option<Violation>,
}

/// All that it says of a stream in these chunks.
pub(super) fn scan(scanner: &mut Scanner, chunks: &[&[u8]]) -> Seen {
    let mut seen = Seen::default();
    for chunk in chunks {
        let mut left = *chunk;
        loop {
            match scanner.next(&mut left) {
                Ok(Piece::Nothing) => break,
                Ok(Piece::Data(bytes)) => seen.handed_on.extend(bytes),
                Ok(Piece::Header(header)) => seen.handed_on.extend(header.bytes()),
                Ok(Piece::Control(control)) => {
                    seen.handed_on.extend(control.bytes());
                    seen.controls.push((control.kind, control.payload));
                }
                Err(violation) => {
                    seen.ended = Some(violation);
                    return seen;
                }
            }
        }
        assert!(left.is_empty(), "everything is taken");
    }
    seen
}

/// A parser that sees everything at once: the straightforward reading of section 5.2.
pub(super) fn parsed(stream: &[u8], masks: bool, compresses: bool, limits: FrameLimits) -> Seen {
    let (mut seen, mut at, mut open) = (Seen::default(), 0, None::<(u64, u32)>);
    let fail = |mut seen: Seen, violation| {
        seen.ended = Some(violation);
        seen
    };
    while let Some(head) = stream.get(at..at + 2) {
        let (mut size, short) = (2, u64::from(head[1] & 127));
        let wide = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let is_masked = head[1] & 128 != 0;
        let whole = 2 + wide + if is_masked { 4 } else { 0 };
        let Some(header) = stream.get(at..at + whole) else {
            break;
        };
        let (mut length, mut is_shortest) = (short, true);
        if wide > 0 {
            length = header[2..2 + wide]
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            size += wide;
            let least = if wide == 2 { 126 } else { 65_536 };
            is_shortest = length >= least && length >> 63 == 0;
        }
        let (last, reserved, opcode) = (head[0] & 128 != 0, head[0] >> 4 & 7, head[0] & 15);
        if matches!(opcode, 3..=7 | 11..=15) {
            return fail(seen, Violation::Opcode(opcode));
        }
        let excused = match limits.unmasked {
            Unmasked::Refuse => false,
            Unmasked::Answers => matches!(opcode, 8 | 10),
            Unmasked::Accept => true,
        };
        if is_masked != masks && !(masks && excused) {
            return fail(seen, Violation::Mask);
        }
        if reserved != 0 && !(reserved == 4 && compresses && matches!(opcode, 1 | 2)) {
            return fail(seen, Violation::Reserved);
        }
        let is_control = opcode >= 8;
        if is_control && (!last || length > 125) {
            return fail(seen, Violation::Control);
        }
        if !is_control {
            let before = match (opcode, open) {
                (0, Some(open)) => open,
                (1 | 2, None) => (0, 0),
                _ => return fail(seen, Violation::Order),
            };
            let max = limits.frame_bytes_max;
            if length > max {
                return fail(seen, Violation::FrameTooLong { bytes: length, max });
            }
            let now = (u64::saturating_add(before.0, length), before.1 + 1);
            if now.0 > limits.message_bytes_max {
                let max = limits.message_bytes_max;
                return fail(seen, Violation::MessageTooLong { max });
            }
            if now.1 > limits.fragments_max {
                let max = limits.fragments_max;
                return fail(seen, Violation::TooManyFragments { max });
            }
            open = (!last).then_some(now);
        }
        if !is_shortest {
            return fail(seen, Violation::Length);
        }
        let from = at + whole;
        let until = from.saturating_add(usize::try_from(length).unwrap());
        let Some(payload) = stream.get(from..until) else {
            if !is_control {
                seen.handed_on
                    .extend(handed_on(&stream[at..], whole, masks && !is_masked));
            }
            break;
        };
        if is_control {
            let mut plain = payload.to_vec();
            if is_masked {
                let mask = [0, 1, 2, 3].map(|place| header[size + place]);
                plain = payload
                    .iter()
                    .zip(mask.iter().cycle())
                    .map(|(byte, mask)| byte ^ mask)
                    .collect();
            }
            let kind = match opcode {
                8 => ControlKind::Close,
                9 => ControlKind::Ping,
                _ => ControlKind::Pong,
            };
            if kind == ControlKind::Close && !plain.is_empty() {
                let code = plain
                    .get(..2)
                    .map(|code| u16::from_be_bytes([code[0], code[1]]));
                let may = |code| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
                if !code.is_some_and(may) {
                    return fail(seen, Violation::CloseCode(code));
                }
                if std::str::from_utf8(&plain[2..]).is_err() {
                    return fail(seen, Violation::CloseReason);
                }
            }
            seen.handed_on
                .extend(handed_on(&stream[at..until], whole, masks && !is_masked));
            seen.controls.push((kind, plain));
            if kind == ControlKind::Close {
                break;
            }
        } else {
            seen.handed_on
                .extend(handed_on(&stream[at..until], whole, masks && !is_masked));
        }
        at = until;
    }
    seen
}

/// A frame as it goes on: where a client forgot the mask, with one that changes no byte of the payload.
fn handed_on(frame: &[u8], header: usize, forgot: bool) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    if forgot {
        bytes[1] |= 128;
        bytes.splice(header..header, [0; 4]);
    }
    bytes
}
