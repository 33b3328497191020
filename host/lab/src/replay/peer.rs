//! What a simulated gateway believes of a manager's peer, and how long it waits for one.

use super::held::Held;
use super::rules::Rules;
use wastegate_core::decision::Standing;
use wastegate_core::signals::Heartbeats;
use wastegate_core::types::{Health, Timestamp};

/// What a gateway believed of a peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Belief {
    pub(super) health: Health,
    /// Whether a probe or a heartbeat said so.
    pub(super) probed: bool,
    /// Newer connections of its devices replaced all that it had left.
    pub(super) taken_over: bool,
    /// Nobody is attached, and a connection is on its way.
    pub(super) expected: bool,
    pub(super) at: Timestamp,
}

/// By what a row is made.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) rules: &'a Rules,
    pub(super) now: Timestamp,
    /// The same in ms as in the trace.
    pub(super) at_ms: u64,
    /// The record says what its gateway believed of peers.
    pub(super) tells_health: bool,
    /// A decision of the record is asked again: what it believed is known.
    pub(super) repeats: bool,
}

impl Held {
    /// A round of probes asked it: who is gone did not answer.
    pub(super) fn probe(&mut self, now: Timestamp) {
        if self.is_silent(now) && !self.devices.is_empty() {
            self.probe_failed_at = Some(now);
        }
    }

    /// Whether its peer is gone without a word, in truth.
    pub(super) fn is_silent(&self, now: Timestamp) -> bool {
        self.silent_from.is_some_and(|from| from <= now)
    }

    /// Whether somebody would notice that it goes, in truth.
    pub(super) fn is_alive(&self, now: Timestamp) -> bool {
        !self.devices.is_empty() && !self.is_silent(now)
    }

    /// When the grace is over in which it waits for a client, if it waits. `attaches` where the trace tells
    /// who attaches.
    pub(super) fn expires_at(&self, rules: &Rules, attaches: bool) -> Option<Timestamp> {
        if !self.devices.is_empty() {
            return None;
        }
        match self.detached_since {
            Some(since) => Some(since.after(rules.manager.reconnect_grace)),
            None => attaches.then(|| self.created.after(rules.manager.attach_grace)),
        }
    }

    /// Whether nobody is attached, its peer is silent in truth, or something was believed of it but that it
    /// answers: else no background pass can touch it.
    pub(super) fn may_be_gone(&self, now: Timestamp) -> bool {
        !self.is_alive(now) || self.believed.is_some()
    }

    /// When it last became one that a tier below `force` may touch, as far as that is known.
    pub(super) fn changed_at(&self) -> Timestamp {
        let believed = self.believed.map(|belief| belief.at);
        let last = self.detached_since.max(believed).max(self.probe_failed_at);
        last.unwrap_or(Timestamp::ZERO)
    }

    /// Since when nothing could reach its peer, if that is so; none of a pinned manager.
    pub(super) fn lost_since(&self, look: Look<'_>) -> Option<Timestamp> {
        if self.devices.is_empty() || self.pinned_until.is_some_and(|until| until > look.now) {
            return None;
        }
        let (health, _) = self.health(look);
        let silent = self
            .silent_from
            .map(|from| from.after(look.rules.health.dead_after));
        match health {
            Health::Dead => silent.or_else(|| self.believed.map(|belief| belief.at)),
            Health::Stalled => self.believed.map(|belief| belief.at),
            _ => None,
        }
    }

    pub(super) fn standing(&self, look: Look<'_>) -> Standing {
        let Look { rules, now, .. } = look;
        if !self.devices.is_empty() {
            return Standing::Attached;
        }
        let is_expected =
            |belief: Belief| belief.expected && now.since(belief.at) < rules.manager.attach_grace;
        if self.belief(look).is_some_and(is_expected) {
            return Standing::Newborn;
        }
        match self.detached_since {
            Some(since) if now.since(since) < rules.manager.reconnect_grace => Standing::Detached,
            Some(_) => Standing::Expired,
            None if now.since(self.created) < rules.manager.attach_grace => Standing::Newborn,
            None => Standing::NeverAttached,
        }
    }

    /// Heartbeats missed in a row: pings go out at every interval from the attachment on.
    fn missed(&self, config: &Heartbeats, now: Timestamp) -> u32 {
        let (Some(from), Some(attached)) = (self.silent_from, self.attached_at) else {
            return 0;
        };
        let interval = config.ping_interval.as_micros().max(1);
        let since = |moment: Timestamp| u128::from(now.micros().saturating_sub(moment.micros()));
        let quiet = u128::from(from.micros().saturating_sub(attached.micros()));
        // The first ping that meets nobody, and how long ago its pong should have come.
        let first = quiet.div_ceil(interval).max(1) * interval;
        let overdue = since(attached)
            .checked_sub(first)
            .and_then(|late| late.checked_sub(config.pong_deadline.as_micros()));
        overdue.map_or(0, |late| {
            u32::try_from(late / interval + 1).unwrap_or(u32::MAX)
        })
    }

    /// What a gateway would believe of its peer, with the heartbeats missed in a row. As long as the record
    /// tells, it is what its gateway believed; afterwards what `health::judge` would come to.
    pub(super) fn health(&self, look: Look<'_>) -> (Health, u32) {
        if self.devices.is_empty() {
            return (Health::Unknown, 0);
        }
        let told = look.tells_health && look.at_ms <= self.told_until_ms;
        if !told {
            return match self.believed {
                // It does not read: nothing in the record could tell that it does again.
                Some(belief) if belief.health == Health::Stalled => (Health::Stalled, 0),
                _ => self.judged(&look.rules.health, look.now),
            };
        }
        let missed = if self.is_silent(look.now) {
            self.missed(&look.rules.health, look.now)
        } else {
            0
        };
        let believed = self.belief(look);
        let believed = believed.map_or(Health::Alive, |belief| belief.health);
        let failed = self.probe_failed_at.is_some() && !look.repeats;
        let health = if failed && matches!(believed, Health::Alive | Health::Unknown) {
            Health::Suspect
        } else {
            believed
        };
        (health, missed)
    }

    /// The verdict that `health::judge` would come to.
    fn judged(&self, config: &Heartbeats, now: Timestamp) -> (Health, u32) {
        if !self.is_silent(now) {
            return (Health::Alive, 0);
        }
        let from = self.silent_from.unwrap_or(now);
        let silence = now.since(from);
        let (missed, failed) = (self.missed(config, now), self.probe_failed_at.is_some());
        let half_open = missed >= config.half_open_after_misses
            || (missed >= config.suspect_after_misses && failed);
        let health = if half_open && silence >= config.dead_after {
            Health::Dead
        } else if half_open {
            Health::HalfOpen
        } else if missed >= config.suspect_after_misses || failed {
            Health::Suspect
        } else if silence > config.ping_interval + config.pong_deadline {
            Health::Unknown
        } else {
            Health::Alive
        };
        (health, missed)
    }
}
