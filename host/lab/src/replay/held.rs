//! One manager that a simulated gateway holds, and what it would measure of it.
//!
//! Activity goes through the very type that a live manager counts with, so its signals are equal to
//! the bit. What a trace does not tell (queues, buffers, round trips) is unknown.

use std::time::Duration;

use super::peer::{Belief, Look};
use crate::trace::users::FRAMES_MAX;
use crate::trace::{Hint, TraceEvent, TraceEventKind};
use wastegate_core::decision::{Class, Row, TierTable};
use wastegate_core::signals::{Activity, DeviceClass, Hints};
use wastegate_core::types::{
    Health, ManagerId, ManagerKey, Protection, Signal, SignalRow, Tier, Timestamp, UserId,
};

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
    /// Until when, ms as in the trace, the record tells what happens to it.
    pub(super) told_until_ms: u64,
    pub(super) key: ManagerKey,
    /// What the last decision in the record believed of its peer, where it was something else than that
    /// it answers.
    pub(super) believed: Option<Belief>,
    /// The same, whatever was heard of it since: what the record's next decision believes, unless it says
    /// something else.
    told: Option<Belief>,
    activity: Activity,
    hints: Hints,
    /// Devices that are attached, the latest last; a device that is not named counts as one.
    pub(super) devices: Vec<Option<u32>>,
    pub(super) attached_at: Option<Timestamp>,
    pub(super) detached_since: Option<Timestamp>,
    pub(super) received_at: Timestamp,
    pong_at: Option<Timestamp>,
    pub(super) probe_failed_at: Option<Timestamp>,
    reconnects: u32,
    bytes: (u64, u64),
    /// Evictions and returns of earlier lives.
    past: (u32, u32),
    pub(super) pinned_until: Option<Timestamp>,
}

/// What a life begins with.
pub(super) struct Birth {
    pub(super) session: u32,
    pub(super) id: ManagerId,
    pub(super) key: ManagerKey,
    pub(super) at: Timestamp,
    pub(super) past: (u32, u32),
    pub(super) silent_from: Option<Timestamp>,
    pub(super) told_until_ms: u64,
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
            told_until_ms: birth.told_until_ms,
            key: birth.key,
            believed: None,
            told: None,
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

    /// Its key begins another life in the record, and here it is held still: what is known of its peer is
    /// that of the new life.
    pub(super) fn renew(&mut self, silent_from: Option<Timestamp>, told_until_ms: u64) {
        self.silent_from = silent_from;
        self.told_until_ms = told_until_ms;
        self.believed = None;
        self.told = None;
        self.probe_failed_at = None;
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
            TraceEventKind::Health {
                health,
                probed,
                taken_over,
                expected,
            } => {
                self.told = Some(Belief {
                    health,
                    probed,
                    taken_over,
                    expected,
                    at,
                });
                self.believed = self.told;
            }
            TraceEventKind::Open { .. }
            | TraceEventKind::Refuse { .. }
            | TraceEventKind::Ping { .. }
            | TraceEventKind::Close
            | TraceEventKind::Die
            | TraceEventKind::Evict { .. }
            | TraceEventKind::Echo { .. }
            | TraceEventKind::Silent { .. }
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
        // What it says does not mean that it reads, or that its manager does.
        let stays = |belief: &Belief| {
            belief.taken_over
                || belief.expected
                || matches!(belief.health, Health::Stalled | Health::Stuck)
        };
        self.believed = self.believed.filter(stays);
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
        if let Some(believed) = &mut self.believed {
            believed.taken_over = false;
        }
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

    /// What the record believed of it.
    pub(super) fn belief(&self, look: Look<'_>) -> Option<Belief> {
        if look.repeats {
            self.told
        } else {
            self.believed
        }
    }

    /// What a decision at that moment is told of it. `wanted` are the signals that are dear and that
    /// somebody asks for.
    pub(super) fn row(&self, user: &UserId, look: Look<'_>, wanted: &[Signal]) -> Row {
        let (health, missed) = self.health(look);
        let protection = self.protection(look);
        let mut row = Row {
            manager: self.id,
            user: user.clone(),
            key: self.key.clone(),
            last_activity: self.activity.last(),
            standing: self.standing(look),
            health,
            taken_over: self.belief(look).is_some_and(|belief| belief.taken_over),
            protection,
            signals: SignalRow::default(),
            elsewhere: None,
        };
        self.measure(&mut row, look, missed, wanted);
        row
    }

    /// How strongly it is held.
    fn protection(&self, look: Look<'_>) -> Protection {
        let Look { rules, now, .. } = look;
        let active = (self.activity.count() > 0).then(|| self.activity.last());
        if self.pinned_until.is_some_and(|until| until > now) {
            Protection::Pinned
        } else {
            self.hints.protection(&rules.manager, active, now)
        }
    }

    /// Whether a tier might evict it, as its row would say, without measuring what only a ranking wants.
    pub(super) fn is_admitted(
        &self,
        table: &TierTable,
        tier: Tier,
        occupancy: f64,
        look: Look<'_>,
    ) -> bool {
        let taken_over = self.belief(look).is_some_and(|belief| belief.taken_over);
        let class = Class::of(self.standing(look), self.health(look).0, taken_over);
        let idle_ms = || look.now.ms_since(self.activity.last());
        table.admits_one(tier, occupancy, (class, self.protection(look)), idle_ms)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 bytes or events are beyond any manager"
    )]
    fn measure(&self, row: &mut Row, look: Look<'_>, missed: u32, wanted: &[Signal]) {
        let now = look.now;
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
        let asked = self.belief(look).filter(|belief| belief.probed);
        let probed = self.probe_failed_at.or(self.pong_at);
        let probed = probed.filter(|_| health != Health::Unknown);
        signals[Signal::ProbeAgeMs] = since(asked.map(|belief| belief.at).or(probed));
        signals[Signal::Connections] = connections;
        let gone = matches!(health, Health::HalfOpen | Health::Dead);
        signals[Signal::ConnectionsAlive] = if gone { 0.0 } else { connections };
        signals[Signal::DetachedMs] = since(self.detached_since.filter(|_| !attached));
        signals[Signal::TakenOver] = f64::from(u8::from(row.taken_over));
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
