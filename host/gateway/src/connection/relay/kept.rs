//! A backend's connection whose client was lost and may come back.
//!
//! What the backend says meanwhile is held as it came, from the beginning of a message on, and is what
//! the next client of the same device hears first. What had been read for the lost client is lost, and
//! so is the rest of a message that it was in the middle of.

use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::connection::frames::{
    ControlKind, FrameLimits, Piece, Scanner, Sender, Unmasked, encode,
};
use crate::connection::transport::Transport;

/// Bytes that are read at a time.
const READ_BYTES: usize = 4 * 1_024;

/// What is done with a backend's connection that is kept.
pub(crate) type IdleUpstreamHandler = Box<dyn FnOnce(IdleUpstream) + Send>;

/// The connection, between two messages of its clients.
pub struct IdleUpstream {
    backend: Transport,
    scanner: Scanner,
    /// In the middle of a message whose beginning is lost.
    skipping: bool,
    held: Vec<u8>,
}

impl IdleUpstream {
    pub(super) fn new(backend: Transport, scanner: Scanner) -> Self {
        Self {
            backend,
            skipping: !scanner.is_at_start(),
            scanner,
            held: Vec::new(),
        }
    }

    /// A backend's connection that no client has used.
    #[must_use]
    pub fn fresh(backend: Transport) -> Self {
        let nothing = FrameLimits {
            frame_bytes_max: 0,
            message_bytes_max: 0,
            fragments_max: 0,
            unmasked: Unmasked::Refuse,
        };
        Self::new(backend, Scanner::new(Sender::Server, false, nothing))
    }

    /// Holds what the backend says, until that is more than so many bytes, or it ends. May be dropped at
    /// any time.
    pub async fn hold(&mut self, bytes_max: usize) {
        poll_fn(|cx| {
            loop {
                let mut buffer = [0; READ_BYTES];
                let read = ready!(self.backend.poll_fill(cx, &mut buffer));
                let bytes = read.ok().and_then(|read| buffer.get(..read));
                match bytes.filter(|bytes| !bytes.is_empty()) {
                    Some(bytes) if self.take(bytes, bytes_max) => {}
                    _ => return Poll::Ready(()),
                }
            }
        })
        .await;
    }

    /// Whether that may still be held.
    fn take(&mut self, bytes: &[u8], bytes_max: usize) -> bool {
        let mut left = bytes;
        while self.skipping {
            match self.scanner.next(&mut left) {
                Ok(Piece::Nothing) => return true,
                Ok(_) => self.skipping = !self.scanner.is_at_start(),
                Err(_) => return false,
            }
        }
        self.held.extend_from_slice(left);
        self.held.len() <= bytes_max
    }

    /// Closes the backend's connection, because no client came for it.
    pub(crate) async fn dismiss(mut self, within: Duration) {
        let code = u16::from(CloseCode::Away).to_be_bytes();
        // Nothing is hidden by a mask of our own making; it only has to be there.
        let close = encode(ControlKind::Close, &code, Some([0x5a; 4]));
        // However it goes, the connection ends here.
        let _ = tokio::time::timeout(within, self.backend.write_all(&close)).await;
        let _ = self.backend.flush().await;
    }

    /// The connection, and what it has for its client.
    #[must_use]
    pub fn into_parts(self) -> (Transport, Bytes) {
        (self.backend, self.held.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(before: &[u8]) -> IdleUpstream {
        let limits = FrameLimits {
            frame_bytes_max: u64::MAX,
            message_bytes_max: u64::MAX,
            fragments_max: u32::MAX,
            unmasked: Unmasked::Refuse,
        };
        let mut scanner = Scanner::new(Sender::Server, false, limits);
        let mut before = before;
        while scanner.next(&mut before).unwrap() != Piece::Nothing {}
        let (near, _) = tokio::io::duplex(1);
        IdleUpstream::new(Transport::Other(Box::new(near)), scanner)
    }

    /// The rest of what was begun is dropped, to the byte, wherever it was cut.
    #[test]
    fn what_is_held_begins_with_a_message() {
        // A message in two frames with a ping between them, then two whole ones.
        let stream = b"\x01\x02he\x89\x01p\x80\x03llo\x81\x02on\x82\x01!".to_vec();
        let first = 2 + 2 + 3 + 2 + 3;
        for cut in 0..=first {
            for second in cut..=stream.len() {
                let mut kept = kept(&stream[..cut]);
                assert!(kept.take(&stream[cut..second], 100));
                assert!(kept.take(&stream[second..], 100));
                let expected = if cut == 0 {
                    &stream[..]
                } else {
                    &stream[first..]
                };
                assert_eq!(kept.held, expected, "{cut}, {second}");
            }
        }
        let mut kept = kept(b"");
        assert!(kept.take(&[0x81, 2, b'o', b'n'], 4));
        assert!(!kept.take(&[0x81], 4));
    }
}
