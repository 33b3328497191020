//! Settings of the room.

use std::time::Duration;

use super::frames::{Limits, Unmasked};

/// Sizes and deadlines of one WebSocket.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The largest frame a client may send, bytes of payload. 64 KiB.
    pub frame_bytes_max: usize,
    /// The largest message a client may send, bytes of payload. 1 MiB.
    pub message_bytes_max: usize,
    /// Frames that a client may cut a message into. 4,096.
    pub fragments_max: u32,
    /// The read buffer of one connection, bytes. 4 KiB.
    pub read_buffer_bytes: usize,
    /// Bytes that may wait for a client before it is a slow consumer. 1 MiB.
    pub outbox_bytes_max: usize,
    /// How long the head of an outbox may wait before its client is a slow consumer. 30 s.
    pub stall_max: Duration,
    /// How long a client has to answer our Close before it is cut off. 2 s.
    pub close_deadline: Duration,
    /// Control frames (pings, pongs) a client may send in one second. 50.
    pub control_frames_per_s_max: u32,
    /// Which frames of a client may come without a mask. Its pongs and its Closes.
    pub unmasked_frames: Unmasked,
}

impl Config {
    /// What a client may send, as a scanner of its frames takes it.
    pub(super) const fn limits(&self) -> Limits {
        Limits {
            frame_bytes_max: self.frame_bytes_max as u64,
            message_bytes_max: self.message_bytes_max as u64,
            fragments_max: self.fragments_max,
            unmasked: self.unmasked_frames,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            frame_bytes_max: 64 * 1_024,
            message_bytes_max: 1_024 * 1_024,
            fragments_max: 4_096,
            read_buffer_bytes: 4 * 1_024,
            outbox_bytes_max: 1_024 * 1_024,
            stall_max: Duration::from_secs(30),
            close_deadline: Duration::from_secs(2),
            control_frames_per_s_max: 50,
            unmasked_frames: Unmasked::Answers,
        }
    }
}
