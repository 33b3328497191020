//! What is between a transport and the protocol's implementation where an application is embedded: every
//! byte that comes is a sign of life, and every frame has to be one that may come.
//!
//! The rules are those of the relay ([`Scanner`]), so that a client is held to the same in both modes. The
//! implementation above checks most of them again; what it cannot tell apart is which frames came without
//! a mask.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::Bytes;

use super::frames::{Piece, Scanner, Sender, Violation};
use super::pump::ConnectionContext;
use super::transport::Transport;
use crate::manager::Port;
use wastegate_core::types::Clock;

/// A transport whose client is listened to: half a frame is a sign of life too.
pub(super) struct Ear {
    transport: Transport,
    /// What was read before, behind the request head.
    leftover: Bytes,
    scanner: Scanner,
    /// Why nothing more is read.
    broken: Option<Violation>,
    port: Arc<Port>,
    clock: Clock,
}

impl Ear {
    pub(super) fn new(
        transport: Transport,
        leftover: Bytes,
        port: Arc<Port>,
        session: &ConnectionContext,
    ) -> Self {
        // Nothing is negotiated here that would compress.
        let limits = session.config.limits(session.config.own_frame_bytes_max());
        let scanner = Scanner::new(Sender::Client, false, limits);
        Self {
            transport,
            leftover,
            scanner,
            broken: None,
            port,
            clock: session.clock.clone(),
        }
    }

    /// What is below it.
    pub(super) fn into_transport(self) -> Transport {
        self.transport
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.leftover.is_empty() {
            return Pin::new(&mut self.transport).poll_read(cx, buf);
        }
        let bytes = self.leftover.len().min(buf.remaining());
        buf.put_slice(&self.leftover.split_to(bytes));
        Poll::Ready(Ok(()))
    }
}

/// How many of these bytes come before the first frame that may not come, and what is wrong with it.
fn checked(scanner: &mut Scanner, bytes: &[u8]) -> (usize, Option<Violation>) {
    let (mut left, mut good) = (bytes, 0);
    loop {
        match scanner.next(&mut left) {
            Ok(Piece::Nothing) => return (bytes.len(), None),
            Ok(_) => good = bytes.len() - left.len(),
            Err(violation) => return (good, Some(violation)),
        }
    }
}

impl AsyncRead for Ear {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let ear = &mut *self;
        if ear.broken.is_none() {
            let before = buf.filled().len();
            ready!(ear.poll_bytes(cx, buf))?;
            let came = buf.filled().get(before..).unwrap_or_default();
            if came.is_empty() {
                return Poll::Ready(Ok(()));
            }
            ear.port.vitals.hear(ear.clock.now());
            let (good, broken) = checked(&mut ear.scanner, came);
            ear.broken = broken;
            buf.set_filled(before + good);
            if good > 0 {
                // What is wrong is told once these are taken.
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Ready(match ear.broken {
            Some(violation) => Err(io::Error::new(io::ErrorKind::InvalidData, violation)),
            None => Ok(()),
        })
    }
}

impl AsyncWrite for Ear {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.transport).poll_write(cx, bytes);
        let (backlog, now) = (&self.port.vitals.backlog, self.clock.now());
        match written {
            // What a kernel takes it has, and not the peer yet.
            Poll::Ready(Ok(taken)) if self.transport.tcp().is_none() => {
                backlog.shrank(now, taken < bytes.len());
            }
            _ => backlog.grew(now),
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
