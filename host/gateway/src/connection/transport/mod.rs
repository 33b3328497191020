//! The bytes below the frames: a TCP stream that others may look at, TLS over it, or anything else.

#[cfg(feature = "upstream")]
mod relayed;

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::TlsStream;

#[cfg(feature = "upstream")]
pub(super) use self::relayed::give_up_on_silence;

/// Anything that carries bytes both ways.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// A TCP stream that others may look at while it is used.
#[derive(Debug)]
pub struct Plain(Arc<TcpStream>);

/// What a connection's bytes travel over.
#[non_exhaustive]
pub enum Transport {
    /// Plain TCP, of which the kernel can be asked.
    Tcp(Plain),
    /// TLS over it.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<Plain>>),
    /// Anything else that an embedding server brings.
    Other(Box<dyn Bytes>),
}

impl From<TcpStream> for Plain {
    fn from(stream: TcpStream) -> Self {
        Self(Arc::new(stream))
    }
}

impl From<TcpStream> for Transport {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream.into())
    }
}

impl Transport {
    /// A handle to the socket that does not keep it open; empty where there is none to ask.
    #[must_use]
    pub fn socket(&self) -> Weak<TcpStream> {
        let plain = self.plain();
        plain.map_or_else(Weak::new, |stream| Arc::downgrade(&stream.0))
    }

    /// The socket below, where there is one.
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        self.plain().map(|stream| &*stream.0)
    }

    fn plain(&self) -> Option<&Plain> {
        match self {
            Self::Tcp(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Some(stream.get_ref().0),
            Self::Other(_) => None,
        }
    }

    /// Whatever it is, as bytes.
    fn bytes(self: Pin<&mut Self>) -> Pin<&mut dyn Bytes> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream),
            Self::Other(stream) => Pin::new(stream),
        }
    }

    /// Whether it is encrypted, as far as is known here.
    #[must_use]
    pub(crate) const fn is_tls(&self) -> bool {
        !matches!(self, Self::Tcp(_) | Self::Other(_))
    }
}

/// Lets a socket end with a reset, so that the kernel keeps nothing for a peer that does not read.
pub(crate) fn abort_on_drop(socket: &Weak<TcpStream>) {
    if let Some(socket) = socket.upgrade() {
        // If it fails the socket ends politely, a little later.
        let _ = SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
    }
}

/// How long the kernel waits for a peer that does not take what is sent to it, once its connection is over.
///
/// While a connection runs there is none: the kernel counts the time since the peer's window was
/// last wide open (tcp(7), `TCP_USER_TIMEOUT`), so it ends a slow reader that takes a little all the
/// time. The connection's own task counts from the last progress instead. Afterwards it bounds what
/// the kernel still has for the peer.
pub(super) fn set_kernel_patience(socket: Option<&TcpStream>, patience: Duration) {
    #[cfg(target_os = "linux")]
    if let Some(socket) = socket {
        // Failing costs patience, never correctness.
        let _ = SockRef::from(socket).set_tcp_user_timeout(Some(patience));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (socket, patience);
}

impl Plain {
    /// Reads into what is free of a buffer, which need not be cleared for that; none if nothing is there.
    fn append_now(&self, buffer: &mut ReadBuf<'_>) -> io::Result<Option<usize>> {
        let (wanted, mut read) = (buffer.remaining(), None);
        // Of the two that look at the socket's readiness the outer one knows of it from before the read, so
        // bytes that come meanwhile are not missed.
        let tried = self.0.try_io(Interest::READABLE, || {
            let bytes = self.0.try_read_buf(buffer)?;
            read = Some(bytes);
            drained(bytes, wanted)
        });
        outcome(tried, read)
    }

    /// Writes; none if nothing is taken. A write that is taken in part has filled the socket.
    fn write_now(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let mut sent = None;
        let tried = self.0.try_io(Interest::WRITABLE, || {
            let taken = (&*SockRef::from(&*self.0)).write(bytes)?;
            sent = Some(taken);
            drained(taken, bytes.len())
        });
        outcome(tried, sent)
    }
}

/// Whether the socket has to become ready again first; zero bytes are an end, which stays ready.
fn drained(moved: usize, wanted: usize) -> io::Result<()> {
    if (1..wanted).contains(&moved) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(())
}

fn outcome(tried: io::Result<()>, moved: Option<usize>) -> io::Result<Option<usize>> {
    match tried {
        Err(error) if moved.is_none() && error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(moved),
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            if let Some(read) = self.append_now(buf).transpose() {
                return Poll::Ready(read.map(|_| ()));
            }
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            if let Some(sent) = self.write_now(bytes).transpose() {
                return Poll::Ready(sent);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is buffered above the kernel.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.0).shutdown(std::net::Shutdown::Write))
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.bytes().poll_read(cx, buf)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bytes().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes().poll_shutdown(cx)
    }
}
