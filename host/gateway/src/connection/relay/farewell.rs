//! An end under way: what is waited for, and for how long.

use std::time::Duration;

use wastegate_core::types::{CloseReason, Timestamp};

use super::Relay;
use super::step::Reads;
use crate::connection::config::Config;
use crate::connection::faults::PeerSide;
use crate::connection::patience::Patience;
use crate::health;

/// An end under way.
pub(super) struct Farewell {
    pub(super) reason: CloseReason,
    /// How long the client has to answer our Close.
    pub(super) answer_within: Duration,
    pub(super) reads: Reads,
    pub(super) client: Patience,
    pub(super) backend: Patience,
    /// Over at this moment, whatever is left; since when that is so.
    pub(super) until: Option<Timestamp>,
    pub(super) hurried: Timestamp,
    /// For how long the backend has been waited for, and until when that is counted.
    pub(super) waited: (Duration, Timestamp),
    /// The client did not answer our Close, or could not be told.
    pub(super) unanswered: bool,
    pub(super) client_takes_nothing: bool,
    pub(super) backend_takes_nothing: bool,
    /// The backend's stream has ended.
    pub(super) is_backend_over: bool,
}

impl Farewell {
    pub(super) fn new(reason: CloseReason, now: Timestamp, answer_within: Duration) -> Self {
        Self {
            reason,
            answer_within,
            reads: Reads {
                client: reason != CloseReason::ClientGone,
                backend: true,
            },
            client: Patience::new(),
            backend: Patience::new(),
            until: None,
            hurried: now,
            waited: (Duration::ZERO, now),
            unanswered: false,
            client_takes_nothing: false,
            backend_takes_nothing: false,
            is_backend_over: false,
        }
    }

    /// Whether one end said all that it had to say, which is to reach the other.
    pub(super) const fn delivers(&self) -> bool {
        self.reason.is_clients()
            || matches!(
                self.reason,
                CloseReason::UpstreamClosed | CloseReason::UpstreamGone
            )
    }

    /// From now on there is a deadline for everything.
    pub(super) fn hurry(&mut self, now: Timestamp) {
        (self.until, self.hurried) = (Some(now.after(self.answer_within)), now);
    }

    /// For how long a peer may take nothing: where there is a deadline for everything, that is it.
    pub(super) const fn stall_max(&self, stall_max: Duration) -> Duration {
        if self.until.is_some() {
            Duration::MAX
        } else {
            stall_max
        }
    }

    /// How much longer the backend may take to answer its client's Close. Counted is the time in
    /// which it could be heard, for the client was not behind.
    pub(super) fn backend_left(
        &mut self,
        config: &Config,
        received: bool,
        now: Timestamp,
    ) -> Duration {
        let (mut waited, until) = self.waited;
        if received {
            waited += now.since(until);
        }
        self.waited = (waited, now);
        config.backend_close.saturating_sub(waited)
    }

    /// The deadline is over. A peer that took nothing in all that time is cut off.
    pub(super) fn give_up(&mut self, relay: &Relay, now: Timestamp) {
        let takes_nothing = |side: PeerSide| {
            let (lane, transport, backlog) = relay.way_to(side);
            health::look(backlog, transport.tcp(), now);
            let waits = !lane.is_empty() || transport.tcp().is_some();
            waits && backlog.since().is_some_and(|since| since <= self.hurried)
        };
        let backend = takes_nothing(PeerSide::Backend);
        let client = takes_nothing(PeerSide::Client);
        self.backend_takes_nothing |= backend;
        self.client_takes_nothing |= client;
        self.unanswered = self.reads.client && !self.reason.is_clients();
    }
}
