//! The last facts of all users.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::decisions::DecisionMemory;
use super::events::{EVENTS_MAX, Event, EventFilter, Events};
use super::facts::{Fact, FactKind};
use super::timeline::{Timeline, When, line};
use wastegate::admission::AdmissionEnd;
use wastegate::cleanup::{Decided, UserPressure};
use wastegate::gateway::{ConnectionEnd, ConnectionFacts, ConnectionObserver};
use wastegate::observe::PressureLevel;
use wastegate_core::types::{Clock, ConnectionRef, ManagerKey, Timestamp, UserId};

/// Facts that are kept: about 10 MB of them where every one is an eviction, 4 MB of connections. Beyond it the
/// oldest go.
pub const FACTS_MAX: usize = 50_000;
/// How long a fact is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(3_600);

/// What happened lately, of all users.
#[derive(Debug)]
pub struct Memory {
    clock: Clock,
    // Held to add a fact, or to copy some of them.
    facts: Mutex<Kept>,
    news: watch::Sender<u64>,
    decisions: DecisionMemory,
    begun: Timestamp,
}

/// The facts of the last hour, with the number of the last one; the first of a process is 1.
#[derive(Debug, Default)]
struct Kept {
    facts: VecDeque<Fact>,
    last: u64,
    /// How many of the facts are evictions, by user: nobody is here without one.
    evicted: HashMap<UserId, u32>,
}

impl Kept {
    /// Adds the newest.
    fn push(&mut self, fact: Fact) {
        if let (FactKind::Evicted(_), Some(user)) = (&fact.kind, &fact.user) {
            *self.evicted.entry(user.clone()).or_default() += 1;
        }
        self.facts.push_back(fact);
        self.last += 1;
    }

    /// Drops the oldest.
    fn pop(&mut self) {
        let Some(fact) = self.facts.pop_front() else {
            return;
        };
        if let FactKind::Evicted(_) = fact.kind
            && let Some(user) = fact.user
            && let Entry::Occupied(mut count) = self.evicted.entry(user)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// Drops what is too old.
    fn forget(&mut self, now: Timestamp) {
        let is_over = |oldest: &Fact| now.since(oldest.at) > KEPT_FOR;
        while self.facts.front().is_some_and(is_over) {
            self.pop();
        }
    }
}

impl Memory {
    /// One that remembers nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            begun: clock.now(),
            clock,
            facts: Mutex::default(),
            news: watch::Sender::new(0),
            decisions: DecisionMemory::default(),
        }
    }

    /// A decision is complete, the ends of its victims included.
    pub fn decided(&self, decided: &Arc<Decided>) {
        for fact in Fact::of(decided) {
            self.add(fact);
        }
        self.decisions.add(decided.clone());
    }

    /// The last decisions, whole.
    #[must_use]
    pub const fn decisions(&self) -> &DecisionMemory {
        &self.decisions
    }

    /// An admission ended; only refusals are remembered.
    pub fn admission(&self, ended: &AdmissionEnd<'_>) {
        if let Some(why) = ended.refused {
            self.add(Fact {
                at: ended.at,
                user: Some(ended.user.clone()),
                key: Some(ended.key.clone()),
                kind: FactKind::Refused {
                    why,
                    took: ended.took,
                },
            });
        }
    }

    /// A user's pressure level changed. That it rose to where new connections will soon evict old ones is
    /// remembered.
    pub fn pressure(&self, pressure: &UserPressure) {
        let UserPressure {
            user,
            change,
            held,
            limit,
        } = pressure;
        if change.to > change.from && change.to >= PressureLevel::Critical {
            self.add(Fact {
                at: change.at,
                user: Some(user.clone()),
                key: None,
                kind: FactKind::Pressure {
                    level: change.to,
                    held: *held,
                    limit: *limit,
                },
            });
        }
    }

    /// Something was changed, by an operator or at the end of its time. `what` is the audit log's name for it.
    pub fn changed(
        &self,
        what: &'static str,
        by: &str,
        about: (Option<UserId>, Option<&str>),
        reason: &str,
    ) {
        let (user, policy) = about;
        self.add(Fact {
            at: self.clock.now(),
            user,
            key: None,
            kind: FactKind::Change {
                what,
                by: by.into(),
                policy: policy.map(Into::into),
                reason: reason.into(),
            },
        });
    }

    fn add(&self, fact: Fact) {
        let now = fact.at;
        let mut kept = self.facts.lock();
        kept.forget(now);
        if kept.facts.len() >= FACTS_MAX {
            kept.pop();
        }
        kept.push(fact);
        let last = kept.last;
        drop(kept);
        if self.news.receiver_count() > 0 {
            self.news.send_replace(last);
        }
    }

    /// How many managers of a user were evicted in the time that is remembered.
    #[must_use]
    pub fn evicted(&self, user: &UserId) -> u32 {
        let now = self.clock.now();
        let mut kept = self.facts.lock();
        kept.forget(now);
        kept.evicted.get(user).copied().unwrap_or(0)
    }

    /// From when on everything is remembered.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        let (now, kept) = (self.clock.now(), self.facts.lock());
        // What is older than the oldest fact was dropped for want of room, if the memory is full.
        let dropped = kept.facts.front().filter(|_| kept.facts.len() >= FACTS_MAX);
        let oldest = dropped.map_or(self.begun, |fact| fact.at);
        let hour = now.micros().saturating_sub(micros(KEPT_FOR));
        oldest.max(Timestamp::from_micros(hour))
    }

    /// Changes with each fact, to its number: for readers of [`Memory::after`] that wait for more.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        let receiver = self.news.subscribe();
        // What came while nobody waited was not reported.
        self.news.send_replace(self.last());
        receiver
    }

    /// The number of the last fact.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.facts.lock().last
    }

    /// When this memory began, ms since the Unix epoch: numbers of facts are those of one process.
    #[must_use]
    pub fn begun_unix_ms(&self) -> u64 {
        self.clock.unix_ms(self.begun)
    }

    /// The facts behind one, as far as a reader wants them.
    #[must_use]
    pub fn after(&self, seen: u64, filter: &EventFilter) -> Events {
        let kept = self.facts.lock();
        let first = kept.last - kept.facts.len() as u64 + 1;
        let missed = seen + 1 < first;
        let skip = usize::try_from(seen.saturating_sub(first - 1)).unwrap_or(usize::MAX);
        let mut news = (first + skip as u64..).zip(kept.facts.iter().skip(skip));
        let mut wanted: Vec<(u64, Fact)> = Vec::new();
        let mut last = seen.max(first - 1);
        for (number, fact) in &mut news {
            last = number;
            if filter.takes(fact.kind.name(), fact.user.as_ref()) {
                wanted.push((number, fact.clone()));
            }
            if wanted.len() >= EVENTS_MAX {
                break;
            }
        }
        let is_more = news.next().is_some();
        drop(kept);
        // Sentences are written without the lock.
        let event = |(number, fact): (u64, Fact)| {
            let user = fact.user.as_ref().map(UserId::to_string);
            let line = line(&[fact], 0, &self.clock)?;
            Some(Event { number, user, line })
        };
        Events {
            events: wanted.into_iter().filter_map(event).collect(),
            seen: last,
            missed,
            is_more,
        }
    }

    /// What happened to a user, or to one of the user's managers.
    #[must_use]
    pub fn of(&self, user: &UserId, key: Option<&ManagerKey>, when: When) -> Timeline {
        let since = self.since();
        let is_asked = |fact: &&Fact| {
            fact.user.as_ref() == Some(user)
                && key.is_none_or(|key| fact.key.as_ref() == Some(key))
                && fact.at >= since
        };
        let facts: Vec<Fact> = self
            .facts
            .lock()
            .facts
            .iter()
            .filter(is_asked)
            .cloned()
            .collect();
        Timeline::new(user.clone(), facts, since, &self.clock, when)
    }
}

impl Memory {
    /// What happened to the user of a connection, with the end of that connection as the answer; none where
    /// nothing is remembered of it.
    #[must_use]
    pub fn of_connection(&self, reference: ConnectionRef) -> Option<Timeline> {
        let user = {
            let kept = self.facts.lock();
            let mut newest_first = kept.facts.iter().rev();
            let fact = newest_first.find(|fact| fact.kind.reference() == Some(reference));
            fact.and_then(|fact| fact.user.clone())
        };
        Some(self.of(&user?, None, When::Of(reference)))
    }
}

impl ConnectionObserver for Memory {
    fn attached(&self, connection: &ConnectionFacts<'_>, at: Timestamp) {
        self.add(Fact {
            at,
            user: Some(connection.user.clone()),
            key: Some(connection.key.clone()),
            kind: FactKind::Connected {
                connection: connection.connection,
                reference: connection.reference,
                device: connection.device.clone(),
                from: connection.from,
            },
        });
    }

    fn ended(&self, connection: &ConnectionFacts<'_>, end: &ConnectionEnd) {
        self.add(Fact {
            at: end.at,
            user: Some(connection.user.clone()),
            key: Some(connection.key.clone()),
            kind: FactKind::Ended {
                connection: connection.connection,
                reference: connection.reference,
                reason: end.report.reason,
                told: end.told,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::why::facts::EvictionFact;
    use wastegate_core::decision::{Class, VictimOutcome};
    use wastegate_core::types::{DecisionId, Scope, Tier};

    fn evicted(user: &UserId, at: Timestamp) -> Fact {
        Fact {
            at,
            user: Some(user.clone()),
            key: None,
            kind: FactKind::Evicted(Box::new(EvictionFact {
                decision: DecisionId::from_raw(1),
                tier: Tier::Force,
                scope: Scope::User,
                class: Class::Dead,
                place: 1,
                of: 1,
                policy: "lru".into(),
                reason: String::new(),
                arm: None,
                idle_ms: 0.0,
                silence_ms: 0.0,
                missed_pongs: 0.0,
                visible: None,
                next: None,
                outcome: VictimOutcome::Gone,
            })),
        }
    }

    #[test]
    fn evictions_are_counted_for_as_long_as_they_are_remembered() {
        let clock = Clock::manual();
        let memory = Memory::new(clock.clone());
        let [ann, bob] = ["ann", "bob"].map(|name| UserId::new(name).unwrap());
        for _ in 0..3 {
            memory.add(evicted(&ann, clock.now()));
            clock.advance(Duration::from_secs(1_500));
        }
        memory.add(evicted(&bob, clock.now()));
        assert_eq!((memory.evicted(&ann), memory.evicted(&bob)), (2, 1));
        clock.advance(KEPT_FOR);
        assert_eq!((memory.evicted(&ann), memory.evicted(&bob)), (0, 1));
        clock.advance(Duration::from_secs(1));
        assert_eq!(memory.evicted(&bob), 0);
        assert!(memory.facts.lock().evicted.is_empty());
        for _ in 0..FACTS_MAX + 7 {
            memory.add(evicted(&bob, clock.now()));
        }
        assert_eq!(memory.evicted(&bob) as usize, FACTS_MAX);
    }
}
