//! One direction of a connection that is handed on: what waits to go out, and where something of our
//! own may be put in.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::connection::frames::{Control, ControlKind, Piece, Scanner, Violation};
use crate::connection::transport::Transport;

/// From one side to the other.
#[derive(Debug)]
pub(super) struct Lane {
    scanner: Scanner,
    /// What has to go out next, up to a boundary or the middle of a frame. Empty and without memory
    /// while nothing waits.
    waiting: Vec<u8>,
    sent: usize,
    /// Frames of our own, for the next boundary.
    own: Vec<u8>,
    /// The last of our own frames is a Close: nothing goes out behind it.
    sealing: bool,
    sealed: bool,
    discarded: bool,
    /// The stream cannot be read any more; what comes of it is dropped.
    broken: bool,
}

/// What came of some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Payload bytes of data frames, with their headers.
    pub(super) data_bytes: usize,
    /// Those of them that are headers.
    pub(super) header_bytes: usize,
    /// How many messages' last frames began.
    pub(super) messages: u64,
    /// How many control frames were taken.
    pub(super) controls: u32,
    /// Those of them that are pings.
    pub(super) pings: u32,
    /// The code of a Close.
    pub(super) close: Option<u16>,
}

impl Taken {
    /// Payload bytes of data frames, without their headers.
    pub(super) const fn payload_bytes(&self) -> usize {
        self.data_bytes - self.header_bytes
    }
}

impl Lane {
    pub(super) fn new(scanner: Scanner) -> Self {
        Self {
            scanner,
            waiting: Vec::new(),
            sent: 0,
            own: Vec::new(),
            sealing: false,
            sealed: false,
            discarded: false,
            broken: false,
        }
    }

    /// Takes what came in; `ours` says which control frames are for us alone. What nothing has to go
    /// before is handed to `send` as it is, which says how much of it was taken; the rest waits.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        mut ours: impl FnMut(&Control) -> bool,
        mut send: impl FnMut(&[u8]) -> usize,
    ) -> Result<Taken, Violation> {
        let mut taken = Taken::default();
        if self.broken {
            return Ok(taken);
        }
        let mut left = bytes;
        // What is to be handed on in one piece: most often everything.
        let mut run = 0..0;
        loop {
            let piece = self.scanner.next(&mut left);
            let at = bytes.len() - left.len();
            match piece {
                Ok(Piece::Data(data)) => {
                    taken.data_bytes += data.len();
                    run.end = at;
                }
                Ok(Piece::Header(header)) => {
                    taken.data_bytes += header.bytes().len();
                    taken.header_bytes += header.bytes().len();
                    taken.messages += u64::from(header.is_last());
                    // One that began in an earlier read is not among these bytes as a whole, and one that
                    // came without a mask goes on with one.
                    if at < header.came() || header.is_masked_here() {
                        self.hand_on(bytes.get(run), &mut send);
                        self.queue(header.bytes());
                        run = at..at;
                    }
                    run.end = at;
                }
                Ok(Piece::Control(control)) => {
                    taken.controls += 1;
                    taken.pings += u32::from(control.kind == ControlKind::Ping);
                    if control.kind == ControlKind::Close {
                        taken.close = control.close().ok().map(|(code, _)| code);
                    }
                    self.hand_on(bytes.get(run), &mut send);
                    run = at..at;
                    if !ours(&control) {
                        self.queue(&control.bytes());
                    }
                }
                Ok(Piece::Nothing) => {
                    self.hand_on(bytes.get(run), &mut send);
                    return Ok(taken);
                }
                Err(violation) => {
                    self.hand_on(bytes.get(run), &mut send);
                    self.broken = true;
                    return Err(violation);
                }
            }
            if self.has_own() && self.scanner.is_between_frames() {
                self.hand_on(bytes.get(run), &mut send);
                run = at..at;
                self.put_in();
            }
        }
    }

    fn hand_on(&mut self, bytes: Option<&[u8]>, send: &mut impl FnMut(&[u8]) -> usize) {
        let bytes = bytes.filter(|bytes| !bytes.is_empty() && !self.sealed);
        let Some(bytes) = bytes else { return };
        let sent = if self.waiting.is_empty() {
            send(bytes)
        } else {
            0
        };
        self.queue(bytes.get(sent..).unwrap_or_default());
    }

    fn queue(&mut self, bytes: &[u8]) {
        if !self.sealed {
            self.waiting.extend_from_slice(bytes);
        }
    }

    /// Whether something of our own is to be put in.
    fn has_own(&self) -> bool {
        !self.own.is_empty() || self.sealing != self.sealed
    }

    /// Sends a ping of our own at the next boundary, instead of one that still waits for it: only the
    /// youngest is waited for. Inside a long frame there is no such place for as long as that takes.
    pub(super) fn ping(&mut self, ping: &[u8]) {
        if !self.sealing {
            self.own.clear();
            self.own.extend_from_slice(ping);
            self.put_in();
        }
    }

    /// Whether something of our own waits for a frame to end.
    pub(super) const fn own_waits(&self) -> bool {
        !self.own.is_empty()
    }

    /// Sends a Close of our own at the next boundary, and nothing after it.
    pub(super) fn seal(&mut self, close: &[u8]) {
        if !self.sealing {
            self.own.extend_from_slice(close);
            self.sealing = true;
            self.put_in();
        }
    }

    fn put_in(&mut self) {
        if self.sealed || !self.scanner.is_between_frames() {
            return;
        }
        self.waiting.append(&mut self.own);
        self.sealed = self.sealing;
    }

    /// The receiving peer is gone.
    pub(super) fn discard(&mut self) {
        (self.waiting, self.sent, self.own) = (Vec::new(), 0, Vec::new());
        (self.sealing, self.sealed, self.discarded) = (true, true, true);
    }

    /// Whether the receiving peer is gone.
    pub(super) const fn is_discarded(&self) -> bool {
        self.discarded
    }

    /// Bytes that wait to go out.
    pub(super) fn pending(&self) -> usize {
        self.waiting.len() - self.sent
    }

    /// Whether nothing waits to go out.
    pub(super) const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether what came was no frame: nothing more is read of it.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether our Close waits for the end of a frame, or is on its way: no more than the rest of that
    /// frame is taken, however much comes.
    pub(super) const fn is_sealing(&self) -> bool {
        self.sealing
    }

    /// Whether the sender is between two messages, and whatever it said is out.
    pub(super) const fn is_at_rest(&self) -> bool {
        self.scanner.is_at_start() && self.waiting.is_empty() && !self.broken && !self.sealing
    }

    /// Where the stream is, so that it can be continued. What waits is dropped.
    pub(super) fn into_scanner(self) -> Scanner {
        self.scanner
    }

    /// Whether our Close waits for the end of a frame.
    pub(super) const fn is_close_held(&self) -> bool {
        self.sealing && !self.sealed
    }

    /// Whether our Close is on its way, so that nothing more has to be read for this lane.
    pub(super) const fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Sends what waits; ready once nothing does.
    pub(super) fn poll_send(
        &mut self,
        to: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(bytes) = self
            .waiting
            .get(self.sent..)
            .filter(|left| !left.is_empty())
        {
            let sent = ready!(Pin::new(&mut *to).poll_write(cx, bytes))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        if self.sent > 0 {
            // TLS may hold back what it has taken.
            ready!(Pin::new(to).poll_flush(cx))?;
            // An idle connection holds no buffer.
            (self.waiting, self.sent) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}
