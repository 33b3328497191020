//! Whether a peer takes what waits for it, by its kernel's acknowledgements.
//!
//! A stopped process is the case: its kernel acknowledges until the receive buffer is full, then
//! nothing more, and no ping gets through that could be missed. The kernel is asked by the
//! connection's own task about four times in `stalled_after` while bytes wait, and once by a verdict
//! that would otherwise be "takes nothing": an idle connection costs no call, a busy one about one a
//! second.

use std::sync::Weak;
use std::time::Duration;

use tokio::net::TcpStream;

use super::Config;
use super::kernel::tcp_view;
use crate::manager::{Backlog, Port};
use wastegate_core::types::{EvidenceSource, Timestamp};

/// Looks within `stalled_after`.
const LOOKS: u32 = 4;

/// By how much the buffer of a program that reads nothing may still grow, bytes: the default receive buffer
/// of Linux (`tcp_rmem`, tcp(7)). One that was given a larger one is taken for a reader until it is full.
const BUFFER_GROWTH: u64 = 131_072;

/// How old a mark of bytes that wait may be before its connection looks what became of them.
#[must_use]
pub(crate) fn look_interval(config: &Config) -> Duration {
    config.stalled_after / LOOKS
}

/// Notes what the peer has taken. For the connection's own task. Does nothing where there is no
/// kernel to ask: there the transport's own progress is noted as it is made.
pub fn look(backlog: &Backlog, socket: Option<&TcpStream>, now: Timestamp) {
    if let Some(view) = socket.and_then(tcp_view) {
        backlog.counted(now, view.acked_bytes, view.queued_bytes > 0);
    }
}

/// Notes that a ping is on its way behind `pending_bytes` of our own, itself included. For the
/// connection's own task.
pub(crate) fn note_ping(
    port: &Port,
    socket: Option<&TcpStream>,
    now: Timestamp,
    pending_bytes: usize,
) {
    let vitals = &port.vitals;
    let Some(view) = socket.and_then(tcp_view) else {
        vitals.ping_ends_at(0);
        return;
    };
    vitals.backlog.counted(now, view.acked_bytes, true);
    if view.room_end > 0 {
        vitals.had_room(view.room_end);
    }
    vitals.ping_ends_at(view.acked_bytes + view.queued_bytes + pending_bytes as u64);
}

/// Since when the client has taken nothing of what waits for it, if for at least as long as
/// [`Config::stalled_after`], and who says so. Changes nothing.
pub(super) fn stalled(
    port: &Port,
    config: &Config,
    now: Timestamp,
) -> Option<(Timestamp, EvidenceSource)> {
    let backlog = &port.vitals.backlog;
    let waits = backlog.since().or(port.outbox.queued().head_since)?;
    if now.since(waits) < config.stalled_after {
        return None;
    }
    let Some(socket) = port.socket.upgrade() else {
        return Some((waits, EvidenceSource::Outbox));
    };
    // Where nothing is in the kernel's queue it is our own task that did not come to it.
    let view = tcp_view(&socket)?;
    let takes_nothing = view.queued_bytes > 0 && view.acked_bytes == backlog.acked();
    takes_nothing.then_some((waits, EvidenceSource::Kernel))
}

/// Whether a peer that did not answer the ping of `asked` could have. It could not while we did not
/// read from it, nor while the ping was behind what the peer is still taking, nor while there was no
/// place for the ping between two frames. A peer that takes nothing of what is before the ping keeps
/// it away by itself. `acked` is the kernel's count when it was asked, if that is known.
#[must_use]
pub fn could_answer(port: &Port, asked: Timestamp, acked: Option<u64>) -> bool {
    let vitals = &port.vitals;
    if vitals.read_paused() {
        return false;
    }
    let waits_since = vitals.backlog.since().filter(|since| *since <= asked);
    let Some(view) = view(&port.socket) else {
        return vitals.ping_end().is_some() || waits_since.is_some();
    };
    if vitals.ping_end().is_some_and(|end| view.acked_bytes >= end) {
        return true;
    }
    let took_nothing = match acked {
        Some(acked) => view.acked_bytes == acked,
        None => waits_since.is_some() && view.acked_bytes == vitals.backlog.acked(),
    };
    view.queued_bytes > 0 && took_nothing
}

/// Whether the peer's program has read since the oldest ping that is unanswered went out: its kernel makes
/// room for more than a buffer of its own could have grown by meanwhile.
pub(super) fn reads(port: &Port) -> bool {
    let before = port.vitals.room_end();
    before.is_some_and(|before| {
        view(&port.socket).is_some_and(|view| view.room_end > before + BUFFER_GROWTH)
    })
}

fn view(socket: &Weak<TcpStream>) -> Option<super::TcpView> {
    socket.upgrade().and_then(|socket| tcp_view(&socket))
}
