//! A recorder that remembers everything.

use parking_lot::Mutex;

use crate::cleanup::{Decided, Recorder, TierRun, UserPressure};
use crate::health::Round;
use wastegate_core::decision::{Class, PolicyRef, Question, Victim, VictimOutcome};
use wastegate_core::types::{ManagerId, Tier, UserId};

/// A tier that ran: for whom (none for the node), what it did, what its probes found.
type Ran = (Option<UserId>, TierRun, Option<Round>);

/// What happened, in order.
#[derive(Default)]
pub(crate) struct Notes {
    tiers: Mutex<Vec<Ran>>,
    evicted: Mutex<Vec<(Tier, ManagerId, String, Class)>>,
    decided: Mutex<Vec<Decided>>,
    pressure: Mutex<Vec<UserPressure>>,
}

impl Notes {
    /// Every tier that ran, with what it freed.
    pub(crate) fn tiers(&self) -> Vec<(Tier, u32)> {
        let tiers = self.tiers.lock();
        tiers
            .iter()
            .map(|(_, run, _)| (run.tier, run.freed))
            .collect()
    }

    /// The tiers that ran for the node.
    pub(crate) fn node_tiers(&self) -> Vec<Tier> {
        let tiers = self.tiers.lock();
        let of_node = tiers.iter().filter(|(user, ..)| user.is_none());
        of_node.map(|(_, run, _)| run.tier).collect()
    }

    /// The rounds of probes that were made.
    pub(crate) fn rounds(&self) -> Vec<Round> {
        self.tiers
            .lock()
            .iter()
            .filter_map(|(.., round)| *round)
            .collect()
    }

    /// The keys that were evicted, in order.
    pub(crate) fn evicted(&self) -> Vec<String> {
        self.evicted
            .lock()
            .iter()
            .map(|(_, _, key, _)| key.clone())
            .collect()
    }

    /// The tier and class of every eviction, in order.
    pub(crate) fn classes(&self) -> Vec<(Tier, Class)> {
        self.evicted
            .lock()
            .iter()
            .map(|(tier, _, _, class)| (*tier, *class))
            .collect()
    }

    /// The managers that were evicted, in order.
    pub(crate) fn evicted_ids(&self) -> Vec<ManagerId> {
        self.evicted.lock().iter().map(|(_, id, ..)| *id).collect()
    }

    /// The decisions that are complete.
    pub(crate) fn decided(&self) -> Vec<Decided> {
        self.decided.lock().clone()
    }

    /// What became of every victim of every complete decision.
    pub(crate) fn outcomes(&self) -> Vec<VictimOutcome> {
        self.decided
            .lock()
            .iter()
            .flat_map(|decided| decided.outcomes.clone())
            .collect()
    }

    /// The changes of pressure, each as level and managers held.
    pub(crate) fn pressure(&self) -> Vec<(&'static str, u32)> {
        let pressure = self.pressure.lock();
        pressure
            .iter()
            .map(|change| (change.change.to.name(), change.held))
            .collect()
    }

    /// Forgets what happened so far.
    pub(crate) fn clear(&self) {
        self.tiers.lock().clear();
        self.evicted.lock().clear();
        self.decided.lock().clear();
        self.pressure.lock().clear();
    }
}

impl Recorder for Notes {
    fn tier_ran(&self, user: Option<&UserId>, run: &TierRun, round: Option<Round>) {
        self.tiers.lock().push((user.cloned(), *run, round));
    }

    fn evicted(&self, question: &Question, victim: &Victim, _: &PolicyRef) {
        let key = victim.key.as_str().to_owned();
        self.evicted
            .lock()
            .push((question.tier, victim.manager, key, victim.class));
    }

    fn decided(&self, decided: Decided) {
        self.decided.lock().push(decided);
    }

    fn pressure_changed(&self, change: &UserPressure) {
        self.pressure.lock().push(change.clone());
    }
}
