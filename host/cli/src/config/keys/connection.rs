//! `[connection]`: sizes and deadlines of one WebSocket.

use super::{GIB, HOUR, KIB, MIB, MINUTE, Section};
use crate::config::shape::{Word, auto, bytes, count, millis};
use wastegate::connection::frames::Unmasked;

pub(super) fn sections() -> Vec<Section> {
    vec![
        Section::new("connection", "Sizes and deadlines of one WebSocket.")
            .key(
                "frame_bytes_max",
                auto(bytes(125, GIB)),
                |d| &mut d.rooms.connection.frame_bytes_max,
                "The largest frame that a client may send, its payload. `auto` is 65536 for the \
                 built-in application and 1048576 in front of a backend, but no more than \
                 `message_bytes_max`.",
            )
            .key(
                "message_bytes_max",
                bytes(125, GIB),
                |d| &mut d.rooms.connection.message_bytes_max,
                "The largest message that a client may send, its payload.",
            )
            .key(
                "fragments_max",
                count(1, 100_000_000),
                |d| &mut d.rooms.connection.fragments_max,
                "Frames that a client may cut a message into.",
            )
            .key(
                "read_buffer_bytes",
                bytes(KIB, MIB),
                |d| &mut d.rooms.connection.read_buffer_bytes,
                "The read buffer of one connection.",
            )
            .key(
                "outbox_bytes_max",
                bytes(125, GIB),
                |d| &mut d.rooms.connection.outbox_bytes_max,
                "What may wait for a client before it is a slow consumer.",
            )
            .key(
                "stall_max_ms",
                millis(10, HOUR),
                |d| &mut d.rooms.connection.stall_max,
                "How long a client may take nothing of what waits for it before it is a slow consumer; taken is what its kernel acknowledges. Also how long either end may take nothing of the last words of the other.",
            )
            .key(
                "close_deadline_ms",
                millis(1, MINUTE),
                |d| &mut d.rooms.connection.close_deadline,
                "How long a client has to answer a Close, from when it has all that comes before it; how long one that is evicted has in all.",
            )
            .key(
                "backend_close_ms",
                millis(1, HOUR),
                |d| &mut d.rooms.connection.backend_close,
                "How long a backend may take to answer the Close of its client; what it says meanwhile is delivered.",
            )
            .key(
                "control_frames_per_s_max",
                count(1, 1_000_000),
                |d| &mut d.rooms.connection.control_frames_per_s_max,
                "Pings and pongs that a client may send in one second; pongs that its backend asked for do not count.",
            )
            .key(
                "unmasked_frames",
                Word {
                    what: "treatment of unmasked frames",
                    words: vec![
                        ("refuse", Unmasked::Refuse),
                        ("answers", Unmasked::Answers),
                        ("accept", Unmasked::Accept),
                    ],
                },
                |d| &mut d.rooms.connection.unmasked_frames,
                "Which frames of a client may come without the mask that RFC 6455 asks for: none, pongs and Closes (some libraries forget it there), or all. A backend gets them masked.",
            ),
    ]
}
