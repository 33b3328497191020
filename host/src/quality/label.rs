//! The facts by which evictions and admissions are judged.

use std::time::Duration;

use crate::decision::Class;
use crate::manager::DeviceClass;
use crate::types::{DecisionId, ManagerId, ManagerKey, Tier, Timestamp, UserId};

/// Whether a victim was there when it was evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alive {
    /// It answered our Close after so long: a live kill.
    Echoed(Duration),
    /// Its transport failed or stayed silent until the deadline.
    Dead,
    /// It had no connection that could have answered.
    Unattended,
}

/// One fact. Each is told once, when it becomes known, with the moment it is about.
#[derive(Debug, Clone)]
pub enum Label {
    /// A manager was evicted; its slot is free.
    Evicted {
        /// When.
        at: Timestamp,
        /// By which decision; none where no decision was made, as when an operator asked for it.
        decision: Option<DecisionId>,
        /// At which tier, if a tier chose it.
        tier: Option<Tier>,
        /// Whose it was.
        user: UserId,
        /// Its name.
        key: ManagerKey,
        /// Which life of it.
        manager: ManagerId,
        /// What kind of candidate it was.
        class: Class,
        /// What its client ran on.
        device: DeviceClass,
    },
    /// What became of a victim's connections is known.
    Ended {
        /// When the end was known.
        at: Timestamp,
        /// By which decision it had been evicted.
        decision: DecisionId,
        /// Whose it was.
        user: UserId,
        /// Which life of it.
        manager: ManagerId,
        /// What kind of candidate it was.
        class: Class,
        /// Whether it had been alive.
        alive: Alive,
    },
    /// A user came back for a manager that had been evicted: regret at every horizon that is not
    /// shorter than `after`. Told once for each eviction, at the first return.
    Returned {
        /// When.
        at: Timestamp,
        /// How long after the eviction.
        after: Duration,
        /// By which decision it had been evicted, if by one.
        decision: Option<DecisionId>,
        /// Whose it is.
        user: UserId,
        /// Its name.
        key: ManagerKey,
        /// Whether the victim had echoed its Close, where that is known by now.
        echoed: Option<bool>,
        /// What its client ran on when it was evicted.
        device: DeviceClass,
    },
    /// An admission ended: of one that had to wait for room or was refused, and of any other.
    Admission {
        /// When it ended.
        at: Timestamp,
        /// Who knocked.
        user: UserId,
        /// From the knock to the answer.
        took: Duration,
        /// Whether a cleanup had to run for it.
        triggered: bool,
        /// Whether it was refused: the user was blocked.
        refused: bool,
    },
    /// An admission's cleanup came to its end without freeing anything.
    FreedNothing {
        /// When.
        at: Timestamp,
        /// For whom.
        user: UserId,
        /// The last tier that it tried.
        tier: Tier,
    },
}

/// Whoever wants to know. Called on the path of what it is told of: it must not block.
pub trait Listener: Send + Sync + 'static {
    /// Hears of one fact.
    fn labelled(&self, label: &Label);
}
