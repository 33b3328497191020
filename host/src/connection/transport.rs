//! The bytes below the frames: a TCP stream that others may look at, and an ear for every byte.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::manager::Port;
use crate::types::Clock;

/// Anything that carries bytes both ways.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// What a connection's bytes travel over.
pub enum Transport {
    /// Plain TCP, of which the kernel can be asked.
    Tcp(Arc<TcpStream>),
    /// Anything else, e.g. TLS in an embedding server.
    Other(Box<dyn Bytes>),
}

impl Transport {
    /// A handle to the socket that does not keep it open; empty where there is none to ask.
    #[must_use]
    pub fn socket(&self) -> Weak<TcpStream> {
        match self {
            Self::Tcp(stream) => Arc::downgrade(stream),
            Self::Other(_) => Weak::new(),
        }
    }
}

/// Lets a socket end with a reset, so that the kernel keeps nothing for a peer that does not read.
pub fn abort_on_drop(socket: &Weak<TcpStream>) {
    if let Some(socket) = socket.upgrade() {
        // If it fails the socket ends politely, a little later.
        let _ = socket2::SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
    }
}

/// Has the kernel notice a peer that vanished without a word: one that says nothing is asked at an
/// interval, and one that acknowledges nothing for `dead_after` is given up.
pub(super) fn give_up_on_silence(
    socket: &Weak<TcpStream>,
    interval: Duration,
    dead_after: Duration,
) {
    if let Some(socket) = socket.upgrade() {
        let socket = socket2::SockRef::from(&*socket);
        // The kernel counts in seconds, and less than one it does not take.
        let interval = interval.max(Duration::from_secs(1));
        let keepalive = socket2::TcpKeepalive::new()
            .with_time(interval)
            .with_interval(interval);
        // Either failing costs patience, never correctness.
        let _ = socket.set_tcp_keepalive(&keepalive);
        #[cfg(target_os = "linux")]
        let _ = socket.set_tcp_user_timeout(Some(dead_after));
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => loop {
                ready!(stream.poll_read_ready(cx))?;
                match stream.try_read(buf.initialize_unfilled()) {
                    Ok(read) => {
                        buf.advance(read);
                        return Poll::Ready(Ok(()));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            },
            Self::Other(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => loop {
                ready!(stream.poll_write_ready(cx))?;
                match stream.try_write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    done => return Poll::Ready(done),
                }
            },
            Self::Other(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // Nothing is buffered above the kernel.
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => {
                Poll::Ready(socket2::SockRef::from(&**stream).shutdown(std::net::Shutdown::Write))
            }
            Self::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A transport that takes note of every byte that comes in: half a frame is a sign of life too.
pub(super) struct Ear {
    pub(super) transport: Transport,
    pub(super) port: Arc<Port>,
    pub(super) clock: Clock,
}

impl AsyncRead for Ear {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.transport).poll_read(cx, buf);
        if read.is_ready() && buf.filled().len() > before {
            self.port.vitals.hear(self.clock.now());
        }
        read
    }
}

impl AsyncWrite for Ear {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
