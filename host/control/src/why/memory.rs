//! The last facts of all users.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;

use super::facts::{Fact, FactKind};
use super::timeline::{Timeline, When};
use wastegate::admission::AdmissionEnd;
use wastegate::cleanup::Decided;
use wastegate::gateway::{ConnectionEnd, ConnectionFacts, ConnectionObserver};
use wastegate_core::types::{Clock, ManagerKey, Timestamp, UserId};

/// Facts that are kept: about 10 MB of them where every one is an eviction, 4 MB of connections. Beyond it the
/// oldest go.
pub const FACTS_MAX: usize = 50_000;
/// How long a fact is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(3_600);

/// What happened lately, of all users.
#[derive(Debug)]
pub struct Memory {
    clock: Clock,
    // Held to add a fact, or to copy those of one user.
    facts: Mutex<VecDeque<Fact>>,
    begun: Timestamp,
}

impl Memory {
    /// One that remembers nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            begun: clock.now(),
            clock,
            facts: Mutex::default(),
        }
    }

    /// A decision is complete, the ends of its victims included.
    pub fn decided(&self, decided: &Decided) {
        for fact in Fact::of(decided) {
            self.add(fact);
        }
    }

    /// An admission ended; only refusals are remembered.
    pub fn admission(&self, ended: &AdmissionEnd<'_>) {
        if let Some(why) = ended.refused {
            self.add(Fact {
                at: ended.at,
                user: ended.user.clone(),
                key: ended.key.clone(),
                kind: FactKind::Refused {
                    why,
                    took: ended.took,
                },
            });
        }
    }

    fn add(&self, fact: Fact) {
        let now = fact.at;
        let mut facts = self.facts.lock();
        let is_over = |oldest: &mut Fact| now.since(oldest.at) > KEPT_FOR;
        while facts.len() >= FACTS_MAX || facts.front_mut().is_some_and(is_over) {
            facts.pop_front();
        }
        facts.push_back(fact);
    }

    /// From when on everything is remembered.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        let (now, facts) = (self.clock.now(), self.facts.lock());
        // What is older than the oldest fact was dropped for want of room, if the memory is full.
        let dropped = facts.front().filter(|_| facts.len() >= FACTS_MAX);
        let oldest = dropped.map_or(self.begun, |fact| fact.at);
        let hour = now.micros().saturating_sub(micros(KEPT_FOR));
        oldest.max(Timestamp::from_micros(hour))
    }

    /// What happened to a user, or to one of the user's managers.
    #[must_use]
    pub fn of(&self, user: &UserId, key: Option<&ManagerKey>, when: When) -> Timeline {
        let since = self.since();
        let is_asked = |fact: &&Fact| {
            fact.user == *user && key.is_none_or(|key| fact.key == *key) && fact.at >= since
        };
        let facts: Vec<Fact> = self.facts.lock().iter().filter(is_asked).cloned().collect();
        Timeline::new(user.clone(), facts, since, &self.clock, when)
    }
}

impl ConnectionObserver for Memory {
    fn attached(&self, connection: &ConnectionFacts<'_>, at: Timestamp) {
        self.add(Fact {
            at,
            user: connection.user.clone(),
            key: connection.key.clone(),
            kind: FactKind::Connected {
                connection: connection.connection,
                device: connection.device.clone(),
                from: connection.from,
            },
        });
    }

    fn ended(&self, connection: &ConnectionFacts<'_>, end: &ConnectionEnd) {
        self.add(Fact {
            at: end.at,
            user: connection.user.clone(),
            key: connection.key.clone(),
            kind: FactKind::Ended {
                connection: connection.connection,
                reason: end.report.reason,
                code: end.code,
                text: end.text,
                lasted: end.lasted,
                bytes_in: end.bytes.0,
                bytes_out: end.bytes.1,
                echoed_after: end.report.echoed_after,
            },
        });
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
