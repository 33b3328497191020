//! What experiments compare: numbers of a user, each a numerator over a denominator, of which less is
//! better.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::tally::ExposureTally;
use wastegate_core::types::spelling;

/// A metric; of all of them, less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Metric {
    /// Victims wanted back within 10 s, per user-day.
    Regret10s,
    /// Victims wanted back within a minute, per user-day.
    Regret60s,
    /// Victims wanted back within ten minutes, per user-day.
    Regret10m,
    /// Victims wanted back within an hour, per user-day.
    Regret1h,
    /// Victims wanted back within a day, per user-day.
    Regret24h,
    /// Victims that answered our Close, per victim that could have.
    LiveKills,
    /// Users with a refused admission, per user.
    BlockedUsers,
    /// Refused admissions, per admission.
    Blocked,
    /// Victims back within a minute of their eviction, per victim.
    Thrash,
    /// Evictions, per user-hour.
    Churn,
    /// Admissions, per user-hour.
    Reconnects,
    /// Runs of a tier that freed nothing, per run.
    FreedNothing,
    /// Decisions that the built-in ranking had to complete, per decision.
    Fallbacks,
    /// Milliseconds that an admission waited for room, per admission that did.
    AdmissionMs,
    /// Admissions that waited for room longer than 100 ms, per admission that waited.
    AdmissionOver100ms,
    /// Admissions that waited for room longer than 500 ms, per admission that waited.
    AdmissionOver500ms,
    /// Admissions that waited for room longer than a second, per admission that waited.
    AdmissionOver1s,
}

/// By its names, as [`Serialize`] writes it.
impl JsonSchema for Metric {
    fn schema_name() -> Cow<'static, str> {
        "Metric".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A metric; of all of them, less is better.",
            "enum": Self::ALL.map(Self::name),
        })
    }
}

/// A name that no metric has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no metric `{name}` (did you mean `{nearest}`?): there are {}",
    names()
)]
pub struct NoSuchMetric {
    name: String,
    nearest: &'static str,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Regret10s,
        Self::Regret60s,
        Self::Regret10m,
        Self::Regret1h,
        Self::Regret24h,
        Self::LiveKills,
        Self::BlockedUsers,
        Self::Blocked,
        Self::Thrash,
        Self::Churn,
        Self::Reconnects,
        Self::FreedNothing,
        Self::Fallbacks,
        Self::AdmissionMs,
        Self::AdmissionOver100ms,
        Self::AdmissionOver500ms,
        Self::AdmissionOver1s,
    ];

    /// As definitions and reports call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regret10s => "regret-10s",
            Self::Regret60s => "regret-60s",
            Self::Regret10m => "regret-10m",
            Self::Regret1h => "regret-1h",
            Self::Regret24h => "regret-24h",
            Self::LiveKills => "live-kills",
            Self::BlockedUsers => "blocked-users",
            Self::Blocked => "blocked",
            Self::Thrash => "thrash",
            Self::Churn => "churn",
            Self::Reconnects => "reconnects",
            Self::FreedNothing => "freed-nothing",
            Self::Fallbacks => "fallbacks",
            Self::AdmissionMs => "admission-ms",
            Self::AdmissionOver100ms => "admission-over-100ms",
            Self::AdmissionOver500ms => "admission-over-500ms",
            Self::AdmissionOver1s => "admission-over-1s",
        }
    }

    /// What it is, in words a product team reads.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Regret10s => "evicted sessions wanted back within 10 s, per user and day",
            Self::Regret60s => "evicted sessions wanted back within a minute, per user and day",
            Self::Regret10m => "evicted sessions wanted back within ten minutes, per user and day",
            Self::Regret1h => "evicted sessions wanted back within an hour, per user and day",
            Self::Regret24h => "evicted sessions wanted back within a day, per user and day",
            Self::LiveKills => {
                "evicted sessions that were alive, of those that could have answered"
            }
            Self::BlockedUsers => "users who were refused at least once",
            Self::Blocked => "refused admissions, of all admissions",
            Self::Thrash => "evicted sessions that were back within a minute",
            Self::Churn => "evictions, per user and hour",
            Self::Reconnects => "admissions, per user and hour",
            Self::FreedNothing => "cleanup runs that freed nothing",
            Self::Fallbacks => "decisions that the built-in ranking had to complete",
            Self::AdmissionMs => "milliseconds that an admission waited for room",
            Self::AdmissionOver100ms => {
                "admissions that waited for room longer than 100 ms, of those that waited"
            }
            Self::AdmissionOver500ms => {
                "admissions that waited for room longer than 500 ms, of those that waited"
            }
            Self::AdmissionOver1s => {
                "admissions that waited for room longer than a second, of those that waited"
            }
        }
    }

    /// A user's numerator and denominator; `hours` is how long the user has been watched since the
    /// first trigger.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 events of one user are beyond anybody"
    )]
    pub fn pair(self, tally: &ExposureTally, hours: f64) -> (f64, f64) {
        let [ten_s, minute, ten_min, hour, day] = tally.returned;
        let [over_100ms, over_500ms, over_1s] = tally.waited_over;
        let days = hours / 24.0;
        let (y, x) = match self {
            Self::Regret10s => return (ten_s as f64, days),
            Self::Regret60s => return (minute as f64, days),
            Self::Regret10m => return (ten_min as f64, days),
            Self::Regret1h => return (hour as f64, days),
            Self::Regret24h => return (day as f64, days),
            Self::Churn => return (tally.evictions as f64, hours),
            Self::Reconnects => return (tally.attempts as f64, hours),
            Self::AdmissionMs => return (tally.waited_ms, tally.waited as f64),
            Self::LiveKills => (tally.echoed, tally.echoed + tally.silent),
            Self::BlockedUsers => (tally.blocked.min(1), 1),
            Self::Blocked => (tally.blocked, tally.attempts),
            Self::Thrash => (tally.returned[1], tally.evictions),
            Self::FreedNothing => (tally.freed_nothing, tally.runs),
            Self::Fallbacks => (tally.fallbacks, tally.decisions),
            Self::AdmissionOver100ms => (over_100ms, tally.waited),
            Self::AdmissionOver500ms => (over_500ms, tally.waited),
            Self::AdmissionOver1s => (over_1s, tally.waited),
        };
        (y as f64, x as f64)
    }

    /// Whether a user's numerator is a part of the denominator, so that the value is a share from 0 to 1.
    #[must_use]
    pub const fn is_share(self) -> bool {
        matches!(
            self,
            Self::LiveKills
                | Self::BlockedUsers
                | Self::Blocked
                | Self::Thrash
                | Self::FreedNothing
                | Self::Fallbacks
                | Self::AdmissionOver100ms
                | Self::AdmissionOver500ms
                | Self::AdmissionOver1s
        )
    }

    /// What has to happen so that there is something to divide by, as a sentence says that it did not.
    #[must_use]
    pub const fn counts_of(self) -> &'static str {
        match self {
            Self::LiveKills => "no victim had a connection that could have answered",
            Self::Blocked => "there was no admission",
            Self::Thrash => "there was no eviction",
            Self::FreedNothing => "no tier ran",
            Self::Fallbacks => "no decision was made",
            _ if self.is_of_waits() => "no admission waited for room",
            _ => "no time has passed",
        }
    }

    /// Whether it says how long admissions waited for room. A replay takes no time and has none of it.
    #[must_use]
    pub const fn is_of_waits(self) -> bool {
        matches!(
            self,
            Self::AdmissionMs
                | Self::AdmissionOver100ms
                | Self::AdmissionOver500ms
                | Self::AdmissionOver1s
        )
    }

    /// Whether it counts users who were turned away: the one harm that is stopped whatever else is in doubt.
    #[must_use]
    pub const fn is_of_refusals(self) -> bool {
        matches!(self, Self::BlockedUsers | Self::Blocked)
    }

    /// Whether it counts evictions, or what came of them, over time: without an eviction it is zero and says nothing.
    #[must_use]
    pub const fn is_per_time_of_evictions(self) -> bool {
        matches!(
            self,
            Self::Regret10s
                | Self::Regret60s
                | Self::Regret10m
                | Self::Regret1h
                | Self::Regret24h
                | Self::Churn
        )
    }

    /// For how long after an eviction it waits to see what comes of it, s.
    #[must_use]
    pub const fn looks_ahead_s(self) -> u64 {
        match self {
            Self::Regret10s | Self::LiveKills => 10,
            Self::Regret60s | Self::Thrash => 60,
            Self::Regret10m => 600,
            Self::Regret1h => 3_600,
            Self::Regret24h => 86_400,
            _ => 0,
        }
    }

    /// Whether the arms may differ in the denominator itself, so that the ratio is no measure of a
    /// user's experience alone.
    #[must_use]
    pub const fn is_per_event(self) -> bool {
        matches!(
            self,
            Self::LiveKills | Self::Blocked | Self::Thrash | Self::FreedNothing | Self::Fallbacks
        ) || self.is_of_waits()
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Metric {
    type Err = NoSuchMetric;

    fn from_str(name: &str) -> Result<Self, NoSuchMetric> {
        let mut all = Self::ALL.into_iter();
        all.find(|metric| metric.name() == name)
            .ok_or_else(|| NoSuchMetric {
                name: name.to_owned(),
                nearest: spelling::closest(name, Self::ALL.map(Self::name)).unwrap_or_default(),
            })
    }
}

impl TryFrom<String> for Metric {
    type Error = NoSuchMetric;

    fn try_from(name: String) -> Result<Self, NoSuchMetric> {
        name.parse()
    }
}

impl From<Metric> for &'static str {
    fn from(metric: Metric) -> Self {
        metric.name()
    }
}

fn names() -> String {
    Metric::ALL.map(Metric::name).join(", ")
}
