//! When to speak of pressure and of limits passed: state machines that return events as data.
//!
//! Nothing here acts, logs, or knows the time: the caller measures, hands in `now` and the value,
//! and tells the world about the event it may get back. The tiers of cleanup are chosen elsewhere;
//! these levels are for people and for the notice that a user's sockets get.
//!
//! # Rising at once, falling late
//! A level is entered the moment its threshold is reached, and every change is one event (M7). It
//! is left only after the value has stayed below the threshold less a margin for the whole
//! stabilisation time (D12), so a value that swings around a threshold is one event, not a stream.
//! The level fallen to is the highest that was touched in that time: after a dip and a partial
//! recovery nothing is announced that was not held. From there the same rule holds again.
//!
//! A value that is not a number is no evidence: it raises nothing, and recovery starts over.

use std::time::Duration;

use super::error::Error;
use wastegate_core::types::Timestamp;

/// How long a value must stay good before its recovery is announced, unless configured.
pub const STABILISE: Duration = Duration::from_secs(10);

/// How pressed a user or the node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum PressureLevel {
    /// Below every threshold.
    #[default]
    Normal,
    /// Worth a number on a dashboard.
    Info,
    /// Worth looking at.
    Warning,
    /// New connections will soon evict old ones.
    Critical,
    /// They do now, or will be refused.
    Emergency,
}

/// Where the levels begin. Ratios of held to limit; 1.0 is full.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PressureThresholds {
    /// Rising, each with the level that begins there.
    levels: [(f64, PressureLevel); 4],
    margin: f64,
    stabilise: Duration,
}

/// The pressure of one user, or of the node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pressure(Hysteresis<PressureLevel>);

/// A change of level. One is returned per change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PressureChange {
    /// When it was seen.
    pub at: Timestamp,
    /// The level left.
    pub from: PressureLevel,
    /// The level entered.
    pub to: PressureLevel,
    /// The ratio that was measured.
    pub ratio: f64,
}

/// Watches one measured value against one limit, both in the same unit.
#[derive(Debug, Clone, Copy)]
pub struct Alert {
    limit: f64,
    stabilise: Duration,
    state: Hysteresis<AlertState>,
}

/// Whether a limit is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum AlertState {
    /// It is not, and has not been for the stabilisation time.
    #[default]
    Clear,
    /// It is, or was a moment ago.
    Raised,
}

/// An alert that was raised or cleared. One is returned per change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlertChange {
    /// When it was seen.
    pub at: Timestamp,
    /// What it is now.
    pub state: AlertState,
    /// The value that was measured.
    pub measured: f64,
    /// The limit it is held against.
    pub limit: f64,
}

/// A level that rises at once and falls late.
#[derive(Debug, Clone, Copy, Default)]
struct Hysteresis<L> {
    level: L,
    falling: Option<Falling<L>>,
}

#[derive(Debug, Clone, Copy)]
struct Falling<L> {
    since: Timestamp,
    /// The highest level touched since then.
    peak: L,
}

impl PressureLevel {
    /// The levels above `normal`, rising.
    pub const RAISED: [Self; 4] = [Self::Info, Self::Warning, Self::Critical, Self::Emergency];

    /// Its name in labels, events and notices.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Emergency => "emergency",
        }
    }
}

impl Pressure {
    /// The current level.
    #[must_use]
    pub const fn level(&self) -> PressureLevel {
        self.0.level
    }

    /// Takes a measured ratio of held to limit; returns the change of level it makes, if any.
    pub fn observe(
        &mut self,
        thresholds: &PressureThresholds,
        now: Timestamp,
        ratio: f64,
    ) -> Option<PressureChange> {
        if ratio.is_nan() {
            self.0.falling = None;
            return None;
        }
        let reached = thresholds.reached(ratio);
        let held = thresholds.reached(ratio + thresholds.margin);
        let from = self.0.level;
        let to = self.0.step(now, reached, held, thresholds.stabilise)?;
        Some(PressureChange {
            at: now,
            from,
            to,
            ratio,
        })
    }
}

impl PressureThresholds {
    /// Thresholds for info, warning, critical and emergency; a level ends below its threshold less
    /// `margin` for `stabilise`.
    ///
    /// # Errors
    /// [`Error::Threshold`] unless the thresholds rise and lie above `margin`, which is not
    /// negative.
    pub fn new(levels: [f64; 4], margin: f64, stabilise: Duration) -> Result<Self, Error> {
        let bad = |setting, value, must| {
            Err(Error::Threshold {
                setting,
                value,
                must,
            })
        };
        if !(margin.is_finite() && margin >= 0.0) {
            return bad("pressure.margin", margin, "it must not be negative");
        }
        let [info, warning, critical, emergency] = levels;
        let named = [
            ("pressure.info", info, PressureLevel::Info),
            ("pressure.warning", warning, PressureLevel::Warning),
            ("pressure.critical", critical, PressureLevel::Critical),
            ("pressure.emergency", emergency, PressureLevel::Emergency),
        ];
        let mut floor = margin;
        for (setting, value, _) in named {
            if !(value.is_finite() && value > floor) {
                return bad(
                    setting,
                    value,
                    "it must be above the threshold before it, and above the margin",
                );
            }
            floor = value;
        }
        Ok(Self {
            levels: named.map(|(_, value, level)| (value, level)),
            margin,
            stabilise,
        })
    }

    fn reached(&self, ratio: f64) -> PressureLevel {
        let mut reached = self.levels.iter().rev();
        reached
            .find(|(threshold, _)| ratio >= *threshold)
            .map_or(PressureLevel::Normal, |(_, level)| *level)
    }
}

/// 40, 60, 80 and 90 %, a margin of 5 points, and [`STABILISE`].
impl Default for PressureThresholds {
    fn default() -> Self {
        Self {
            levels: [
                (0.4, PressureLevel::Info),
                (0.6, PressureLevel::Warning),
                (0.8, PressureLevel::Critical),
                (0.9, PressureLevel::Emergency),
            ],
            margin: 0.05,
            stabilise: STABILISE,
        }
    }
}

impl Alert {
    /// An alert that is raised above `limit` and cleared after `stabilise` at or below it.
    #[must_use]
    pub fn over(limit: f64, stabilise: Duration) -> Self {
        Self {
            limit,
            stabilise,
            state: Hysteresis::default(),
        }
    }

    /// Whether it is raised.
    #[must_use]
    pub const fn state(&self) -> AlertState {
        self.state.level
    }

    /// Takes a measured value; returns the change it makes, if any.
    pub fn observe(&mut self, now: Timestamp, measured: f64) -> Option<AlertChange> {
        if measured.is_nan() {
            self.state.falling = None;
            return None;
        }
        let state = if measured > self.limit {
            AlertState::Raised
        } else {
            AlertState::Clear
        };
        let state = self.state.step(now, state, state, self.stabilise)?;
        Some(AlertChange {
            at: now,
            state,
            measured,
            limit: self.limit,
        })
    }
}

impl<L: Copy + Ord> Hysteresis<L> {
    /// `reached` is the level that the value is good enough to enter, `held` the one that it is
    /// good enough to stay in. Returns the new level if it changes.
    fn step(&mut self, now: Timestamp, reached: L, held: L, stabilise: Duration) -> Option<L> {
        if reached > self.level {
            self.falling = None;
            self.level = reached;
            return Some(reached);
        }
        if held >= self.level {
            self.falling = None;
            return None;
        }
        let falling = self.falling.get_or_insert(Falling {
            since: now,
            peak: held,
        });
        falling.peak = falling.peak.max(held);
        if now.since(falling.since) < stabilise {
            return None;
        }
        self.level = falling.peak;
        self.falling = None;
        Some(self.level)
    }
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
