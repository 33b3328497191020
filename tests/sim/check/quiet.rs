//! Promise 3: quiet is not dead. What answers goes at force only, after everything that does not,
//! and no more of it than is needed at that instant.
//!
//! That a peer could have answered is the workload's knowledge, not the host's verdict.

use std::time::Duration;

use wastegate_core::decision::Class;
use wastegate_core::types::{Protection, Tier, Timestamp};

use super::Checker;
use crate::rules::Facts;
use crate::scenario::Scenario;
use crate::seen::{Decided, Evicted, Seen};

/// Timers are exact to a millisecond, and a ping is several of them.
const SLACK: Duration = Duration::from_millis(20);

/// What a line to a client holds: with as much still waiting, its client cannot keep up.
const LINE_BYTES: f64 = 8_192.0;

pub(super) struct Quiet {
    pub(super) probe_deadline: Duration,
    pub(super) stuck_after: Duration,
    pub(super) keep_one: bool,
}

impl Quiet {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self {
            probe_deadline: scenario.health.probe_deadline,
            stuck_after: scenario.manager.stuck_after,
            keep_one: scenario.rules.keep_one,
        }
    }

    fn evicted(&self, one: &Evicted, wrong: &mut Vec<String>) {
        let name = format!("{}/{}", one.facts.user, one.facts.key);
        let tier = one.tier;
        if tier != Tier::Force && one.class == Class::Responsive {
            wrong.push(format!("{name} answers and was evicted at {tier}"));
        }
        let silent = match one.class {
            Class::Dead | Class::HalfOpen | Class::Suspect => true,
            // Who reads, but more slowly than it is sent, has a backlog to show for it.
            Class::Stalled => one.facts.queued_bytes < LINE_BYTES,
            _ => false,
        };
        let able = one
            .truth
            .able_for
            .filter(|able| *able >= self.probe_deadline + SLACK);
        if let (true, true, Some(able)) = (tier != Tier::Force, silent, able) {
            let class = one.class.name();
            wrong.push(format!(
                "{name} could have answered for {able:?} and was evicted at {tier} as {class}"
            ));
        }
        let busy = one
            .truth
            .busy_for
            .is_some_and(|busy| busy + SLACK >= self.stuck_after);
        if one.class == Class::Stuck && !busy {
            let busy = one.truth.busy_for;
            wrong.push(format!(
                "{name} was evicted as stuck, but is busy for {busy:?}"
            ));
        }
        if tier == Tier::Force && one.class == Class::Responsive && one.free > one.knocking {
            let Evicted { free, knocking, .. } = one;
            wrong.push(format!(
                "{name} was forced out for nothing: {free} slots are free and {knocking} are wanted"
            ));
        }
    }

    fn decided(&self, one: &Decided, wrong: &mut Vec<String>) {
        if one.tier != Tier::Force {
            return;
        }
        if one.victims.len() > one.needed as usize {
            let Decided {
                victims, needed, ..
            } = one;
            wrong.push(format!("force planned {} for {needed}", victims.len()));
        }
        let row = |at: &u32| one.rows.get(*at as usize);
        let victims = || one.victims.iter().filter_map(row);
        let spared = one
            .rows
            .iter()
            .zip(0_u32..)
            .filter(|(_, at)| !one.victims.contains(at))
            .map(|(row, _)| row);
        // Bands that no ranking may cross: what is silent first, then what answers; in each what
        // is protected last.
        let harm = |facts: &Facts| {
            (
                facts.is_responsive(),
                facts.protection != Protection::Evictable,
            )
        };
        let worst = victims().map(harm).max();
        let kept = |this: &Facts| {
            let same = |other: &&Facts| other.user == this.user && other.is_responsive();
            let others = spared.clone().chain(&one.outside);
            self.keep_one && this.is_responsive() && others.filter(same).count() <= 1
        };
        for other in spared.clone().filter(|other| !kept(other)) {
            if worst.is_some_and(|worst| harm(other) < worst) {
                let name = format!("{}/{} ({:?})", other.user, other.key, other.kind());
                wrong.push(format!("force took what would be missed more than {name}"));
            }
        }
        if self.keep_one {
            for victim in victims().filter(|one| one.is_responsive()) {
                let user = &victim.user;
                let left = |other: &&Facts| other.user == *user && other.is_responsive();
                // Those that force may not touch at all are not among the rows, and left too.
                if !spared.clone().any(|other| left(&other))
                    && one.outside.iter().all(|o| !left(&o))
                {
                    wrong.push(format!("force left {user} no manager that answers"));
                }
            }
        }
    }
}

impl Checker for Quiet {
    fn promise(&self) -> u8 {
        3
    }

    fn see(&mut self, _: Timestamp, seen: &Seen, wrong: &mut Vec<String>) {
        match seen {
            Seen::Evicted(one) => self.evicted(one, wrong),
            Seen::Decided(one) => self.decided(one, wrong),
            _ => {}
        }
    }
}
