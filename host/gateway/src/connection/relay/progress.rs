//! Whether either side takes what waits for it, and for how long it may take nothing.

use std::time::Duration;

use super::Relay;
use super::lane::Lane;
use crate::connection::faults::PeerSide;
use crate::connection::progress::next_look;
use crate::connection::transport::Transport;
use crate::health;
use crate::manager::Backlog;
use wastegate_core::types::{CloseReason, Timestamp};

impl Relay {
    pub(super) fn way_to(&self, side: PeerSide) -> (&Lane, &Transport, &Backlog) {
        match side {
            PeerSide::Client => (&self.down, &self.client, &self.port.vitals.backlog),
            PeerSide::Backend => (&self.up, &self.backend, &self.backend_backlog),
        }
    }

    /// Takes note of what a side has taken, if it is time to.
    pub(super) fn look(&self, side: PeerSide, now: Timestamp) {
        let (_, transport, backlog) = self.way_to(side);
        let due = |since| now.since(since) >= health::look_interval(&self.session.health);
        if backlog.since().is_some_and(due) {
            health::look(backlog, transport.tcp(), now);
        }
    }

    /// Bytes were read for a side. What a kernel did not take of them at once is noted when it is
    /// tried.
    pub(super) fn note_sent(&self, side: PeerSide, now: Timestamp) {
        let (_, transport, backlog) = self.way_to(side);
        if transport.tcp().is_some() {
            backlog.grew(now);
        }
    }

    /// What waits for a side was tried; `before` waited then.
    pub(super) fn note_progress(&self, side: PeerSide, before: usize, now: Timestamp) {
        let (lane, transport, backlog) = self.way_to(side);
        let left = lane.pending();
        if transport.tcp().is_none() && left < before {
            backlog.shrank(now, left > 0);
        } else {
            backlog.grew(now);
        }
    }

    /// Since when a side takes nothing, and how long it may.
    fn wait_of(&self, side: PeerSide) -> Option<(Timestamp, Duration)> {
        let (lane, _, backlog) = self.way_to(side);
        let since = backlog.since()?;
        let (stall_max, dead_after) = (
            self.session.config.stall_max,
            self.session.health.dead_after,
        );
        if lane.is_discarded() {
            // It cannot be sent to; what it said before is read, as fast as the other side takes it.
            let other = match side {
                PeerSide::Client => &self.up,
                PeerSide::Backend => &self.down,
            };
            return other.is_empty().then_some((since, stall_max));
        }
        // What waits in the kernel alone holds nothing up; a peer that does not acknowledge it for so
        // long has vanished.
        let limit = if lane.is_empty() {
            dead_after
        } else {
            stall_max
        };
        Some((since, limit))
    }

    /// Whether one of them takes nothing for too long, and what follows.
    pub(super) fn stalled(&self, now: Timestamp) -> Option<CloseReason> {
        for side in [PeerSide::Client, PeerSide::Backend] {
            let over = |(since, limit): (Timestamp, Duration)| now.since(since) >= limit;
            if !self.wait_of(side).is_some_and(over) {
                continue;
            }
            let (lane, transport, backlog) = self.way_to(side);
            if !lane.is_discarded() {
                // It may have taken some since it was looked at.
                health::look(backlog, transport.tcp(), now);
            }
            if self.wait_of(side).is_some_and(over) {
                return Some(match side {
                    PeerSide::Client if lane.is_empty() => CloseReason::ClientGone,
                    PeerSide::Client => CloseReason::SlowConsumer,
                    PeerSide::Backend => CloseReason::UpstreamGone,
                });
            }
        }
        // A backend that has begun a frame and does not go on keeps us from asking the client anything.
        let inside = self.down.own_waits() && self.down.is_empty();
        let silent = now.since(self.backend_received_at) >= self.session.config.stall_max;
        (inside && silent).then_some(CloseReason::UpstreamGone)
    }

    /// How long the client is not read from because its user is over its budget; none if it is.
    pub(super) fn over_budget(&self, now: Timestamp) -> Option<Duration> {
        self.budget.as_ref()?.held_for(now)
    }

    /// When to look again if nothing happens.
    pub(super) fn wake_in(&self, now: Timestamp) -> Duration {
        let mut wake = self.heartbeat.next(&self.session.health, now);
        if let Some(held) = self.over_budget(now) {
            wake = wake.min(held);
        }
        if let Some(until) = self.unwatched_until() {
            wake = wake.min(until.since(now));
        }
        for side in [PeerSide::Client, PeerSide::Backend] {
            if let Some((since, limit)) = self.wait_of(side) {
                wake = wake.min(since.after(limit).since(now));
                if !self.way_to(side).0.is_empty() {
                    wake = wake.min(next_look(since, &self.session.health, now));
                }
            }
        }
        if self.down.own_waits() && self.down.is_empty() {
            let until = self
                .backend_received_at
                .after(self.session.config.stall_max);
            wake = wake.min(until.since(now));
        }
        wake
    }
}
