//! What happened to users: heard on the path of what is told.

use std::time::Duration;

use super::super::tally::{Exposure, ExposureTally};
use super::Experiments;
use crate::quality::HORIZONS;
use wastegate_core::decision::VictimOutcome;
use wastegate_core::types::{Timestamp, UserId};

impl Experiments {
    fn note(&self, user: &UserId, change: &dyn Fn(&mut ExposureTally)) {
        let unix_ms = self.unix_ms();
        self.remember(user, unix_ms, change);
        if !self.roster.live().is_empty() {
            self.note_at(user, unix_ms, &|_, tally| change(tally));
        }
    }

    /// Whether an experiment runs or not: it is the user's past in the next one.
    fn remember(&self, user: &UserId, unix_ms: u64, change: &dyn Fn(&mut ExposureTally)) {
        let user = self.given.pseudonyms.user(user);
        self.pasts.lock().note(user, unix_ms, change);
    }

    /// Something that came of what was done at a moment.
    fn note_at(&self, user: &UserId, unix_ms: u64, change: &dyn Fn(&Exposure, &mut ExposureTally)) {
        for running in self.roster.live().iter() {
            let Some(unit) = self.unit(running, user, unix_ms) else {
                continue;
            };
            if unit.window.is_none_or(|it| unix_ms >= it.counts_from_ms) {
                running.note(unit.id, change);
            }
        }
    }

    /// A decision of an arm was made, by the arm or in its place.
    pub fn decided(&self, user: &UserId, by_built_in: bool) {
        self.note(user, &|tally| {
            tally.decisions += 1;
            tally.fallbacks += u64::from(by_built_in);
        });
    }

    /// A manager of a user went.
    pub fn evicted(&self, user: &UserId) {
        self.note(user, &|tally| tally.evictions += 1);
    }

    /// What became of a victim is known.
    pub fn ended(&self, user: &UserId, outcome: VictimOutcome) {
        self.note(user, &|tally| match outcome {
            VictimOutcome::Echoed { .. } => tally.echoed += 1,
            VictimOutcome::Gone | VictimOutcome::Aborted => tally.silent += 1,
            VictimOutcome::Spared
            | VictimOutcome::Elsewhere
            | VictimOutcome::Released
            | VictimOutcome::Undecided => {}
        });
    }

    /// A user wanted a victim back. Only who was evicted since the first trigger counts.
    pub fn returned(&self, user: &UserId, evicted: Timestamp, away_ms: u64) {
        let evicted_ms = self.given.clock.unix_ms(evicted);
        let count = |tally: &mut ExposureTally| {
            for (count, (horizon_ms, _)) in tally.returned.iter_mut().zip(HORIZONS) {
                *count += u64::from(away_ms <= horizon_ms);
            }
        };
        self.remember(user, self.unix_ms(), &count);
        self.note_at(user, evicted_ms, &|exposure, tally| {
            if evicted_ms < exposure.unix_ms {
                return;
            }
            count(tally);
        });
    }

    /// An admission ended.
    pub fn admission(&self, user: &UserId, took: Duration, triggered: bool, refused: bool) {
        self.note(user, &|tally| {
            tally.attempts += 1;
            tally.blocked += u64::from(refused);
            if triggered {
                tally.wait(took);
            }
        });
    }

    /// A tier ran that had managers it may evict.
    pub fn tier_ran(&self, user: &UserId, freed_nothing: bool) {
        self.note(user, &|tally| {
            tally.runs += 1;
            tally.freed_nothing += u64::from(freed_nothing);
        });
    }
}
