//! The state machine: one direction of one connection.

use super::control::{Control, ControlKind, FIN, MASKED, masked};
use super::header::{HEADER_MAX, Header, Kind, Unmasked, Violation, size};

/// What a client's frame is masked with that came without a mask. It leaves the payload as it is, so
/// that nothing has to be held; the mask is there for the sake of the form.
const NO_MASK: [u8; 4] = [0; 4];

/// Who sends in this direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// It masks its frames.
    Client,
    /// It does not.
    Server,
}

/// Which frames a peer may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// Bytes of a frame's payload.
    pub frame_bytes_max: u64,
    /// Bytes of a message's payload, as it is on the wire.
    pub message_bytes_max: u64,
    /// Frames of a message.
    pub fragments_max: u32,
    /// Which frames of a client may come without a mask.
    pub unmasked: Unmasked,
}

/// The next of what was fed.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes of data frames, to be handed on as they are.
    Data(&'a [u8]),
    /// The header of a data frame, to be handed on before anything else.
    Header(HeaderBytes),
    /// A whole control frame, to be handed on or not.
    Control(Control),
    /// More has to come.
    Nothing,
}

/// A header, put together from the parts in which it may have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeaderBytes {
    bytes: [u8; HEADER_MAX],
    len: usize,
    /// The last four bytes did not come.
    masked_here: bool,
}

impl HeaderBytes {
    /// How many of its bytes came from the peer.
    #[must_use]
    pub const fn came(&self) -> usize {
        if self.masked_here {
            self.len - NO_MASK.len()
        } else {
            self.len
        }
    }

    /// Whether it is of the last frame of its message.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        let [first, ..] = self.bytes;
        first & FIN != 0
    }

    /// Whether they are not the bytes that came: the mask was missing.
    #[must_use]
    pub const fn is_masked_here(&self) -> bool {
        self.masked_here
    }

    /// The header's bytes, as they are passed on.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Adds the mask that a client forgot.
    fn add_mask(&mut self) {
        if let Some(second) = self.bytes.get_mut(1) {
            *second |= MASKED;
        }
        self.extend(&NO_MASK);
        self.masked_here = true;
    }

    fn extend(&mut self, part: &[u8]) {
        let end = self.len + part.len();
        if let Some(place) = self.bytes.get_mut(self.len..end) {
            place.copy_from_slice(part);
            self.len = end;
        }
    }
}

/// Finds the frames of one direction.
#[derive(Debug)]
pub struct Scanner {
    sender: Sender,
    compresses: bool,
    limits: FrameLimits,
    state: State,
    /// Of the message that has begun and not ended: payload bytes and frames so far.
    message: Option<(u64, u32)>,
}

#[derive(Debug)]
enum State {
    /// In a header, of which that much came.
    Header(HeaderBytes),
    /// In the payload of a data frame, of which that many bytes are left.
    Payload(u64),
    /// In a control frame: what came of it, and how many bytes are left.
    Control(Control, usize),
    /// A close came; nothing that follows counts (RFC 6455, section 5.5.1).
    Closed,
}

impl Scanner {
    /// At the beginning of a stream. `compresses` says whether permessage-deflate was negotiated.
    #[must_use]
    pub fn new(sender: Sender, compresses: bool, limits: FrameLimits) -> Self {
        Self {
            sender,
            compresses,
            limits,
            state: State::Header(HeaderBytes::default()),
            message: None,
        }
    }

    /// Whether the last byte that was handed on ended a frame: here a control frame may be put in.
    #[must_use]
    pub const fn is_between_frames(&self) -> bool {
        match &self.state {
            // What came of a header was not handed on yet, nor was a control frame.
            State::Header(_) | State::Control(..) | State::Closed => true,
            State::Payload(_) => false,
        }
    }

    /// Whether also no message is open: here a message may be put in.
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        self.is_between_frames() && self.message.is_none()
    }

    /// Whether nothing at all has begun: the next byte is the first of a message or control frame.
    #[must_use]
    pub const fn is_at_start(&self) -> bool {
        match &self.state {
            State::Header(header) => header.len == 0 && self.message.is_none(),
            State::Payload(_) | State::Control(..) | State::Closed => false,
        }
    }

    /// Whether a close came.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Takes the next piece off `bytes`, which are what is left of them. Call it until it says
    /// [`Piece::Nothing`]; then all of them were taken.
    ///
    /// # Errors
    /// [`Violation`]: the stream cannot go on, and nothing of the frame in question was handed on.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Piece<'a>, Violation> {
        loop {
            match &mut self.state {
                State::Closed => {
                    *bytes = &[];
                    return Ok(Piece::Nothing);
                }
                State::Payload(left) => {
                    let here = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    let Some((data, rest)) = bytes.split_at_checked(here) else {
                        return Ok(Piece::Nothing);
                    };
                    *left -= here as u64;
                    *bytes = rest;
                    if *left == 0 {
                        self.state = State::Header(HeaderBytes::default());
                    }
                    return Ok(if data.is_empty() {
                        Piece::Nothing
                    } else {
                        Piece::Data(data)
                    });
                }
                State::Control(control, left) => {
                    let here = (*left).min(bytes.len());
                    let Some((part, rest)) = bytes.split_at_checked(here) else {
                        return Ok(Piece::Nothing);
                    };
                    control.payload.extend_from_slice(part);
                    *left -= here;
                    *bytes = rest;
                    if *left > 0 {
                        return Ok(Piece::Nothing);
                    }
                    return self.control().map(Piece::Control);
                }
                State::Header(begun) => {
                    let Some(whole) = fill(begun, bytes)? else {
                        return Ok(Piece::Nothing);
                    };
                    let mut header = *begun;
                    self.begin(&whole)?;
                    if matches!(whole.kind, Kind::Control(_)) {
                        continue;
                    }
                    if self.sender == Sender::Client && whole.mask.is_none() {
                        header.add_mask();
                    }
                    return Ok(Piece::Header(header));
                }
            }
        }
    }

    /// A frame begins.
    fn begin(&mut self, header: &Header) -> Result<(), Violation> {
        let is_client = self.sender == Sender::Client;
        header.check(is_client, self.compresses, self.limits.unmasked)?;
        if let Kind::Control(kind) = header.kind {
            header.check_length()?;
            let length = usize::try_from(header.length).unwrap_or(usize::MAX);
            let control = Control {
                kind,
                payload: Vec::with_capacity(length),
                mask: header.mask,
            };
            self.state = State::Control(control, length);
            return Ok(());
        }
        let (bytes, frames) = match (header.kind, self.message) {
            (Kind::Continuation, Some(begun)) => begun,
            (Kind::Data, None) => (0, 0),
            _ => return Err(Violation::Order),
        };
        let FrameLimits {
            frame_bytes_max,
            message_bytes_max,
            fragments_max,
            ..
        } = self.limits;
        if header.length > frame_bytes_max {
            return Err(Violation::FrameTooLong {
                bytes: header.length,
                max: frame_bytes_max,
            });
        }
        let (bytes, frames) = (bytes.saturating_add(header.length), frames + 1);
        if bytes > message_bytes_max {
            return Err(Violation::MessageTooLong {
                max: message_bytes_max,
            });
        }
        if frames > fragments_max {
            return Err(Violation::TooManyFragments { max: fragments_max });
        }
        header.check_length()?;
        self.message = (!header.is_last).then_some((bytes, frames));
        self.state = if header.length == 0 {
            State::Header(HeaderBytes::default())
        } else {
            State::Payload(header.length)
        };
        Ok(())
    }

    /// A control frame is whole.
    fn control(&mut self) -> Result<Control, Violation> {
        let next = State::Header(HeaderBytes::default());
        let State::Control(mut control, _) = std::mem::replace(&mut self.state, next) else {
            // Only called in that state; an empty pong does nothing to anybody.
            return Ok(Control {
                kind: ControlKind::Pong,
                payload: Vec::new(),
                mask: None,
            });
        };
        if let Some(mask) = control.mask {
            control.payload = masked(&control.payload, mask).collect();
        } else if self.sender == Sender::Client {
            control.mask = Some(NO_MASK);
        }
        if control.kind == ControlKind::Close {
            control.close()?;
            self.state = State::Closed;
        }
        Ok(control)
    }
}

/// Takes what is missing of a header; the header, once it is whole.
fn fill(begun: &mut HeaderBytes, bytes: &mut &[u8]) -> Result<Option<Header>, Violation> {
    // How long it is is told by its first two bytes.
    loop {
        let whole = size(begun.bytes());
        let missing = whole.unwrap_or(2).saturating_sub(begun.len);
        if whole.is_some() && missing == 0 {
            return Header::parse(begun.bytes());
        }
        let Some((part, rest)) = bytes.split_at_checked(missing.min(bytes.len())) else {
            return Ok(None);
        };
        if part.is_empty() {
            return Ok(None);
        }
        begun.extend(part);
        *bytes = rest;
    }
}
