//! `[connection]`: sizes and deadlines of one WebSocket.

use super::Section;
use crate::config::shape::{RANGED, auto, one_of};
use wastegate::connection::frames::Unmasked;

pub(super) fn sections() -> Vec<Section> {
    vec![section! {
        |d| "connection", "Sizes and deadlines of one WebSocket.";

        /// The largest frame that a client may send, its payload. `auto` is 65536 for the
        /// built-in application and 1048576 in front of a backend, but no more than
        /// `message_bytes_max`.
        restart frame_bytes_max: auto(RANGED) => d.rooms.connection.frame_bytes_max;

        /// The largest message that a client may send, its payload.
        restart message_bytes_max: RANGED => d.rooms.connection.message_bytes_max;

        /// Frames that a client may cut a message into.
        restart fragments_max: RANGED => d.rooms.connection.fragments_max;

        /// The read buffer of one connection.
        restart read_buffer_bytes: RANGED => d.rooms.connection.read_buffer_bytes;

        /// Bytes that may wait for a client before it is a slow consumer.
        restart outbox_bytes_max: RANGED => d.rooms.connection.outbox_bytes_max;

        /// How long a client may take none of the bytes that wait for it before it is a slow
        /// consumer; taken is what its kernel acknowledges. Also how long either end may take none
        /// of the other's last bytes.
        restart stall_max_ms: RANGED => d.rooms.connection.stall_max;

        /// How long a client has to answer a Close, from when it has all that comes before it.
        /// For the client of an evicted manager, `cleanup.close_deadline_ms` holds.
        restart close_deadline_ms: RANGED => d.rooms.connection.close_deadline;

        /// How long a backend may take to answer the Close of its client; what it says
        /// meanwhile is delivered.
        restart backend_close_ms: RANGED => d.rooms.connection.backend_close;

        /// Pings and pongs that a client may send in one second; pongs that its backend asked
        /// for do not count.
        restart control_frames_per_s_max: RANGED
            => d.rooms.connection.control_frames_per_s_max;

        /// Which frames of a client may come without the mask that RFC 6455 asks for: none,
        /// pongs and Closes (some libraries forget it there), or all. A backend gets them
        /// masked.
        restart unmasked_frames: one_of("treatment of unmasked frames", [
            ("refuse", Unmasked::Refuse), ("answers", Unmasked::Answers),
            ("accept", Unmasked::Accept),
        ]) => d.rooms.connection.unmasked_frames;
    }]
}
