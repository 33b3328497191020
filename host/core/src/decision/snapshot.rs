//! What the host knows of a set of managers at one moment, frozen.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::types::{
    Health, ManagerId, ManagerKey, Protection, Scope, Signal, SignalRow, Timestamp, UserId,
};

/// The managers of one user, or of all, at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Whose managers they are.
    pub scope: Scope,
    /// When they were looked at.
    pub now: Timestamp,
    /// The limit that the scope is held to, in managers.
    pub limit: u32,
    /// How many it holds.
    pub held: u32,
    /// One row a manager.
    pub rows: Vec<Row>,
}

impl Snapshot {
    /// Puts the rows in the order in which ties are broken everywhere: least recently active
    /// first, then by key, then by user; never by the order of a map.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.rows.sort_unstable_by(|a, b| {
            (a.last_activity, &a.key, &a.user).cmp(&(b.last_activity, &b.key, &b.user))
        });
        self
    }

    /// Occupancy: held over limit. Zero where there is no limit.
    #[must_use]
    pub fn occupancy(&self) -> f64 {
        occupancy(self.held, self.limit)
    }
}

/// Held over limit; zero where there is no limit.
#[must_use]
pub fn occupancy(held: u32, limit: u32) -> f64 {
    if limit == 0 {
        0.0
    } else {
        f64::from(held) / f64::from(limit)
    }
}

/// One manager as the snapshot found it.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which life of the manager this is.
    pub manager: ManagerId,
    /// Whose it is.
    pub user: UserId,
    /// The manager's name among those of its user.
    pub key: ManagerKey,
    /// When its user was last active in it; when it was created, if never.
    pub last_activity: Timestamp,
    /// Whether somebody is attached.
    pub standing: Standing,
    /// What is believed of its peer.
    pub health: Health,
    /// A newer connection of the same device took over its only one.
    pub taken_over: bool,
    /// How strongly it is held.
    pub protection: Protection,
    /// Everything that was measured.
    pub signals: SignalRow,
    /// Where it is, if it is on another node; none of the rest was looked at here then.
    pub elsewhere: Option<Elsewhere>,
}

/// Where a manager is that another node holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Elsewhere {
    /// The node's name among those of its cluster.
    pub node: Arc<str>,
    /// How long ago that node published what is known of it, ms.
    pub age_ms: u64,
}

impl Row {
    /// What kind of candidate it is; none for a newborn, which nothing may touch.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        Class::of(self.standing, self.health, self.taken_over)
    }

    /// Whether it was asked, and its silence is no evidence against it: its client answers no ping, or
    /// later than was waited for. It counts as responsive, and goes before those that did answer.
    #[must_use]
    pub fn is_unproven(&self) -> bool {
        self.health == Health::Unknown && !self.signals[Signal::ProbeAgeMs].is_nan()
    }

    /// Since its user was last active, ms.
    #[must_use]
    pub fn idle_ms(&self) -> f64 {
        self.signals[Signal::IdleMs]
    }
}

/// Whether somebody is attached to a manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Its first connection is still on its way, within the attach grace.
    Newborn,
    /// Its first connection never came within the attach grace.
    NeverAttached,
    /// At least one connection is attached.
    Attached,
    /// The last connection left, within the reconnect grace.
    Detached,
    /// The last connection left and the reconnect grace is over.
    Expired,
}

/// What kind of candidate a manager is, worst first. The order is the order of eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Its peer is gone.
    Dead,
    /// Its only connection was taken over.
    TakenOver,
    /// Nobody came back within the grace, or nobody ever came.
    Expired,
    /// Our own side of it hangs.
    Stuck,
    /// Probed and silent.
    HalfOpen,
    /// There, but it does not read.
    Stalled,
    /// It missed an answer.
    Suspect,
    /// Nobody is attached, within the grace.
    Detached,
    /// It answers, or nothing speaks against it.
    Responsive,
}

impl Class {
    /// Every class, worst first.
    pub const ALL: [Self; 9] = [
        Self::Dead,
        Self::TakenOver,
        Self::Expired,
        Self::Stuck,
        Self::HalfOpen,
        Self::Stalled,
        Self::Suspect,
        Self::Detached,
        Self::Responsive,
    ];

    /// What kind of candidate a manager is; none for a newborn, which nothing may touch.
    #[must_use]
    pub fn of(standing: Standing, health: Health, taken_over: bool) -> Option<Self> {
        match standing {
            Standing::Newborn => return None,
            Standing::NeverAttached | Standing::Expired => return Some(Self::Expired),
            Standing::Attached | Standing::Detached => {}
        }
        Some(match health {
            Health::Dead => Self::Dead,
            _ if taken_over => Self::TakenOver,
            Health::Stuck => Self::Stuck,
            Health::HalfOpen => Self::HalfOpen,
            Health::Stalled => Self::Stalled,
            // Nobody is attached, so nothing could have answered: absence is no evidence of death.
            _ if standing == Standing::Detached => Self::Detached,
            Health::Suspect => Self::Suspect,
            Health::Unknown | Health::Alive => Self::Responsive,
        })
    }

    /// Its name in configuration, records and labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::TakenOver => "taken-over",
            Self::Expired => "expired",
            Self::Stuck => "stuck",
            Self::HalfOpen => "half-open",
            Self::Stalled => "stalled",
            Self::Suspect => "suspect",
            Self::Detached => "detached",
            Self::Responsive => "responsive",
        }
    }

    /// The class of that name, if there is one.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Certainly gone: nobody is left whom a protection could protect.
    #[must_use]
    pub const fn is_gone(self) -> bool {
        matches!(self, Self::Dead | Self::TakenOver | Self::Expired)
    }
}
