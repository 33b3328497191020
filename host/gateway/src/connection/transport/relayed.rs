//! What only a relay does with a transport: reading and writing as much as there is without a buffer of
//! its own, and a watch over a backend that says nothing.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::{Plain, Transport, drained, outcome};

/// Has the kernel ask a peer that says nothing whether it is there, at an interval, and give it up
/// once it has not answered for `dead_after`. It asks only while nothing waits for the peer; what
/// waits and is not taken, the connection's own task counts.
pub(in crate::connection) fn give_up_on_silence(
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
    pub(in crate::connection) fn poll_fill(
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
    pub(in crate::connection) fn send_now(&self, bytes: &[u8]) -> usize {
        match self {
            Self::Tcp(stream) => stream.write_now(bytes).ok().flatten().unwrap_or(0),
            // What is taken elsewhere may still have to be pushed out.
            _ => 0,
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
}
