//! One move of bytes, from the side that has some to the side that accepts them.

use std::cell::RefCell;
use std::task::{Context, Poll, ready};

use super::Relay;
use crate::connection::budget::Exceeded;
use crate::connection::faults::PeerSide;
use crate::connection::frames::{Control, ControlKind, Violation};
use crate::connection::traffic::{Ending, Way};
use crate::observe::ActivityEvent;

/// Bytes that are read at a time.
const READ_BYTES: usize = 64 * 1_024;
/// Reads after which others have their turn.
const READS_MAX: usize = 16;

thread_local! {
    /// What is read into, one for all connections of a thread: it is used between two awaits only.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Who is still read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) client: bool,
    pub(super) backend: bool,
}

impl Reads {
    pub(super) const BOTH: Self = Self {
        client: true,
        backend: true,
    };
}

/// What a move came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// At least one byte was moved.
    Some,
    /// A Close, with its code.
    Close(PeerSide, Option<u16>),
    /// The end of a stream, or a failure of it.
    Gone(PeerSide),
    /// Bytes that are no frames.
    Broken(PeerSide, Violation),
    /// More control frames than a client may send.
    Flood,
    /// More than the client's user has a budget for.
    Exceeded,
}

impl Relay {
    /// Waits until something can be moved, and moves it; at the end, when nothing more of one side may
    /// be wanted. Also over once a lane has nothing left to say: that may have been the last.
    pub(super) fn poll_move_to_end(&mut self, cx: &mut Context<'_>, reads: Reads) -> Poll<Moved> {
        let before = (self.up.is_empty(), self.down.is_empty());
        let moved = self.poll_move(cx, reads);
        let is_news = (self.up.is_empty(), self.down.is_empty()) != before;
        if moved.is_pending() && is_news {
            return Poll::Ready(Moved::Some);
        }
        moved
    }

    /// Moves what can be moved. Pending once nothing can.
    pub(super) fn poll_move(&mut self, cx: &mut Context<'_>, reads: Reads) -> Poll<Moved> {
        let now = self.session.clock.now();
        self.look(PeerSide::Client, now);
        self.look(PeerSide::Backend, now);
        for _ in 0..READS_MAX {
            self.poll_send(PeerSide::Backend, cx);
            self.poll_send(PeerSide::Client, cx);
            // While one side has unsent data, the relay does not read from the other, except at the end:
            // the answer to our Close has to be found.
            let takes_more = self.up.is_empty() || self.up.is_sealing() || !reads.backend;
            // At the end the answer to our Close has to be found, whatever comes before it; and one that cannot be sent
            // to is read to its end.
            let is_awaited = !reads.backend || self.up.is_sealing() || self.down.is_discarded();
            let is_over_budget = !is_awaited && self.over_budget(now).is_some();
            self.port
                .vitals
                .set_read_paused(!takes_more || is_over_budget);
            let mut read = Poll::Pending;
            if takes_more && !is_over_budget && reads.client {
                read = self.poll_read(PeerSide::Client, cx);
            }
            // For a client that is gone it is read and dropped: a backend that cannot say what it has
            // to say may not take what its client said last.
            let wanted =
                self.down.is_discarded() || (self.down.is_empty() && !self.down.is_sealed());
            if read.is_pending() && reads.backend && wanted {
                read = self.poll_read(PeerSide::Backend, cx);
            }
            match ready!(read) {
                Moved::Some => {}
                moved => return Poll::Ready(moved),
            }
        }
        Poll::Ready(Moved::Some)
    }

    /// Sends what waits for one side, and notes whether it takes it. One that cannot be sent to may
    /// have said something before, its reason for example, so it is read to its end.
    fn poll_send(&mut self, to: PeerSide, cx: &mut Context<'_>) {
        let (lane, transport) = match to {
            PeerSide::Client => (&mut self.down, &mut self.client),
            PeerSide::Backend => (&mut self.up, &mut self.backend),
        };
        if lane.is_empty() {
            return;
        }
        let before = lane.pending();
        if let Poll::Ready(Err(_)) = lane.poll_send(transport, cx) {
            lane.discard();
            let (_, _, backlog) = self.way_to(to);
            backlog.grew(self.session.clock.now());
            return;
        }
        self.note_progress(to, before, self.session.clock.now());
    }

    fn poll_read(&mut self, from: PeerSide, cx: &mut Context<'_>) -> Poll<Moved> {
        BUFFER.with_borrow_mut(|buffer| {
            let transport = match from {
                PeerSide::Client => &mut self.client,
                PeerSide::Backend => &mut self.backend,
            };
            let most = match (from, &self.budget) {
                (PeerSide::Client, Some(budget)) => budget.read_bytes(buffer.len()),
                _ => buffer.len(),
            };
            let part = buffer.get_mut(..most).unwrap_or_default();
            let read = ready!(transport.poll_fill(cx, part));
            let bytes = read.ok().and_then(|read| buffer.get(..read));
            let bytes = bytes.filter(|bytes| !bytes.is_empty());
            Poll::Ready(bytes.map_or(Moved::Gone(from), |bytes| {
                self.take(from, bytes).unwrap_or(Moved::Some)
            }))
        })
    }

    /// Takes what came from one side; what of it matters.
    pub(super) fn take(&mut self, from: PeerSide, bytes: &[u8]) -> Option<Moved> {
        if bytes.is_empty() {
            return None;
        }
        let now = self.session.clock.now();
        match from {
            PeerSide::Client => self.take_from_client(bytes, now),
            PeerSide::Backend => {
                self.backend_received_at = now;
                let held = self.down.own_waits();
                let client = &self.client;
                let taken = self
                    .down
                    .take(bytes, |_| false, |bytes| client.send_now(bytes));
                let taken = match taken {
                    Ok(taken) => taken,
                    Err(violation) => return Some(Moved::Broken(from, violation)),
                };
                self.control.expect(taken.pings);
                if held && !self.down.own_waits() {
                    self.heartbeat.sent(now);
                    self.asked(now);
                }
                if taken.data_bytes > 0 || taken.controls > 0 {
                    self.note_sent(PeerSide::Client, now);
                }
                if taken.data_bytes > 0 {
                    self.port.vitals.count_out(taken.data_bytes);
                    let traffic = &self.session.traffic;
                    traffic.add(
                        Ending::Relayed,
                        Way::Out,
                        taken.messages,
                        taken.payload_bytes(),
                    );
                    let bytes = taken.data_bytes as u64;
                    let manager = self.attachment.manager();
                    manager.note(now, Some(&self.port.device), ActivityEvent::Out { bytes });
                }
                let close = taken.close?;
                self.closed_by_backend = true;
                Some(Moved::Close(from, Some(close)))
            }
        }
    }

    fn take_from_client(
        &mut self,
        bytes: &[u8],
        now: wastegate_core::types::Timestamp,
    ) -> Option<Moved> {
        let Self {
            up,
            backend,
            heartbeat,
            port,
            attachment,
            budget,
            session,
            ..
        } = self;
        port.vitals.hear(now);
        let ours = |control: &Control| {
            if control.kind != ControlKind::Pong {
                return false;
            }
            let is_ours = heartbeat.pong(port, &control.payload, now);
            if is_ours {
                let manager = attachment.manager();
                manager.note(now, Some(&port.device), ActivityEvent::Pong);
            }
            is_ours
        };
        let taken = up.take(bytes, ours, |bytes| backend.send_now(bytes));
        let taken = match taken {
            Ok(taken) => taken,
            Err(violation) => return Some(Moved::Broken(PeerSide::Client, violation)),
        };
        if taken.data_bytes > 0 {
            port.vitals.count_in(taken.data_bytes);
            let traffic = &session.traffic;
            traffic.add(
                Ending::Relayed,
                Way::In,
                taken.messages,
                taken.payload_bytes(),
            );
            let manager = attachment.manager();
            manager.touch(now, &port.device, taken.data_bytes);
        }
        let (messages, data_bytes) = (taken.messages, taken.data_bytes as u64);
        let spent = budget
            .as_ref()
            .map(|budget| budget.spend(now, messages, data_bytes));
        if taken.data_bytes > 0 || taken.controls > 0 {
            self.note_sent(PeerSide::Backend, now);
        }
        if let Some(close) = taken.close {
            (self.client_closed_at, self.client_code) = (Some(now), Some(close));
            return Some(Moved::Close(PeerSide::Client, Some(close)));
        }
        if let Some(Err(Exceeded)) = spent {
            return Some(Moved::Exceeded);
        }
        let most = self.session.config.control_frames_per_s_max;
        let pongs = taken.controls - taken.pings;
        let unasked = taken.pings + self.control.unexpected(pongs);
        let flood = (0..unasked).any(|_| self.control.count(now) > most);
        flood.then_some(Moved::Flood)
    }
}
