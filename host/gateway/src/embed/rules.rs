//! What settings of several rooms can only get wrong together: the rules that hold for a program with a
//! file of settings and for a server that embeds the gateway.
//!
//! Rules call a setting by its key in the file. Not here: what one value may be alone
//! ([`ranges`](super::ranges)), and rules that need listeners or ways to identify clients.

use std::fmt;
use std::time::Duration;

#[cfg(feature = "upstream")]
use super::routes::route_faults;
use super::{Settings, ranges};

/// What is wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsFault {
    /// The keys that are wrong together, as a file names them.
    pub keys: Vec<String>,
    /// Why they are.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.keys.iter().map(|key| format!("`{key}`")).collect();
        let keys = keys.join(" and ");
        write!(f, "{keys}: {}; {}", self.reason, self.remedy)
    }
}

/// One key that must not pass another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The key with the smaller value.
    pub lower: &'static str,
    /// How far it may go.
    pub relation: Relation,
    /// The key with the larger value.
    pub upper: &'static str,
    /// Why the order has to hold, as half a sentence.
    pub because: &'static str,
}

/// How far the lower key may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Not as far as the upper one.
    Below,
    /// As far as the upper one.
    AtMost,
}

impl Relation {
    /// The words of the reference: `below`, `at most`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Below => "below",
            Self::AtMost => "at most",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Below => "below",
            Self::AtMost => "to at most",
        }
    }

    /// Whether two values are in order.
    #[must_use]
    pub fn holds<T: PartialOrd>(self, lower: &T, upper: &T) -> bool {
        match self {
            Self::Below => lower < upper,
            Self::AtMost => lower <= upper,
        }
    }
}

impl Order {
    /// The fault of values that are not in this order.
    #[must_use]
    pub fn fault(&self) -> SettingsFault {
        let &Self {
            lower,
            relation,
            upper,
            because,
        } = self;
        SettingsFault {
            keys: vec![lower.to_owned(), upper.to_owned()],
            reason: because.to_owned(),
            remedy: format!("set `{lower}` {} `{upper}`", relation.remedy()),
        }
    }
}

/// An order with the two values in the settings.
struct Rule {
    order: Order,
    of: fn(&Settings) -> (u64, u64),
}

/// A length of time as it is compared, ns.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Every such order of the gateway's settings.
const RULES: [Rule; 8] = [
    Rule {
        order: Order {
            lower: "health.pong_deadline_ms",
            relation: Relation::Below,
            upper: "health.ping_interval_ms",
            because: "a heartbeat has to be over before the next one starts",
        },
        of: |it| {
            (
                nanos(it.health.pong_deadline),
                nanos(it.health.ping_interval),
            )
        },
    },
    Rule {
        order: Order {
            lower: "health.probe_deadline_ms",
            relation: Relation::Below,
            upper: "admission.budget_ms",
            because: "an admission that probes has to evict within the same budget",
        },
        of: |it| (nanos(it.health.probe_deadline), nanos(it.admission.budget)),
    },
    Rule {
        order: Order {
            lower: "health.suspect_after_misses",
            relation: Relation::Below,
            upper: "health.half_open_after_misses",
            because: "a peer is suspect before it is half-open",
        },
        of: |it| {
            let health = &it.health;
            (
                health.suspect_after_misses.into(),
                health.half_open_after_misses.into(),
            )
        },
    },
    Rule {
        order: Order {
            lower: "health.degraded_rtt_ms",
            relation: Relation::Below,
            upper: "health.poor_rtt_ms",
            because: "a connection is degraded before it is poor",
        },
        of: |it| (nanos(it.health.degraded_rtt), nanos(it.health.poor_rtt)),
    },
    Rule {
        order: Order {
            lower: "health.stalled_after_ms",
            relation: Relation::AtMost,
            upper: "connection.stall_max_ms",
            because: "a connection has to count as stalled before it is closed for it",
        },
        of: |it| {
            (
                nanos(it.health.stalled_after),
                nanos(it.connection.stall_max),
            )
        },
    },
    Rule {
        order: Order {
            lower: "connection.frame_bytes_max",
            relation: Relation::AtMost,
            upper: "connection.message_bytes_max",
            because: "a message is at least one frame",
        },
        of: |it| {
            let frame = it.connection.frame_bytes_max.unwrap_or_default();
            (frame as u64, it.connection.message_bytes_max as u64)
        },
    },
    Rule {
        order: Order {
            lower: "connection.message_bytes_max",
            relation: Relation::AtMost,
            upper: "connection.outbox_bytes_max",
            because: "an outbox has to hold at least one message",
        },
        of: |it| {
            let connection = &it.connection;
            (
                connection.message_bytes_max as u64,
                connection.outbox_bytes_max as u64,
            )
        },
    },
    Rule {
        order: Order {
            lower: "limits.managers_per_user",
            relation: Relation::AtMost,
            upper: "limits.managers_total",
            because: "one user cannot hold more than the node",
        },
        of: |it| {
            (
                it.limits.managers_per_user.into(),
                it.limits.managers_total.into(),
            )
        },
    },
];

/// Every order that the gateway's settings must have, in the order of the reference.
pub fn orders() -> impl Iterator<Item = &'static Order> {
    RULES.iter().map(|rule| &rule.order)
}

impl Settings {
    /// Everything that is wrong with these settings, each alone and together; empty if they can be used.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingsFault> {
        let broken = RULES.iter().filter(|rule| {
            let (lower, upper) = (rule.of)(self);
            !rule.order.relation.holds(&lower, &upper)
        });
        let faults = ranges::faults(self).chain(broken.map(|rule| rule.order.fault()));
        #[cfg(feature = "upstream")]
        let faults = faults.chain(route_faults(
            &self.gateway.routes,
            self.connection.message_bytes_max,
            self.limits.managers_total,
        ));
        faults.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_fault() {
        assert_eq!(Settings::default().faults(), []);
    }

    #[cfg(feature = "upstream")]
    #[test]
    fn a_fault_names_its_keys_and_what_to_do() {
        let mut settings = Settings::default();
        settings.limits.managers_total = settings.limits.managers_per_user - 1;
        settings.gateway.routes = vec![crate::gateway::route::Config::default()];
        let said: Vec<_> = settings
            .faults()
            .iter()
            .map(SettingsFault::to_string)
            .collect();
        assert_eq!(
            said,
            [
                "`limits.managers_per_user` and `limits.managers_total`: one user cannot hold more \
                 than the node; set `limits.managers_per_user` to at most `limits.managers_total`",
                "`gateway.route[0].upstream`: a route leads to a server; name one, such as \
                 [\"ws://127.0.0.1:8000\"]",
            ]
        );
    }
}
