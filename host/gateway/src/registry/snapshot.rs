//! From live managers to frozen rows. Reading only: a snapshot leaves no trace in what it shows.

use std::collections::HashMap;
use std::sync::Arc;

use super::Registry;
use crate::health;
use crate::manager::Manager;
use crate::observe::activity::BelievedPeer;
use wastegate_core::decision::{Row, Snapshot, Standing};
use wastegate_core::types::{Health, Protection, Scope, Signal, SignalRow, Timestamp, UserId};

/// What is believed of a manager.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Believed {
    pub(crate) standing: Standing,
    pub(crate) health: Health,
    pub(crate) taken_over: bool,
    pub(crate) protection: Protection,
}

impl Registry {
    /// One user's managers now.
    #[must_use]
    pub fn snapshot_user(&self, user: &UserId, now: Timestamp) -> Snapshot {
        let managers = self.table.of(user);
        let rows: Vec<Row> = managers
            .iter()
            .map(|manager| self.row(manager, now))
            .collect();
        let held = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        Snapshot {
            scope: Scope::User,
            now,
            limit: self.limit(user, now),
            held,
            rows,
        }
        .sorted()
    }

    /// Writes down what a decision found: a replay cannot measure the health of a peer, and does not see
    /// connections on their way.
    pub fn note_health(&self, snapshot: &Snapshot) {
        if !self.surroundings.activity.is_enabled() {
            return;
        }
        for row in &snapshot.rows {
            let manager = self.table.get(&row.user, &row.key);
            let manager = manager.filter(|manager| manager.id == row.manager);
            let believed = match row.standing {
                Standing::Attached => BelievedPeer {
                    health: row.health,
                    probed: !row.signals[Signal::ProbeAgeMs].is_nan(),
                    taken_over: row.taken_over,
                    expected: false,
                },
                standing => BelievedPeer {
                    expected: standing == Standing::Newborn
                        && !row.signals[Signal::DetachedMs].is_nan(),
                    ..BelievedPeer::ALIVE
                },
            };
            if let Some(manager) = manager {
                manager.note_belief(snapshot.now, believed);
            }
        }
    }

    /// The managers of all users now, held to `limit` in all.
    #[must_use]
    pub(crate) fn snapshot_node(&self, limit: u32, now: Timestamp) -> Snapshot {
        let managers = self.table.all();
        let mut held_by: HashMap<&UserId, u32> = HashMap::new();
        for manager in &managers {
            *held_by.entry(&manager.user).or_default() += 1;
        }
        let row = |manager: &Arc<Manager>| {
            let mut row = self.row(manager, now);
            row.signals[Signal::UserHeld] =
                f64::from(held_by.get(&manager.user).copied().unwrap_or(0));
            row.signals[Signal::UserLimit] = f64::from(self.limit(&manager.user, now));
            row
        };
        let rows: Vec<Row> = managers.iter().map(row).collect();
        let held = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        Snapshot {
            scope: Scope::Node,
            now,
            limit,
            held,
            rows,
        }
        .sorted()
    }

    /// What is believed of one manager now, without what is measured.
    #[must_use]
    pub(crate) fn believed(&self, manager: &Manager, now: Timestamp) -> Believed {
        let assessment = health::assess(manager, &self.health, now);
        Believed {
            standing: manager.standing(now),
            health: assessment.evidence.health,
            taken_over: assessment.taken_over,
            protection: protection(manager, now),
        }
    }

    /// One manager now.
    #[must_use]
    pub fn row(&self, manager: &Manager, now: Timestamp) -> Row {
        let assessment = health::assess(manager, &self.health, now);
        let protection = protection(manager, now);
        let mut row = Row {
            manager: manager.id,
            user: manager.user.clone(),
            key: manager.key.clone(),
            last_activity: manager.activity().last(),
            standing: manager.standing(now),
            health: assessment.evidence.health,
            taken_over: assessment.taken_over,
            protection,
            signals: SignalRow::default(),
            elsewhere: None,
        };
        let past = self.history.of(&manager.user, &manager.key);
        measure(&mut row.signals, manager, &assessment, now);
        row.signals[Signal::EvictionsBefore] = f64::from(past.evictions);
        row.signals[Signal::ReturnsBefore] = f64::from(past.returns);
        row.signals[Signal::Protection] = protection.code();
        row
    }
}

fn protection(manager: &Manager, now: Timestamp) -> Protection {
    let activity = manager.activity();
    let active = (activity.count() > 0).then(|| activity.last());
    manager.hints.protection(manager.config(), active, now)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 bytes or events are beyond any manager"
)]
fn measure(
    signals: &mut SignalRow,
    manager: &Manager,
    assessment: &health::Assessment,
    now: Timestamp,
) {
    let unknown = f64::NAN;
    let since = |moment: Option<Timestamp>| moment.map_or(unknown, |moment| now.ms_since(moment));
    let activity = manager.activity();
    let ports = manager.ports();
    let latest = |moment: &dyn Fn(&crate::manager::Vitals) -> Option<Timestamp>| {
        since(ports.iter().filter_map(|port| moment(&port.vitals)).max())
    };
    let queued: Vec<_> = ports.iter().map(|port| port.outbox.queued()).collect();
    let head = queued.iter().filter_map(|queued| queued.head_since).min();
    let (bytes_in, bytes_out, errors) = manager.totals();
    let probed = assessment.evidence.source != wastegate_core::types::EvidenceSource::None;

    signals[Signal::AgeMs] = now.ms_since(manager.created);
    signals[Signal::IdleMs] = now.ms_since(activity.last());
    signals[Signal::SecondLastIdleMs] = since(activity.second_last());
    signals[Signal::ActivityCount] = activity.count() as f64;
    signals[Signal::ActivityRate1m] = activity.rate_1m(now);
    signals[Signal::ActivityDecayed1h] = activity.decayed_1h(now);
    signals[Signal::SilenceMs] = latest(&|vitals| Some(vitals.received_at()));
    signals[Signal::PongAgeMs] = latest(&crate::manager::Vitals::pong_at);
    signals[Signal::RttMs] = assessment.rtt_ms.unwrap_or(unknown);
    signals[Signal::MissedPongs] = ports
        .iter()
        .map(|port| port.vitals.missed())
        .min()
        .map_or(unknown, f64::from);
    signals[Signal::Phi] = assessment.phi.unwrap_or(unknown);
    signals[Signal::Health] = assessment.evidence.health.code();
    signals[Signal::ProbeAgeMs] = since(probed.then_some(assessment.evidence.at));
    signals[Signal::Connections] = f64::from(assessment.connections);
    signals[Signal::ConnectionsAlive] = f64::from(assessment.connections_alive);
    signals[Signal::DetachedMs] = since(manager.detached_since());
    signals[Signal::TakenOver] = f64::from(u8::from(assessment.taken_over));
    signals[Signal::QueuedBytes] = queued.iter().map(|queued| queued.bytes).sum::<usize>() as f64;
    signals[Signal::QueueHeadAgeMs] = since(head);
    signals[Signal::BufferedBytes] = manager.mailbox.bytes() as f64;
    signals[Signal::BytesIn] = bytes_in as f64;
    signals[Signal::BytesOut] = bytes_out as f64;
    signals[Signal::BytesGrowth1m] = manager.growth(now).unwrap_or(unknown);
    signals[Signal::InFlight] = f64::from(manager.hints.in_flight());
    signals[Signal::Errors] = f64::from(errors);
    signals[Signal::Reconnects] = f64::from(manager.reconnects());
    signals[Signal::Priority] = f64::from(manager.hints.priority());
    signals[Signal::Visibility] = manager
        .hints
        .visible()
        .map_or(unknown, |is| f64::from(u8::from(is)));
    signals[Signal::DeviceClass] = f64::from(manager.hints.device_class_code());
}
