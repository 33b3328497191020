//! One manager that a simulated gateway holds, and what it would measure of it.
//!
//! Activity goes through the very type that a live manager counts with, so its signals are equal to
//! the bit. What a trace does not tell (queues, buffers, round trips) is unknown.

use std::time::Duration;

use super::rules::Rules;
use crate::trace::users::FRAMES_MAX;
use crate::trace::{Hint, TraceEvent, TraceEventKind};
use wastegate_core::decision::{Row, Standing};
use wastegate_core::signals::{Activity, DeviceClass, Heartbeats, Hints};
use wastegate_core::types::{Health, ManagerId, ManagerKey, Signal, SignalRow, Timestamp, UserId};

/// One life of a manager.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) session: u32,
    pub(super) id: ManagerId,
    pub(super) created: Timestamp,
    /// When its user wants it next; `trace::NEVER` if never again.
    pub(super) next_ms: u64,
    /// The place among its user's events at which it is wanted next in this life; `trace::NEVER` if
    /// in none.
    pub(super) next_use: u64,
    /// Since when its peer says nothing any more, as the trace knows and the gateway does not.
    pub(super) silent_from: Option<Timestamp>,
    pub(super) key: ManagerKey,
    activity: Activity,
    hints: Hints,
    /// Devices that are attached, the latest last; a device that is not named counts as one.
    devices: Vec<Option<u32>>,
    attached_at: Option<Timestamp>,
    detached_since: Option<Timestamp>,
    received_at: Timestamp,
    pong_at: Option<Timestamp>,
    probe_failed_at: Option<Timestamp>,
    reconnects: u32,
    bytes: (u64, u64),
    /// Evictions and returns of earlier lives.
    past: (u32, u32),
    pinned_until: Option<Timestamp>,
}

/// What a life begins with.
pub(super) struct Birth {
    pub(super) session: u32,
    pub(super) id: ManagerId,
    pub(super) key: ManagerKey,
    pub(super) at: Timestamp,
    pub(super) past: (u32, u32),
    pub(super) silent_from: Option<Timestamp>,
    /// Nothing will tell that somebody attached: somebody is.
    pub(super) attached: bool,
}

impl Held {
    pub(super) fn new(birth: Birth) -> Self {
        let at = birth.at;
        Self {
            session: birth.session,
            id: birth.id,
            created: at,
            next_ms: crate::trace::NEVER,
            next_use: crate::trace::NEVER,
            silent_from: birth.silent_from,
            key: birth.key,
            activity: Activity::new(at),
            hints: Hints::default(),
            devices: if birth.attached {
                vec![None]
            } else {
                Vec::new()
            },
            attached_at: birth.attached.then_some(at),
            detached_since: None,
            received_at: at,
            pong_at: None,
            probe_failed_at: None,
            reconnects: 0,
            bytes: (0, 0),
            past: birth.past,
            pinned_until: None,
        }
    }

    /// What its client runs on, by code.
    pub(super) fn device_class(&self) -> u8 {
        self.hints.device_class_code()
    }

    /// Takes in what happened to it.
    pub(super) fn take(&mut self, at: Timestamp, event: &TraceEvent) {
        match event.kind {
            TraceEventKind::In { n, bytes, .. } => self.frames(at, n, bytes),
            TraceEventKind::Out { bytes, .. } => self.bytes.1 += bytes,
            TraceEventKind::Pong { last_ms } => {
                let last = at.after(Duration::from_millis(last_ms.into()));
                self.pong_at = Some(last);
                self.hear(last);
            }
            TraceEventKind::Attach => self.attach(at, event.device),
            TraceEventKind::Detach => {
                self.devices.clear();
                self.detached_since = Some(at);
            }
            TraceEventKind::Visible => self.hints.set_visible(true),
            TraceEventKind::Hidden => self.hints.set_visible(false),
            TraceEventKind::Hint(hint) => self.hint(at, hint),
            TraceEventKind::DieSilently => {
                self.silent_from.get_or_insert(at);
            }
            TraceEventKind::Open { .. }
            | TraceEventKind::Refuse { .. }
            | TraceEventKind::Ping { .. }
            | TraceEventKind::Close
            | TraceEventKind::Die
            | TraceEventKind::Evict { .. }
            | TraceEventKind::Echo
            | TraceEventKind::Silent
            | TraceEventKind::Back => {}
        }
    }

    /// Frames of one moment.
    fn frames(&mut self, at: Timestamp, n: u32, bytes: u64) {
        for _ in 0..n.min(FRAMES_MAX) {
            self.activity.touch(at);
        }
        self.bytes.0 += bytes;
        self.hear(at);
    }

    fn hear(&mut self, at: Timestamp) {
        self.received_at = self.received_at.max(at);
        self.probe_failed_at = None;
    }

    fn attach(&mut self, at: Timestamp, device: Option<u32>) {
        if self.attached_at.is_some() && !(self.devices.is_empty() && self.detached_since.is_none())
        {
            self.reconnects = self.reconnects.saturating_add(1);
        }
        // A newer connection of a device takes the place of its older one.
        self.devices.retain(|other| *other != device);
        self.devices.push(device);
        self.attached_at = Some(at);
        self.detached_since = None;
        self.hear(at);
    }

    fn hint(&mut self, at: Timestamp, hint: Hint) {
        match hint {
            Hint::Priority(priority) => self.hints.set_priority(priority),
            Hint::InFlight(units) => self.hints.set_in_flight(units),
            Hint::DeviceClass(code) => self.hints.set_device_class(match code {
                1 => DeviceClass::Desktop,
                2 => DeviceClass::Mobile,
                3 => DeviceClass::Server,
                _ => DeviceClass::Unknown,
            }),
            Hint::Protect(protected) => self.hints.set_protected_class(protected),
            Hint::Pin { for_ms } => {
                self.pinned_until = (for_ms > 0).then(|| at.after(Duration::from_millis(for_ms)));
            }
        }
    }

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

    /// When its reconnect grace is over, if that runs.
    pub(super) fn expires_at(&self, rules: &Rules) -> Option<Timestamp> {
        let since = self.detached_since.filter(|_| self.devices.is_empty())?;
        Some(since.after(rules.manager.reconnect_grace))
    }

    fn standing(&self, rules: &Rules, now: Timestamp) -> Standing {
        if !self.devices.is_empty() {
            return Standing::Attached;
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

    /// The verdict that `health::judge` would come to.
    fn health(&self, config: &Heartbeats, now: Timestamp) -> (Health, u32) {
        if self.devices.is_empty() || !self.is_silent(now) {
            let health = if self.devices.is_empty() {
                Health::Unknown
            } else {
                Health::Alive
            };
            return (health, 0);
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

    /// What a decision at that moment is told of it. `wanted` are the signals that are dear and that
    /// somebody asks for.
    pub(super) fn row(
        &self,
        user: &UserId,
        rules: &Rules,
        now: Timestamp,
        wanted: &[Signal],
    ) -> Row {
        let (health, missed) = self.health(&rules.health, now);
        let active = (self.activity.count() > 0).then(|| self.activity.last());
        let protection = if self.pinned_until.is_some_and(|until| until > now) {
            wastegate_core::types::Protection::Pinned
        } else {
            self.hints.protection(&rules.manager, active, now)
        };
        let mut row = Row {
            manager: self.id,
            user: user.clone(),
            key: self.key.clone(),
            last_activity: self.activity.last(),
            standing: self.standing(rules, now),
            health,
            taken_over: false,
            protection,
            signals: SignalRow::default(),
        };
        self.measure(&mut row, now, missed, wanted);
        row
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 bytes or events are beyond any manager"
    )]
    fn measure(&self, row: &mut Row, now: Timestamp, missed: u32, wanted: &[Signal]) {
        let since = |moment: Option<Timestamp>| moment.map_or(f64::NAN, |at| now.ms_since(at));
        let attached = !self.devices.is_empty();
        let connections = f64::from(u32::try_from(self.devices.len()).unwrap_or(u32::MAX));
        let (protection, health) = (row.protection, row.health);
        let signals = &mut row.signals;
        signals[Signal::AgeMs] = now.ms_since(self.created);
        signals[Signal::IdleMs] = now.ms_since(self.activity.last());
        signals[Signal::SecondLastIdleMs] = since(self.activity.second_last());
        signals[Signal::ActivityCount] = self.activity.count() as f64;
        if wanted.contains(&Signal::ActivityRate1m) {
            signals[Signal::ActivityRate1m] = self.activity.rate_1m(now);
        }
        if wanted.contains(&Signal::ActivityDecayed1h) {
            signals[Signal::ActivityDecayed1h] = self.activity.decayed_1h(now);
        }
        signals[Signal::SilenceMs] = since(attached.then_some(self.received_at));
        signals[Signal::PongAgeMs] = since(self.pong_at.filter(|_| attached));
        signals[Signal::MissedPongs] = if attached {
            f64::from(missed)
        } else {
            f64::NAN
        };
        signals[Signal::Health] = health.code();
        let probed = self.probe_failed_at.or(self.pong_at);
        signals[Signal::ProbeAgeMs] = since(probed.filter(|_| health != Health::Unknown));
        signals[Signal::Connections] = connections;
        let gone = matches!(health, Health::HalfOpen | Health::Dead);
        signals[Signal::ConnectionsAlive] = if gone { 0.0 } else { connections };
        signals[Signal::DetachedMs] = since(self.detached_since.filter(|_| !attached));
        signals[Signal::TakenOver] = 0.0;
        signals[Signal::BytesIn] = self.bytes.0 as f64;
        signals[Signal::BytesOut] = self.bytes.1 as f64;
        signals[Signal::InFlight] = f64::from(self.hints.in_flight());
        signals[Signal::Reconnects] = f64::from(self.reconnects);
        signals[Signal::EvictionsBefore] = f64::from(self.past.0);
        signals[Signal::ReturnsBefore] = f64::from(self.past.1);
        signals[Signal::Protection] = protection.code();
        signals[Signal::Priority] = f64::from(self.hints.priority());
        signals[Signal::Visibility] = self
            .hints
            .visible()
            .map_or(f64::NAN, |is| f64::from(u8::from(is)));
        signals[Signal::DeviceClass] = f64::from(self.hints.device_class_code());
    }
}
