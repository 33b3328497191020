//! Control frames, whole: the only ones whose payload is looked at.

use super::header::Violation;

/// Bytes that a control frame may carry (RFC 6455, section 5.5).
pub(super) const PAYLOAD_MAX: usize = 125;
/// Set in the first byte of the last frame of a message.
pub(super) const FIN: u8 = 0x80;
/// Set in the second byte of a frame that is masked.
pub(super) const MASKED: u8 = 0x80;

/// Which control frame it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ControlKind {
    /// The sender is done.
    Close,
    /// A question whether the peer is there.
    Ping,
    /// The answer to a ping.
    Pong,
}

/// A control frame as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Whether it is a Close, a ping or a pong.
    pub kind: ControlKind,
    /// What it carries, unmasked.
    pub payload: Vec<u8>,
    /// By what it is masked on its way on; none from a server.
    pub mask: Option<[u8; 4]>,
}

impl ControlKind {
    pub(super) const fn of(opcode: u8) -> Option<Self> {
        match opcode {
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    const fn opcode(self) -> u8 {
        match self {
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }
}

impl Control {
    /// Its bytes: those that came, or masked ones where a client forgot the mask.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        encode(self.kind, &self.payload, self.mask)
    }

    /// The code and the reason of a close; 1005 stands for none (RFC 6455, section 7.1.5).
    ///
    /// # Errors
    /// [`Violation::CloseCode`] or [`Violation::CloseReason`] if there is none that may be sent.
    pub fn close(&self) -> Result<(u16, &str), Violation> {
        let (code, reason) = match self.payload.split_first_chunk::<2>() {
            Some((code, reason)) => (u16::from_be_bytes(*code), reason),
            None if self.payload.is_empty() => return Ok((1005, "")),
            None => return Err(Violation::CloseCode(None)),
        };
        if !may_be_sent(code) {
            return Err(Violation::CloseCode(Some(code)));
        }
        let reason = std::str::from_utf8(reason).map_err(|_| Violation::CloseReason)?;
        Ok((code, reason))
    }
}

/// Whether a close frame may carry a code: RFC 6455, section 7.4, and IANA's registry of close codes.
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// A control frame as bytes; a client's is masked. Of a payload only the first 125 bytes are taken, which
/// is all that a control frame can carry.
#[must_use]
pub fn encode(kind: ControlKind, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let payload = payload.get(..PAYLOAD_MAX).unwrap_or(payload);
    #[expect(clippy::cast_possible_truncation, reason = "it is at most 125")]
    let length = payload.len() as u8;
    let mut bytes = Vec::with_capacity(2 + 4 + payload.len());
    bytes.push(FIN | kind.opcode());
    match mask {
        Some(mask) => {
            bytes.push(MASKED | length);
            bytes.extend(mask);
            bytes.extend(masked(payload, mask));
        }
        None => {
            bytes.push(length);
            bytes.extend(payload);
        }
    }
    bytes
}

/// Masks, and takes a mask away again (RFC 6455, section 5.3).
pub(super) fn masked(bytes: &[u8], mask: [u8; 4]) -> impl Iterator<Item = u8> + '_ {
    bytes
        .iter()
        .zip(mask.into_iter().cycle())
        .map(|(byte, mask)| byte ^ mask)
}
