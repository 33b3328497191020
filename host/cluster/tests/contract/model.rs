//! What the ledger should hold for one user, as plainly as it can be said; and the checks of an answer against it.
//!
//! The ledger may keep parts that do not count: those that ran out, and those of dead nodes, until a call has a
//! use for their room. The model keeps what nobody may have taken away yet, and counts twice: with all that an
//! asker could find (`most`), and without what some asker knew to be dead (`least`). Where both say the same, the
//! answer has to be that.

use std::collections::BTreeMap;

use wastegate_cluster::ledger::{
    EnterAnswer, EnterAsk, Epoch, KeyHash, Leases, Life, ReassertAnswer, ReassertAsk,
};
use wastegate_core::types::ManagerId;
use wastegate_core::types::time::whole_ms;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelPart {
    pub(crate) life: Life,
    pub(crate) expires_ms: u64,
    pub(crate) provisional: bool,
}

type Members = BTreeMap<KeyHash, Vec<ModelPart>>;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) members: Members,
    pub(crate) now_ms: u64,
    /// The nodes that are dead, in the order of their deaths. An asker knows the first so many.
    pub(crate) dead: Vec<Epoch>,
}

fn count(members: &Members) -> usize {
    members.len()
}

impl Model {
    /// What counts for one that knows these nodes to be dead.
    fn view(&self, dead: &[Epoch]) -> Members {
        let holds =
            |part: &&ModelPart| part.expires_ms > self.now_ms && !dead.contains(&part.life.epoch);
        let members = self.members.iter().map(|(key, parts)| {
            let parts: Vec<ModelPart> = parts.iter().filter(holds).cloned().collect();
            (*key, parts)
        });
        members.filter(|(_, parts)| !parts.is_empty()).collect()
    }

    /// What is certainly there.
    pub(crate) fn held(&self) -> Vec<(KeyHash, Vec<Life>)> {
        let lives = |parts: Vec<ModelPart>| parts.iter().map(|part| part.life).collect();
        let view = self.view(&self.dead);
        view.into_iter()
            .map(|(key, parts)| (key, lives(parts)))
            .collect()
    }

    pub(crate) fn provisional(&self) -> Vec<bool> {
        let view = self.view(&self.dead);
        view.into_values()
            .flatten()
            .map(|part| part.provisional)
            .collect()
    }

    /// A call looked with all the deaths: what does not count is gone.
    pub(crate) fn looked(&mut self) {
        self.members = self.view(&self.dead);
    }

    pub(crate) fn members(&self) -> Members {
        self.members.clone()
    }

    pub(crate) fn lose_since(&mut self, members: Members) {
        self.members = members;
    }

    /// Checks the answer to a call, and takes over what it did.
    pub(crate) fn entered(&mut self, ask: &EnterAsk, answer: &EnterAnswer, leases: &Leases) {
        let (least, most) = (self.view(&self.dead), self.view(&ask.dead));
        let own = |members: &Members| {
            let parts = members.get(&ask.key)?.iter();
            parts
                .clone()
                .find(|part| part.life.epoch == ask.life.epoch)
                .cloned()
        };
        let limit = ask.limit as usize;
        let newer = |part: &ModelPart| part.life.manager > ask.life.manager;
        if self.now_ms > ask.not_after_ms {
            return assert_eq!(*answer, EnterAnswer::Late);
        }
        match answer {
            EnterAnswer::Late => {
                assert!(own(&most).as_ref().is_some_and(newer), "late for nothing")
            }
            EnterAnswer::Blocked { .. } => panic!("nobody is blocked"),
            EnterAnswer::Full {
                limit: said,
                entries,
            } => {
                assert_eq!(*said, ask.limit);
                assert!(!least.contains_key(&ask.key), "one that is there joins");
                assert!(count(&most) >= limit, "full below the limit");
                let missing = count(&least) + 1 - limit.min(count(&least) + 1);
                let lives =
                    |parts: &[ModelPart]| parts.iter().map(|part| part.life).collect::<Vec<_>>();
                let fits = |members: &Members| {
                    let victims = ask.victims.get(..missing).unwrap_or_default();
                    let mut keys: Vec<_> = victims.iter().map(|victim| victim.key).collect();
                    keys.sort_unstable();
                    keys.dedup();
                    keys.len() == missing
                        && victims.iter().all(|victim| {
                            members
                                .get(&victim.key)
                                .is_some_and(|parts| lives(parts) == victim.lives)
                        })
                };
                assert!(
                    !(least == most && fits(&least)),
                    "victims that are as they were seen leave"
                );
                for entry in entries {
                    // A life that is over may have come back by a call that did not know so; it counts for nobody else.
                    let is_over = |life: &Life| self.dead.contains(&life.epoch);
                    let known = most.get(&entry.key).into_iter().flatten();
                    let known: Vec<Life> = known.map(|part| part.life).collect();
                    let lives = entry.lives();
                    assert!(
                        lives
                            .iter()
                            .all(|life| is_over(life) || known.contains(life))
                    );
                }
            }
            EnterAnswer::Entered {
                held,
                taken,
                others,
            } => {
                // Of a life that is over, a call that knew so may have purged the newer one before.
                assert!(
                    !own(&least).as_ref().is_some_and(newer),
                    "an older manager got in"
                );
                for victim in &ask.victims[..*taken] {
                    let parts = most[&victim.key]
                        .iter()
                        .map(|part| part.life)
                        .collect::<Vec<_>>();
                    assert!(
                        victim.lives.iter().all(|life| parts.contains(life)),
                        "another one was taken"
                    );
                    self.members.remove(&victim.key);
                }
                let joined = most.contains_key(&ask.key);
                let went = |key: &&KeyHash| ask.victims[..*taken].iter().any(|it| it.key == **key);
                let stay = |members: &Members| members.keys().filter(|key| !went(key)).count();
                let (left, left_most) = (stay(&least), stay(&most));
                assert!(
                    joined || left < limit,
                    "{left} held at a limit of {limit}, and one more got in"
                );
                assert!(
                    *taken == 0 || (left + 1..=left_most + 1).contains(&limit),
                    "more left than were missing"
                );
                assert!(*held as usize > left || joined && *held as usize >= left);
                let known = most.get(&ask.key).cloned().unwrap_or_default();
                for other in others {
                    assert!(
                        known
                            .iter()
                            .any(|part| part.life == other.life && other.life != ask.life)
                    );
                }
                let expires_ms = self.now_ms + whole_ms(leases.provisional);
                let confirmed =
                    own(&most).filter(|part| part.life == ask.life && !part.provisional);
                let part = confirmed.unwrap_or(ModelPart {
                    life: ask.life,
                    expires_ms,
                    provisional: true,
                });
                self.put(ask.key, part, &ask.dead);
            }
        }
    }

    /// The part of one node changes in its place, or comes last.
    fn put(&mut self, key: KeyHash, part: ModelPart, dead: &[Epoch]) {
        let now_ms = self.now_ms;
        let parts = self.members.entry(key).or_default();
        parts.retain(|part| part.expires_ms > now_ms && !dead.contains(&part.life.epoch));
        match parts
            .iter_mut()
            .find(|other| other.life.epoch == part.life.epoch)
        {
            Some(own) => *own = part,
            None => parts.push(part),
        }
    }

    pub(crate) fn left(&mut self, key: KeyHash, life: Life, gone: bool) {
        let there = |members: &Members| {
            members
                .get(&key)
                .is_some_and(|parts| parts.iter().any(|part| part.life == life))
        };
        if there(&self.view(&self.dead)) {
            assert!(gone, "it was there");
        }
        assert!(!gone || there(&self.members), "it was not there");
        if let Some(parts) = self.members.get_mut(&key) {
            parts.retain(|part| part.life != life);
        }
        self.members.retain(|_, parts| !parts.is_empty());
    }

    pub(crate) fn published(&mut self, key: KeyHash, life: Life, lost: bool, leases: &Leases) {
        let there = |members: &Members| {
            members
                .get(&key)
                .is_some_and(|parts| parts.iter().any(|part| part.life == life))
        };
        assert!(
            !(lost && there(&self.view(&self.dead))),
            "what holds is known"
        );
        assert!(
            lost || there(&self.members),
            "a publication brings nothing back"
        );
        let expires_ms = self.now_ms + whole_ms(leases.full);
        if let Some(parts) = self.members.get_mut(&key).filter(|_| !lost) {
            let own = parts.iter_mut().find(|part| part.life == life).unwrap();
            (own.expires_ms, own.provisional) = (expires_ms, false);
        }
    }

    pub(crate) fn reasserted(
        &mut self,
        ask: &ReassertAsk,
        answer: ReassertAnswer,
        leases: &Leases,
    ) {
        let ReassertAnswer::Asserted { held, over } = answer else {
            return assert!(self.now_ms > ask.not_after_ms);
        };
        assert!(self.now_ms <= ask.not_after_ms, "too late");
        for asserted in &ask.parts {
            let life = Life {
                epoch: ask.epoch,
                manager: asserted.manager,
            };
            let view = self.view(&ask.dead);
            let own = |part: &&ModelPart| part.life.epoch == ask.epoch;
            let before = view
                .get(&asserted.key)
                .and_then(|parts| parts.iter().find(own).cloned());
            let expires_ms = self.now_ms + whole_ms(leases.provisional);
            let new = ModelPart {
                life,
                expires_ms,
                provisional: true,
            };
            let newer = |part: &ModelPart| -> bool {
                let manager: ManagerId = part.life.manager;
                manager > asserted.manager
            };
            self.put(asserted.key, before.filter(newer).unwrap_or(new), &ask.dead);
        }
        let (least, most) = (count(&self.view(&self.dead)), count(&self.view(&ask.dead)));
        let over_by = |held: usize| held.saturating_sub(ask.limit as usize);
        assert!(
            (over_by(least)..=over_by(most)).contains(&(over as usize)),
            "{over}: {least} to {most}"
        );
        assert!(held as usize >= least);
    }
}
