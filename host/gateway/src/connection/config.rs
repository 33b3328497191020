//! Settings of the room.

use std::time::Duration;

use super::frames::{FrameLimits, Unmasked};

/// Sizes and deadlines of one WebSocket.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The largest frame a client may send, bytes of payload; none for what the ends can take: 64 KiB
    /// for the built-in application, 1 MiB in front of a backend, never more than a message. None.
    pub frame_bytes_max: Option<usize>,
    /// The largest message a client may send, bytes of payload. 1 MiB.
    pub message_bytes_max: usize,
    /// Frames that a client may cut a message into. 4,096.
    pub fragments_max: u32,
    /// The read buffer of one connection, bytes. 4 KiB.
    pub read_buffer_bytes: usize,
    /// Bytes that may wait for a client before it is a slow consumer. 1 MiB.
    pub outbox_bytes_max: usize,
    /// How long a client may take nothing of what waits for it before it is a slow consumer. Taken is
    /// what its kernel acknowledges. Also how long either end may take nothing of the last words of
    /// the other. A reader of 5 kB/s with a kernel's default buffer lets us see nothing for 28 s at a
    /// time. 60 s.
    pub stall_max: Duration,
    /// How long a client has to answer a Close, from when it has all that comes before it; how long a
    /// client that we end has in all; and how long an ended socket is read from until its peer ends
    /// it too. 2 s.
    pub close_deadline: Duration,
    /// How long a backend may take to answer the Close of its client, from when it has it. What it
    /// says meanwhile is delivered. Then the client is answered without it. 10 s.
    #[cfg(feature = "upstream")]
    pub backend_close: Duration,
    /// Control frames (pings, pongs) a client may send in one second. 50.
    pub control_frames_per_s_max: u32,
    /// Which frames of a client may come without a mask. Its pongs and its Closes.
    pub unmasked_frames: Unmasked,
}

impl Config {
    /// What a client may send, as a scanner of its frames takes it.
    pub(super) const fn limits(&self, frame_bytes_max: usize) -> FrameLimits {
        FrameLimits {
            frame_bytes_max: frame_bytes_max as u64,
            message_bytes_max: self.message_bytes_max as u64,
            fragments_max: self.fragments_max,
            unmasked: self.unmasked_frames,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            frame_bytes_max: None,
            message_bytes_max: 1_024 * 1_024,
            fragments_max: 4_096,
            read_buffer_bytes: 4 * 1_024,
            outbox_bytes_max: 1_024 * 1_024,
            stall_max: Duration::from_secs(60),
            close_deadline: Duration::from_secs(2),
            #[cfg(feature = "upstream")]
            backend_close: Duration::from_secs(10),
            control_frames_per_s_max: 50,
            unmasked_frames: Unmasked::Answers,
        }
    }
}

/// The largest frame of a client of the built-in application, bytes, where no setting says it.
const OWN_FRAME_BYTES_MAX: usize = 64 * 1_024;
/// The largest frame of a backend's client, bytes, where no setting says it: what common servers take.
#[cfg(feature = "upstream")]
const RELAYED_FRAME_BYTES_MAX: usize = 1_024 * 1_024;

impl Config {
    /// The largest frame that a client of the built-in application may send, bytes of payload.
    #[must_use]
    pub fn own_frame_bytes_max(&self) -> usize {
        self.frame_or(OWN_FRAME_BYTES_MAX)
    }

    /// The largest frame that a client may send on its way to a backend, bytes of payload.
    #[cfg(feature = "upstream")]
    #[must_use]
    pub fn relayed_frame_bytes_max(&self) -> usize {
        self.frame_or(RELAYED_FRAME_BYTES_MAX)
    }

    fn frame_or(&self, usual: usize) -> usize {
        let usual = usual.min(self.message_bytes_max);
        self.frame_bytes_max.unwrap_or(usual)
    }
}
