//! A frame's header (RFC 6455, section 5.2), and what is wrong with a stream of frames.

use super::control::{ControlKind, PAYLOAD_MAX};

/// The longest header: two bytes, a length of eight, a mask of four.
pub(super) const HEADER_MAX: usize = 14;
/// The bit that says that a message is compressed (RFC 7692, section 6).
const RSV1: u8 = 0b100;

/// Why a stream of frames cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
#[non_exhaustive]
pub enum Violation {
    /// An opcode that is not defined.
    #[error("the opcode {0:#x} is reserved")]
    Opcode(u8),
    /// A reserved bit that was not negotiated, or on a frame that cannot have it.
    #[error("a reserved bit is set that was not negotiated, or on a frame that cannot have it")]
    Reserved,
    /// A client's frame without a mask, or a server's with one.
    #[error("clients mask their frames and servers do not")]
    Mask,
    /// A length in more bytes than it takes, or beyond 63 bits.
    #[error("the length is not in its shortest form, or has its highest bit set")]
    Length,
    /// A control frame in fragments, or too long.
    #[error("a control frame is not fragmented and carries at most {PAYLOAD_MAX} bytes")]
    Control,
    /// A continuation of nothing, or a new message inside another.
    #[error("a continuation without a beginning, or a new message before the last one ended")]
    Order,
    /// A close code that may not be sent, or half of one.
    #[error("the close code {0:?} may not be sent")]
    CloseCode(Option<u16>),
    /// A close reason that is no text.
    #[error("the close reason is not UTF-8")]
    CloseReason,
    /// A frame that is too long.
    #[error("a frame of {bytes} bytes, and {max} may come")]
    FrameTooLong {
        /// Of its payload, as its header says.
        bytes: u64,
        max: u64,
    },
    /// A message that is too long.
    #[error("a message of more than {max} bytes")]
    MessageTooLong { max: u64 },
    /// A message in too many frames.
    #[error("a message in more than {max} frames")]
    TooManyFragments {
        /// How many may come.
        max: u32,
    },
}

/// Which frames of a client may come without the mask that RFC 6455 (section 5.1) asks for. They go on
/// masked, since a backend may be strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unmasked {
    /// A frame without a mask is a protocol error.
    Refuse,
    /// Pongs and Closes: what a library answers by itself, on another path than what it is given to
    /// send. Some forget the mask there and nowhere else.
    #[default]
    Answers,
    /// Frames may come without a mask.
    Accept,
}

impl Unmasked {
    const fn allows(self, kind: Kind) -> bool {
        match self {
            Self::Refuse => false,
            Self::Answers => matches!(kind, Kind::Control(ControlKind::Pong | ControlKind::Close)),
            Self::Accept => true,
        }
    }
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) is_last: bool,
    pub(super) reserved: u8,
    pub(super) kind: Kind,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) length: u64,
    /// The length takes no more bytes than it needs, and no more than 63 bits.
    pub(super) is_shortest: bool,
}

/// What kind of frame it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Continuation,
    /// Text or binary: the first frame of a message.
    Data,
    Control(ControlKind),
}

/// How many bytes the header has that begins so; none as long as that is not known.
pub(super) fn size(begun: &[u8]) -> Option<usize> {
    let second = begun.get(1)?;
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    Some(2 + length + mask)
}

impl Header {
    /// Reads a header of the size that [`size`] told.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let (length, rest) = match second & 0x7f {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        let shortest: std::ops::RangeInclusive<u64> = match second & 0x7f {
            126 => 126..=0xffff,
            127 => 0x1_0000..=(u64::MAX >> 1),
            _ => 0..=125,
        };
        let mask = match (second & 0x80 != 0, rest.first_chunk::<4>()) {
            (false, _) => None,
            (true, Some(mask)) => Some(*mask),
            (true, None) => return Ok(None),
        };
        let opcode = first & 0x0f;
        let kind = match (opcode, ControlKind::of(opcode)) {
            (0, _) => Kind::Continuation,
            (1 | 2, _) => Kind::Data,
            (_, Some(control)) => Kind::Control(control),
            _ => return Err(Violation::Opcode(opcode)),
        };
        Ok(Some(Self {
            is_last: first & 0x80 != 0,
            reserved: (first >> 4) & 0b111,
            kind,
            mask,
            length,
            is_shortest: shortest.contains(&length),
        }))
    }

    /// Whether it may come at all, from a client that masks or a server that does not, if compression
    /// was negotiated.
    pub(super) fn check(
        &self,
        masks: bool,
        compresses: bool,
        unmasked: Unmasked,
    ) -> Result<(), Violation> {
        let is_excused = masks && unmasked.allows(self.kind);
        if self.mask.is_some() != masks && !is_excused {
            return Err(Violation::Mask);
        }
        // Only the first frame of a message says that it is compressed.
        let may_compress = compresses && self.kind == Kind::Data;
        let allowed = if may_compress { RSV1 } else { 0 };
        if self.reserved & !allowed != 0 {
            return Err(Violation::Reserved);
        }
        let is_control = matches!(self.kind, Kind::Control(_));
        if is_control && (!self.is_last || self.length > PAYLOAD_MAX as u64) {
            return Err(Violation::Control);
        }
        Ok(())
    }

    /// Whether its length is written as it has to be. Asked last: what is too long is told so.
    pub(super) const fn check_length(&self) -> Result<(), Violation> {
        if self.is_shortest {
            Ok(())
        } else {
            Err(Violation::Length)
        }
    }
}
