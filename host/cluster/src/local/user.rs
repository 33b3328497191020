//! One user of the ledger in memory: the same steps as `library.lua`, in the same order.

use std::collections::BTreeMap;

use wastegate_core::types::ManagerId;
use wastegate_core::types::time::whole_ms;

use crate::ledger::{
    Columns, EnterAnswer, EnterAsk, Epoch, HeldEntry, Holdings, KeyHash, Leases, LeaveAnswer,
    LendAnswer, LendAsk, Life, NodePart, PartState, Publication, PublishAnswer, ReassertAnswer,
    ReassertAsk, UserLever,
};

/// What is kept of one user.
#[derive(Debug, Default)]
pub(super) struct User {
    members: BTreeMap<KeyHash, Vec<NodePart>>,
    limit: Option<(u32, Till)>,
    block: Option<Till>,
    loan: Option<Loan>,
}

/// Until when something holds; none for ever.
type Till = Option<u64>;

#[derive(Debug, Clone, Copy)]
struct Loan {
    slots: u32,
    till_ms: u64,
    cool_ms: u64,
}

fn holds(till: Till, now: u64) -> bool {
    till.is_none_or(|till| till > now)
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl User {
    /// Takes away what does not hold, and says whether nothing is left.
    pub(super) fn is_over(&mut self, now: u64) -> bool {
        self.purge(now, &[]);
        self.limit = self.limit.filter(|(_, till)| holds(*till, now));
        self.block = self.block.filter(|till| holds(*till, now));
        self.loan = self.loan.filter(|loan| loan.cool_ms > now);
        self.members.is_empty()
            && self.limit.is_none()
            && self.block.is_none()
            && self.loan.is_none()
    }

    /// Makes it forget the members, as an engine does that lost its last writes.
    pub(super) fn replace_members(&mut self, members: BTreeMap<KeyHash, Vec<NodePart>>) {
        self.members = members;
    }

    pub(super) fn members(&self) -> &BTreeMap<KeyHash, Vec<NodePart>> {
        &self.members
    }

    fn own_limit(&self, limit: u32, now: u64) -> u32 {
        let set = self.limit.filter(|(_, till)| holds(*till, now));
        set.map_or(limit, |(limit, _)| limit)
    }

    fn limit(&self, limit: u32, now: u64) -> u32 {
        let lent = self.loan.filter(|loan| loan.till_ms > now);
        self.own_limit(limit, now)
            .saturating_add(lent.map_or(0, |loan| loan.slots))
    }

    fn blocked(&self, now: u64) -> Option<Till> {
        self.block.filter(|till| holds(*till, now))
    }

    fn held(&self) -> u32 {
        count(self.members.len())
    }

    fn purge(&mut self, now: u64, dead: &[Epoch]) {
        self.members.retain(|_, parts| {
            parts.retain(|part| is_living(part, now, dead));
            !parts.is_empty()
        });
    }

    fn entries(&self) -> Vec<HeldEntry> {
        let entry = |(key, parts): (&KeyHash, &Vec<NodePart>)| HeldEntry {
            key: *key,
            parts: parts.clone(),
        };
        self.members.iter().map(entry).collect()
    }

    pub(super) fn enter(&mut self, ask: &EnterAsk, leases: &Leases, now: u64) -> EnterAnswer {
        if now > ask.not_after_ms {
            return EnterAnswer::Late;
        }
        let limit = self.limit(ask.limit, now);
        if let Some(until_ms) = self.blocked(now) {
            return EnterAnswer::Blocked { until_ms };
        }
        let mut parts = self.members.get(&ask.key).cloned().unwrap_or_default();
        parts.retain(|part| is_living(part, now, &ask.dead));
        let mut taken = 0;
        if parts.is_empty() {
            self.members.remove(&ask.key);
            if self.held() >= limit {
                self.purge(now, &ask.dead);
                let missing = (self.held() + 1).saturating_sub(limit) as usize;
                let mut left = self.members.clone();
                let victims = ask.victims.get(..missing);
                let all_there = victims.is_some_and(|victims| {
                    victims.iter().all(|victim| {
                        let parts = left.remove(&victim.key).unwrap_or_default();
                        let lives: Vec<Life> = parts.iter().map(|part| part.life).collect();
                        !lives.is_empty() && lives == victim.lives
                    })
                });
                if !all_there {
                    return EnterAnswer::Full {
                        limit,
                        entries: self.entries(),
                    };
                }
                (self.members, taken) = (left, missing);
            }
        }
        let own = parts
            .iter_mut()
            .find(|part| part.life.epoch == ask.life.epoch);
        let entered = NodePart {
            life: ask.life,
            provisional: true,
            expires_ms: now + whole_ms(leases.provisional),
            published_ms: now,
            state: PartState::NEWBORN,
            columns: Columns::default(),
        };
        match own {
            Some(own) if own.life.manager > ask.life.manager => return EnterAnswer::Late,
            Some(own) if own.life.manager == ask.life.manager && !own.provisional => {}
            Some(own) => *own = entered,
            None => parts.push(entered),
        }
        let others = parts
            .iter()
            .filter(|part| part.life.epoch != ask.life.epoch);
        let others = others.cloned().collect();
        self.members.insert(ask.key, parts);
        EnterAnswer::Entered {
            held: self.held(),
            taken,
            others,
        }
    }

    pub(super) fn leave(&mut self, key: KeyHash, life: Life) -> LeaveAnswer {
        let mut gone = false;
        if let Some(parts) = self.members.get_mut(&key) {
            let before = parts.len();
            parts.retain(|part| part.life != life);
            gone = parts.len() < before;
            if parts.is_empty() {
                self.members.remove(&key);
            }
        }
        LeaveAnswer {
            gone,
            held: self.held(),
        }
    }

    pub(super) fn publish(
        &mut self,
        epoch: Epoch,
        parts: &[Publication],
        leases: &Leases,
        now: u64,
    ) -> PublishAnswer {
        let mut lost = Vec::new();
        for publication in parts {
            let there = self.members.get_mut(&publication.key);
            let life = Life {
                epoch,
                manager: publication.manager,
            };
            let own = there.and_then(|parts| parts.iter_mut().find(|part| part.life == life));
            match own {
                Some(own) => {
                    *own = published(publication, epoch, false, now + whole_ms(leases.full), now);
                }
                None => lost.push(publication.key),
            }
        }
        PublishAnswer {
            held: self.held(),
            lost,
        }
    }

    pub(super) fn reassert(
        &mut self,
        ask: &ReassertAsk,
        leases: &Leases,
        now: u64,
    ) -> ReassertAnswer {
        if now > ask.not_after_ms {
            return ReassertAnswer::Late;
        }
        let limit = self.limit(ask.limit, now);
        let expires = now + whole_ms(leases.provisional);
        for publication in &ask.parts {
            let parts = self.members.entry(publication.key).or_default();
            parts.retain(|part| is_living(part, now, &ask.dead));
            let asserted = published(publication, ask.epoch, true, expires, now);
            let manager = |part: &NodePart| -> ManagerId { part.life.manager };
            match parts.iter_mut().find(|part| part.life.epoch == ask.epoch) {
                Some(own) if manager(own) > publication.manager => {}
                Some(own) => *own = asserted,
                None => parts.push(asserted),
            }
        }
        if self.held() > limit {
            self.purge(now, &ask.dead);
        }
        ReassertAnswer::Asserted {
            held: self.held(),
            over: self.held().saturating_sub(limit),
        }
    }

    pub(super) fn read(&mut self, limit: u32, dead: &[Epoch], now: u64) -> Holdings {
        self.purge(now, dead);
        Holdings {
            limit: self.limit(limit, now),
            block: self.blocked(now),
            entries: self.entries(),
        }
    }

    pub(super) fn set_lever(&mut self, lever: UserLever, till: Till) {
        match lever {
            UserLever::Limit(limit) => self.limit = limit.map(|limit| (limit, till)),
            UserLever::Block(block) => self.block = block.then_some(till),
        }
    }

    pub(super) fn lend(&mut self, ask: &LendAsk, now: u64) -> LendAnswer {
        let own = self.own_limit(ask.limit, now);
        match self.loan {
            Some(loan) if loan.till_ms > now => return LendAnswer::Running(loan.till_ms),
            Some(loan) if loan.cool_ms > now => return LendAnswer::CoolingDown(loan.cool_ms),
            _ => {}
        }
        if self.held() > own {
            self.purge(now, &ask.dead);
            if self.held() > own {
                return LendAnswer::CoolingDown(now);
            }
        }
        let till_ms = now + whole_ms(ask.lasting);
        self.loan = Some(Loan {
            slots: ask.slots,
            till_ms,
            cool_ms: till_ms + whole_ms(ask.cool_down),
        });
        LendAnswer::Lent(till_ms)
    }
}

fn is_living(part: &NodePart, now: u64, dead: &[Epoch]) -> bool {
    part.expires_ms > now && !dead.contains(&part.life.epoch)
}

fn published(
    publication: &Publication,
    epoch: Epoch,
    provisional: bool,
    expires_ms: u64,
    now: u64,
) -> NodePart {
    NodePart {
        life: Life {
            epoch,
            manager: publication.manager,
        },
        provisional,
        expires_ms,
        published_ms: now,
        state: publication.state,
        columns: publication.columns.clone(),
    }
}
