//! The kernel's account of a TCP connection (`TCP_INFO`, `SIOCOUTQ`, tcp(7)): a probe that sends
//! nothing.
//!
//! Behind a load balancer it describes the hop to the balancer, so it can prove that a transport is
//! gone or takes nothing, and never that a user is there.

use std::mem::{MaybeUninit, size_of};
use std::os::fd::AsRawFd;

use tokio::net::TcpStream;

/// `TCP_ESTABLISHED` of the kernel's `include/net/tcp_states.h`.
const ESTABLISHED: u8 = 1;

/// What matters of `TCP_INFO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TcpView {
    /// Both directions are open, as far as the kernel knows.
    pub established: bool,
    /// Bytes that the peer's kernel has acknowledged since the connection began. It acknowledges
    /// what it has room for, so for a peer that does not read they stop once its buffer is full.
    pub acked_bytes: u64,
    /// Bytes that wait: sent and not acknowledged, or not sent yet.
    pub queued_bytes: u64,
    /// Up to which byte the peer's kernel would take more: what it has acknowledged and its window. Once its
    /// buffer has its size, this moves on by what its program reads. 0 where nothing would be taken, or the
    /// kernel does not tell (Linux before 5.4).
    pub room_end: u64,
    /// How often the oldest segment that is not acknowledged was sent again.
    pub backoff: u8,
}

impl TcpView {
    /// Whether the transport is gone for good. Data that is not acknowledged is no proof of that:
    /// a phone in a tunnel comes back.
    #[must_use]
    pub(crate) const fn is_gone(&self) -> bool {
        !self.established
    }

    /// Whether the other end acknowledges what is sent: nothing had to be sent again.
    #[must_use]
    pub(crate) const fn acknowledges(&self) -> bool {
        self.established && self.backoff == 0
    }
}

/// Asks the kernel. None where it does not tell.
#[must_use]
pub(crate) fn tcp_view(socket: &TcpStream) -> Option<TcpView> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: the descriptor is open for as long as `socket` is borrowed; the kernel writes at most
    // `length` bytes, the size of `info`.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if answer != 0 {
        return None;
    }
    // SAFETY: zeroed before the call, and zero is a valid value of every field, so what an older
    // kernel left out reads as zero.
    let info = unsafe { info.assume_init() };
    Some(TcpView {
        established: info.tcpi_state == ESTABLISHED,
        acked_bytes: info.tcpi_bytes_acked,
        queued_bytes: queued(socket),
        room_end: match info.tcpi_snd_wnd {
            0 => 0,
            window => info.tcpi_bytes_acked + u64::from(window),
        },
        backoff: info.tcpi_backoff,
    })
}

/// What waits in the kernel for the peer, bytes; 0 where it does not tell.
fn queued(socket: &TcpStream) -> u64 {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open for as long as `socket` is borrowed; `TIOCOUTQ`, which is
    // `SIOCOUTQ` for sockets, writes one `int`.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if answer == 0 {
        u64::try_from(bytes).unwrap_or(0)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        (listener.accept().await.unwrap().0, client)
    }

    #[tokio::test]
    async fn counts_what_a_peer_takes_and_what_waits_for_it() {
        let (server, mut client) = connected().await;
        server.writable().await.unwrap();
        let before = tcp_view(&server).unwrap();
        let mut written = 0;
        // Until neither kernel has room.
        while let Ok(bytes) = server.try_write(&[7; 65_536]) {
            written += bytes as u64;
        }
        let full = tcp_view(&server).unwrap();
        assert!(full.queued_bytes > 0, "{full:?}");
        let mut bytes = vec![0; usize::try_from(written).unwrap()];
        client.read_exact(&mut bytes).await.unwrap();
        // The last acknowledgement may come a moment later.
        while tcp_view(&server).unwrap().queued_bytes > 0 {
            tokio::task::yield_now().await;
        }
        let after = tcp_view(&server).unwrap();
        assert_eq!(after.acked_bytes, before.acked_bytes + written);
    }

    #[tokio::test]
    async fn sees_a_peer_leave_without_a_frame() {
        let (server, client) = connected().await;
        assert!(!tcp_view(&server).unwrap().is_gone());
        drop(client);
        server.readable().await.unwrap();
        let view = tcp_view(&server).unwrap();
        assert!(view.is_gone(), "{view:?}");
    }
}
