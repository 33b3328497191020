//! Settings of the room.

use std::time::Duration;

/// Sizes and deadlines of one WebSocket.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The largest frame a client may send, bytes of payload. 64 KiB.
    pub frame_bytes_max: usize,
    /// The largest message a client may send, bytes of payload. 1 MiB.
    pub message_bytes_max: usize,
    /// Frames that a client may cut a message into on its way to a backend. 4,096.
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
    pub backend_close: Duration,
    /// Control frames (pings, pongs) a client may send in one second. 50.
    pub control_frames_per_s_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            frame_bytes_max: 64 * 1_024,
            message_bytes_max: 1_024 * 1_024,
            fragments_max: 4_096,
            read_buffer_bytes: 4 * 1_024,
            outbox_bytes_max: 1_024 * 1_024,
            stall_max: Duration::from_secs(60),
            close_deadline: Duration::from_secs(2),
            backend_close: Duration::from_secs(10),
            control_frames_per_s_max: 50,
        }
    }
}
