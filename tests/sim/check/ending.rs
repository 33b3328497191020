//! Promise 7: eviction finishes. Each connection ends once, for one reason and in time, its client
//! is told that reason or nothing, and at the end nothing is left.

use std::collections::BTreeMap;
use std::time::Duration;

use wastegate::manager::ECHO_DEADLINES;
use wastegate_core::types::Timestamp;

use super::Checker;
use crate::scenario::Scenario;
use crate::seen::{Evicted, Leftovers, Seen};

/// Timers are exact to a millisecond, and a close is several of them.
const SLACK: Duration = Duration::from_millis(20);

pub(super) struct Endings {
    /// For how long an evicted client is listened to.
    pub(super) listened: Duration,
    pub(super) links: BTreeMap<u64, Link>,
}

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    evicted_at: Option<Timestamp>,
    ended: u32,
    code: Option<u16>,
    told: Option<u16>,
}

impl Endings {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self {
            listened: scenario.connection.close_deadline * ECHO_DEADLINES,
            links: BTreeMap::new(),
        }
    }

    fn evicted(&mut self, at: Timestamp, one: &Evicted, wrong: &mut Vec<String>) {
        if one.still_held {
            let name = format!("{}/{}", one.facts.user, one.facts.key);
            wrong.push(format!("{name} was evicted and still has its slot"));
        }
        for link in &one.links {
            if let Some(link) = self.links.get_mut(link) {
                link.evicted_at.get_or_insert(at);
            }
        }
    }

    fn left(left: &Leftovers, wrong: &mut Vec<String>) {
        let Leftovers {
            total,
            users,
            tasks,
            queued,
            unattended,
        } = left;
        let kept = [
            (u64::from(*total), "managers"),
            (*users as u64, "users"),
            (*tasks as u64, "tasks"),
            (*queued as u64, "places in queues"),
            (
                u64::from(*unattended),
                "managers of clients that all had gone",
            ),
        ];
        for (count, what) in kept.into_iter().filter(|(count, _)| *count > 0) {
            wrong.push(format!("{count} {what} are left"));
        }
    }
}

impl Checker for Endings {
    fn promise(&self) -> u8 {
        7
    }

    fn see(&mut self, at: Timestamp, seen: &Seen, wrong: &mut Vec<String>) {
        match seen {
            Seen::Opened { link } => {
                self.links.insert(*link, Link::default());
            }
            Seen::Evicted(one) => self.evicted(at, one, wrong),
            Seen::Ended {
                link: number,
                report,
                stands,
                code,
            } => {
                let Some(link) = self.links.get_mut(number) else {
                    wrong.push(format!("connection {number} ended and never began"));
                    return;
                };
                link.ended += 1;
                link.code = Some(*code);
                if link.ended > 1 {
                    wrong.push(format!("connection {number} ended {} times", link.ended));
                }
                if stands.is_none_or(|stands| stands != *report) {
                    wrong.push(format!(
                        "connection {number} ended as {report:?}, its port as {stands:?}"
                    ));
                }
                let took = link.evicted_at.map(|since| at.since(since));
                if let Some(took) = took.filter(|took| *took > self.listened + SLACK) {
                    wrong.push(format!(
                        "connection {number} ended {took:?} after its eviction"
                    ));
                }
            }
            Seen::Told { link: number, code } => {
                if let Some(link) = self.links.get_mut(number) {
                    link.told = Some(*code);
                }
            }
            Seen::Finished(left) => {
                Self::left(left, wrong);
                for (number, link) in &self.links {
                    if link.ended == 0 {
                        wrong.push(format!("connection {number} never ended"));
                    }
                    let (told, code) = (link.told, link.code);
                    if told.is_some() && told != code {
                        wrong.push(format!(
                            "connection {number} ended with {code:?} and was told {told:?}"
                        ));
                    }
                }
            }
            _ => {}
        }
    }
}
