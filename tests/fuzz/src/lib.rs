//! What the targets share: the gateway's own frames and the loader's fence, compiled from where they are, and
//! how an input is read.

#[path = "../../../host/engine/src/policy/load/fence/mod.rs"]
pub mod fence;
#[path = "../../../host/gateway/src/connection/frames/mod.rs"]
pub mod frames;
#[path = "../../../host/gateway/src/connection/frames/tests/reference.rs"]
mod reference;

use frames::{ControlKind, FrameLimits, Piece, Scanner, Sender, Unmasked, Violation};

/// An input: how the stream is to be read, where it is cut, and the stream.
///
/// The first byte has the flags, the second says how many cuts there are, and each cut takes two. So an input
/// stays readable in a hex dump, and most changes of one are changes of its stream.
pub struct Input<'a> {
    /// The first byte.
    pub flags: u8,
    /// The stream.
    pub stream: &'a [u8],
    cuts: Vec<usize>,
}

impl<'a> Input<'a> {
    /// Reads one.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let (&[flags, count], rest) = bytes.split_first_chunk::<2>()?;
        let (cuts, stream) = rest.split_at_checked(usize::from(count % 32) * 2)?;
        let (pairs, _) = cuts.as_chunks::<2>();
        let cuts = pairs
            .iter()
            .map(|pair| usize::from(u16::from_be_bytes(*pair)) % (stream.len() + 1))
            .collect();
        Some(Self {
            flags,
            stream,
            cuts,
        })
    }

    /// Whether it is a client's stream.
    pub const fn masks(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether compression was negotiated.
    pub const fn compresses(&self) -> bool {
        self.flags & 2 != 0
    }

    /// What may come: nearly nothing, a little, a lot, anything.
    pub const fn limits(&self) -> FrameLimits {
        let (frame_bytes_max, message_bytes_max, fragments_max) = match self.flags >> 2 & 3 {
            0 => (125, 125, 2),
            1 => (200, 300, 3),
            2 => (70_000, 100_000, 8),
            _ => (u64::MAX, u64::MAX, u32::MAX),
        };
        let unmasked = match self.flags >> 4 & 3 {
            0 => Unmasked::Refuse,
            1 => Unmasked::Answers,
            _ => Unmasked::Accept,
        };
        FrameLimits {
            frame_bytes_max,
            message_bytes_max,
            fragments_max,
            unmasked,
        }
    }

    /// A scanner at the beginning of the stream.
    pub fn scanner(&self) -> Scanner {
        let sender = if self.masks() {
            Sender::Client
        } else {
            Sender::Server
        };
        Scanner::new(sender, self.compresses(), self.limits())
    }

    /// The stream in pieces.
    pub fn chunks(&self) -> Vec<&'a [u8]> {
        let mut places = self.cuts.clone();
        places.extend([0, self.stream.len()]);
        places.sort_unstable();
        places
            .windows(2)
            .map(|pair| &self.stream[pair[0]..pair[1]])
            .collect()
    }
}

/// Something that a scanner said.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Bytes of data frames, headers included; pieces without a control frame between them are one.
    Data(Vec<u8>),
    /// A control frame.
    Control(ControlKind, Vec<u8>, Option<[u8; 4]>),
    /// The end.
    Broken(Violation),
}

/// All that a scanner says of a stream in these chunks.
pub fn told<'a>(scanner: &mut Scanner, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Said> {
    let mut told = Vec::new();
    let data = |told: &mut Vec<Said>, bytes: &[u8]| match told.last_mut() {
        Some(Said::Data(before)) => before.extend(bytes),
        _ => told.push(Said::Data(bytes.to_vec())),
    };
    for mut chunk in chunks {
        loop {
            match scanner.next(&mut chunk) {
                Ok(Piece::Nothing) => break,
                Ok(Piece::Data(bytes)) => data(&mut told, bytes),
                Ok(Piece::Header(header)) => data(&mut told, header.bytes()),
                Ok(Piece::Control(control)) => {
                    told.push(Said::Control(control.kind, control.payload, control.mask));
                }
                Err(violation) => {
                    told.push(Said::Broken(violation));
                    return told;
                }
            }
        }
        assert!(chunk.is_empty(), "everything is taken");
    }
    told
}

/// Whether the gateway's scanner and the straightforward parser say the same.
///
/// # Panics
/// If they do not.
pub fn agree(input: &Input<'_>) {
    let expected = reference::parsed(
        input.stream,
        input.masks(),
        input.compresses(),
        input.limits(),
    );
    let seen = reference::scan(&mut input.scanner(), &input.chunks());
    assert_eq!(seen, expected);
}
