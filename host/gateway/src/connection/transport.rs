//! The bytes below the frames: a TCP stream that others may look at, TLS over it, or anything else.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// Anything that carries bytes both ways.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// A TCP stream that others may look at while it is used.
#[derive(Debug)]
pub struct Plain(Arc<TcpStream>);

/// What a connection's bytes travel over.
pub enum Transport {
    /// Plain TCP, of which the kernel can be asked.
    Tcp(Plain),
    /// TLS over it.
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
        match self {
            Self::Tcp(stream) => Arc::downgrade(&stream.0),
            Self::Tls(stream) => Arc::downgrade(&stream.get_ref().0.0),
            Self::Other(_) => Weak::new(),
        }
    }

    /// The socket below, where there is one.
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(&stream.0),
            Self::Tls(stream) => Some(&stream.get_ref().0.0),
            Self::Other(_) => None,
        }
    }

    /// Whether it is encrypted, as far as is known here.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

/// Lets a socket end with a reset, so that the kernel keeps nothing for a peer that does not read.
pub fn abort_on_drop(socket: &Weak<TcpStream>) {
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

/// Has the kernel ask a peer that says nothing whether it is there, at an interval, and give it up
/// once it has not answered for `dead_after`. It asks only while nothing waits for the peer; what
/// waits and is not taken, the connection's own task counts.
pub(super) fn give_up_on_silence(
    socket: Option<&TcpStream>,
    interval: Duration,
    dead_after: Duration,
) {
    if let Some(socket) = socket {
        // The kernel counts in seconds, and less than one it does not take.
        let interval = interval.max(Duration::from_secs(1));
        let asked = (dead_after.as_secs_f64() / interval.as_secs_f64()).ceil();
        let keepalive = socket2::TcpKeepalive::new()
            .with_time(interval)
            .with_interval(interval);
        #[cfg(target_os = "linux")]
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and the kernel's limit"
        )]
        let keepalive = keepalive.with_retries(asked.clamp(1.0, 127.0) as u32);
        // Failing costs patience, never correctness.
        let _ = SockRef::from(socket).set_tcp_keepalive(&keepalive);
    }
}

impl Transport {
    /// Reads what is there, once there is something.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let Self::Tcp(stream) = self {
            return stream.poll_fill(cx, buffer);
        }
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(self).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Sends as much as is taken at once. Whatever the matter is if nothing is, `poll_write` tells.
    pub(super) fn send_now(&self, bytes: &[u8]) -> usize {
        match self {
            Self::Tcp(stream) => stream.write_now(bytes).ok().flatten().unwrap_or(0),
            // What is taken there may still have to be pushed out.
            Self::Tls(_) | Self::Other(_) => 0,
        }
    }
}

impl Plain {
    fn poll_fill(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            if let Some(read) = self.read_now(buffer).transpose() {
                return Poll::Ready(read);
            }
        }
    }

    /// Reads; none if nothing is there. A read that does not fill the buffer has emptied the socket,
    /// and by saying so we are spared the next one, which would only find out (the kernel tells of new
    /// bytes).
    fn read_now(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut read = None;
        let tried = self.0.try_io(Interest::READABLE, || {
            let bytes = (&*SockRef::from(&*self.0)).read(buffer)?;
            read = Some(bytes);
            drained(bytes, buffer.len())
        });
        outcome(tried, read)
    }

    /// [`Plain::read_now`] into what is free of a buffer, which need not be cleared for that.
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
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
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
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Other(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
