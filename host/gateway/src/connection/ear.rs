//! What is between a transport and the protocol's implementation where an application is embedded: every
//! byte that comes is a sign of life, and every frame has to be one that may come.
//!
//! The rules are those of the relay ([`Scanner`]), so that a client is held to the same in both modes. The
//! implementation above checks most of them again; what it cannot tell apart is which frames came without
//! a mask.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::Bytes;

use super::budget::{BudgetShare, Exceeded};
use super::frames::{Piece, Scanner, Sender, Violation};
use super::pump::ConnectionContext;
use super::transport::Transport;
use crate::manager::Port;
use wastegate_core::types::{Clock, UserId};

/// A transport whose client is listened to: half a frame is a sign of life too.
pub(super) struct Ear {
    transport: Transport,
    /// What was read before, behind the request head.
    leftover: Bytes,
    scanner: Scanner,
    /// Why nothing more is read.
    broken: Option<Violation>,
    /// What the client may send, together with its user's other connections.
    budget: Option<Box<BudgetShare>>,
    /// It sent more, and its connection is to be closed for that.
    exceeded: Option<Exceeded>,
    port: Arc<Port>,
    clock: Clock,
}

impl Ear {
    pub(super) fn new(
        transport: Transport,
        leftover: Bytes,
        port: Arc<Port>,
        user: &UserId,
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
            budget: session.budgets.join(user),
            exceeded: None,
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

/// What some bytes are.
#[derive(Debug, Default)]
struct Checked {
    /// How many of them come before the first frame that may not come.
    good: usize,
    /// What is wrong with that frame.
    broken: Option<Violation>,
    /// Bytes of data frames, headers included.
    data_bytes: u64,
    /// Messages whose last frame began.
    messages: u64,
}

fn checked(scanner: &mut Scanner, bytes: &[u8]) -> Checked {
    let mut left = bytes;
    let mut checked = Checked::default();
    loop {
        match scanner.next(&mut left) {
            Ok(Piece::Nothing) => {
                checked.good = bytes.len();
                return checked;
            }
            Ok(piece) => {
                checked.good = bytes.len() - left.len();
                match piece {
                    Piece::Header(header) => {
                        checked.data_bytes += header.bytes().len() as u64;
                        checked.messages += u64::from(header.is_last());
                    }
                    Piece::Data(data) => checked.data_bytes += data.len() as u64,
                    Piece::Control(_) | Piece::Nothing => {}
                }
            }
            Err(violation) => {
                checked.broken = Some(violation);
                return checked;
            }
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
        if ear.broken.is_none() && ear.exceeded.is_none() {
            let before = buf.filled().len();
            ready!(ear.poll_bytes(cx, buf))?;
            let came = buf.filled().get(before..).unwrap_or_default();
            if came.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let now = ear.clock.now();
            ear.port.vitals.hear(now);
            let Checked {
                good,
                broken,
                data_bytes,
                messages,
            } = checked(&mut ear.scanner, came);
            ear.broken = broken;
            let spent = ear.budget.as_ref();
            let spent = spent.map(|budget| budget.spend(now, messages, data_bytes));
            ear.exceeded = spent.and_then(Result::err);
            buf.set_filled(before + good);
            if good > 0 {
                // What is wrong is told once these are taken.
                return Poll::Ready(Ok(()));
            }
        }
        let odd = |why: Box<dyn Error + Send + Sync>| {
            Err(io::Error::new(io::ErrorKind::InvalidData, why))
        };
        Poll::Ready(match (ear.broken, ear.exceeded) {
            (Some(violation), _) => odd(violation.into()),
            (None, Some(exceeded)) => odd(exceeded.into()),
            (None, None) => Ok(()),
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
