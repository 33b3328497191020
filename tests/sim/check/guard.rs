//! Promise 4: the guest proposes, the host disposes. A question holds exactly the rows that the
//! tier may touch, a plan only rows of its question, each once, and what is struck is counted.

use std::collections::BTreeSet;

use wastegate_core::types::{Protection, Scope, Tier, Timestamp};

use super::Checker;
use crate::rules::{Facts, Rules};
use crate::scenario::Scenario;
use crate::seen::{Asked, Decided, Evicted, Seen};

pub(super) struct Guard {
    pub(super) rules: Rules,
}

impl Guard {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self {
            rules: scenario.rules.clone(),
        }
    }

    /// What was lent has to come back: the surplus of a temporary slot leaves by the rules of force
    /// even where force is off.
    fn may_touch(&self, tier: Tier, scope: Scope, occupancy: f64, facts: &Facts) -> bool {
        let lent = tier == Tier::Force && scope == Scope::User && occupancy > 1.0;
        if lent && !self.rules.enabled.contains(&tier) {
            let mut rules = self.rules.clone();
            rules.enabled.insert(tier);
            return rules.may_touch(tier, occupancy, facts);
        }
        self.rules.may_touch(tier, occupancy, facts)
    }

    fn asked(&self, one: &Asked, wrong: &mut Vec<String>) {
        let tier = one.tier;
        let name = |facts: &Facts| (facts.user.clone(), facts.key.clone(), facts.life);
        let may: BTreeSet<_> = one
            .around
            .iter()
            .filter(|facts| self.may_touch(tier, one.scope, one.occupancy, facts))
            .map(name)
            .collect();
        let rows: BTreeSet<_> = one.rows.iter().map(name).collect();
        for (user, key, _) in rows.difference(&may) {
            wrong.push(format!(
                "{user}/{key} may not be touched at {tier} and is asked about"
            ));
        }
        for (user, key, _) in may.difference(&rows) {
            wrong.push(format!(
                "{user}/{key} may be touched at {tier} and is not asked about"
            ));
        }
        let reserve = match tier {
            Tier::Proactive => u32::MAX,
            Tier::Force => 0,
            _ => self.rules.reserve,
        };
        if one.most > one.needed.saturating_add(reserve) || one.most as usize > one.rows.len() {
            let Asked { needed, most, .. } = one;
            wrong.push(format!(
                "{tier} would take {most} where {needed} are needed"
            ));
        }
    }

    fn evicted(&self, one: &Evicted, wrong: &mut Vec<String>) {
        let (facts, tier) = (&one.facts, one.tier);
        let name = format!("{}/{}", facts.user, facts.key);
        if !self.may_touch(tier, one.scope, one.occupancy, facts) {
            let (kind, held) = (facts.kind(), facts.protection);
            wrong.push(format!("{name} ({kind:?}, {held:?}) was evicted at {tier}"));
        }
        if facts.kind() != Some(one.class) {
            wrong.push(format!(
                "{name} is {:?} and was taken as {:?}",
                facts.kind(),
                one.class
            ));
        }
        if one.truth.pinned || facts.protection == Protection::Pinned {
            wrong.push(format!("{name} is pinned and was evicted at {tier}"));
        }
        if one.newborn {
            wrong.push(format!(
                "{name} was evicted while somebody was on the way to it"
            ));
        }
    }

    fn decided(&self, one: &Decided, wrong: &mut Vec<String>) {
        let rows = u32::try_from(one.rows.len()).unwrap_or(u32::MAX);
        let distinct: BTreeSet<u32> = one.victims.iter().copied().collect();
        if distinct.len() < one.victims.len() || distinct.iter().any(|row| *row >= rows) {
            wrong.push(format!("a plan of {:?} for {rows} rows", one.victims));
        }
        if one.victims.len() > one.most as usize {
            wrong.push(format!(
                "a plan of {:?} where {} may go",
                one.victims, one.most
            ));
        }
        let foreign = one.choices.iter().filter(|row| **row >= rows).count();
        if foreign != one.no_such_row {
            wrong.push(format!(
                "{foreign} choices of no row, {} struck",
                one.no_such_row
            ));
        }
        let inside = one.choices.iter().filter(|row| **row < rows);
        let twice = inside.clone().count() - inside.collect::<BTreeSet<_>>().len();
        // A row whose score was no number counts as not yet chosen.
        if !(one.repeated..=one.repeated + one.not_numbers).contains(&twice) {
            wrong.push(format!(
                "{twice} choices of a row twice, {} struck",
                one.repeated
            ));
        }
    }
}

impl Checker for Guard {
    fn promise(&self) -> u8 {
        4
    }

    fn see(&mut self, _: Timestamp, seen: &Seen, wrong: &mut Vec<String>) {
        match seen {
            Seen::Asked(one) => self.asked(one, wrong),
            Seen::Evicted(one) => self.evicted(one, wrong),
            Seen::Decided(one) => self.decided(one, wrong),
            _ => {}
        }
    }
}
