//! The last thing that is done with a socket: what was sent arrives.
//!
//! A socket that is closed with something unread in it ends with a reset, and a reset destroys what
//! the peer has not read yet. So we say that nothing more comes, and read for a little while.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::transport::Transport;

/// Bytes that are read of a peer that goes on talking.
const BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// Says that nothing more comes, and waits until the peer says so too, at most so long.
pub(super) async fn linger(transport: &mut Transport, within: Duration) {
    let ending = async {
        if transport.shutdown().await.is_err() || transport.tcp().is_none() {
            // It is over, or there is no kernel whose reset could do harm.
            return;
        }
        let (mut buffer, mut left) = ([0; 1_024], BYTES_MAX);
        while let Ok(read @ 1..) = transport.read(&mut buffer).await {
            left = left.saturating_sub(read);
            if left == 0 {
                return;
            }
        }
    };
    // A peer that does not come to an end is cut off.
    let _ = tokio::time::timeout(within, ending).await;
}
