//! The kernel's account of a TCP connection (`TCP_INFO`, tcp(7)): a probe that sends nothing.
//!
//! Behind a load balancer it describes the hop to the balancer, so it can prove that a transport is
//! gone and never that a user is there.

use std::mem::{MaybeUninit, size_of};
use std::os::fd::AsRawFd;
use std::time::Duration;

use tokio::net::TcpStream;

/// `TCP_ESTABLISHED` of the kernel's `include/net/tcp_states.h`.
const ESTABLISHED: u8 = 1;

/// What matters of `TCP_INFO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpView {
    /// Both directions are open, as far as the kernel knows.
    pub established: bool,
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// How often the oldest of them was sent again.
    pub backoff: u8,
    /// Since the last acknowledgement came in.
    pub last_ack: Duration,
}

impl TcpView {
    /// Whether the transport is gone for good. Data that is not acknowledged is no proof of that:
    /// a phone in a tunnel comes back.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        !self.established
    }

    /// Whether the other end acknowledges what is sent: nothing had to be sent again.
    #[must_use]
    pub const fn acknowledges(&self) -> bool {
        self.established && self.backoff == 0
    }
}

/// Asks the kernel. None where it does not tell.
#[must_use]
pub fn tcp_view(socket: &TcpStream) -> Option<TcpView> {
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
        unacked: info.tcpi_unacked,
        backoff: info.tcpi_backoff,
        last_ack: Duration::from_millis(info.tcpi_last_ack_recv.into()),
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn sees_a_peer_leave_without_a_frame() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert!(!tcp_view(&server).unwrap().is_gone());
        drop(client);
        server.readable().await.unwrap();
        let view = tcp_view(&server).unwrap();
        assert!(view.is_gone(), "{view:?}");
    }
}
