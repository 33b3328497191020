//! A network connection in memory: bytes take time, stop arriving, pile up, or are cut off.
//!
//! It behaves as TCP does: what was held back arrives after all, in order, once the line is whole
//! again; a full line makes its writer wait; a hang-up travels as slowly as the bytes before it.
//! What it carries is none of its business.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use wastegate_core::types::{Clock, Timestamp};

/// What a direction holds before its writer has to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) latency: Duration,
    pub(crate) bytes_max: usize,
}

/// The line as its faults see it.
pub(crate) struct Line {
    up: Arc<Mutex<Way>>,
    down: Arc<Mutex<Way>>,
}

/// One end of the line.
pub(crate) struct End {
    incoming: Arc<Mutex<Way>>,
    outgoing: Arc<Mutex<Way>>,
    clock: Clock,
    arrival: Option<Pin<Box<Sleep>>>,
}

/// What becomes of the bytes of one direction.
pub(crate) struct Taking(Arc<Mutex<Way>>);

impl Taking {
    /// Since when nothing is taken of what waits, if something waits.
    pub(crate) fn refused_since(&self) -> Option<Timestamp> {
        self.0.lock().refused_since
    }
}

/// Where the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

/// One direction.
struct Way {
    shape: Shape,
    /// What is under way, each with its arrival; an empty one is the hang-up.
    travelling: VecDeque<(Timestamp, Vec<u8>)>,
    bytes: usize,
    held: bool,
    cut: bool,
    /// Since when nothing of what its writer has is taken, if its writer has something.
    refused_since: Option<Timestamp>,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Way {
    fn new(shape: Shape) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            shape,
            travelling: VecDeque::new(),
            bytes: 0,
            held: false,
            cut: false,
            refused_since: None,
            reader_gone: false,
            reader: None,
            writer: None,
        }))
    }

    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }

    fn send(&mut self, now: Timestamp, bytes: &[u8]) {
        let arrival = now.after(self.shape.latency);
        let arrival = self
            .travelling
            .back()
            .map_or(arrival, |(before, _)| arrival.max(*before));
        self.bytes += bytes.len();
        self.travelling.push_back((arrival, bytes.to_vec()));
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// A line between a server (first) and its client (second).
pub(crate) fn line(clock: &Clock, up: Shape, down: Shape) -> (End, End, Line) {
    let line = Line {
        up: Way::new(up),
        down: Way::new(down),
    };
    let end = |incoming: &Arc<Mutex<Way>>, outgoing: &Arc<Mutex<Way>>| End {
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
        clock: clock.clone(),
        arrival: None,
    };
    (end(&line.up, &line.down), end(&line.down, &line.up), line)
}

impl Line {
    /// Stops or resumes delivery in one direction.
    pub(crate) fn hold(&self, direction: Direction, held: bool) {
        let way = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        let mut way = way.lock();
        way.held = held;
        way.wake();
    }

    /// What becomes of the bytes to the client, for who keeps the truth.
    pub(crate) fn taking(&self) -> Taking {
        Taking(self.down.clone())
    }

    /// Resets the connection: both ends learn of it at once.
    pub(crate) fn cut(&self) {
        for way in [&self.up, &self.down] {
            let mut way = way.lock();
            way.cut = true;
            way.wake();
        }
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let now = self.clock.now();
        let incoming = self.incoming.clone();
        let mut way = incoming.lock();
        if way.cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        way.reader = Some(cx.waker().clone());
        let held = way.held;
        let Some((arrival, bytes)) = way.travelling.front_mut().filter(|_| !held) else {
            self.arrival = None;
            return Poll::Pending;
        };
        if *arrival > now {
            let mut sleep = Box::pin(tokio::time::sleep(arrival.since(now)));
            if sleep.as_mut().poll(cx).is_pending() {
                self.arrival = Some(sleep);
                return Poll::Pending;
            }
        }
        let taken = bytes.len().min(buf.remaining());
        let over = bytes.is_empty();
        buf.put_slice(&bytes.drain(..taken).collect::<Vec<u8>>());
        if bytes.is_empty() && !over {
            way.travelling.pop_front();
        }
        way.bytes -= taken;
        if let Some(writer) = way.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut way = self.outgoing.lock();
        if way.cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if way.reader_gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = bytes
            .len()
            .min(way.shape.bytes_max.saturating_sub(way.bytes));
        let now = self.clock.now();
        if taken == 0 {
            way.refused_since.get_or_insert(now);
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        way.refused_since = None;
        way.send(now, bytes.get(..taken).unwrap_or(bytes));
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.lock().send(self.clock.now(), &[]);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.outgoing.lock().send(self.clock.now(), &[]);
        let mut way = self.incoming.lock();
        way.reader_gone = true;
        way.wake();
    }
}
