//! Starting, covering more, stopping.

use std::sync::Arc;

use parking_lot::Mutex;

use super::super::definition::{ACTIVE, Definition};
use super::super::entry::{ArmKey, ExperimentState, LedgerEntry, PhaseKey};
use super::super::error::{ExperimentError, RUNNING_MAX};
use super::super::explore::Exploring;
use super::super::running::{Now, Running, Seat, append, sync};
use super::roster::Change;
use super::{ArmCandidate, Experiments, Noted};

impl Experiments {
    /// Starts an experiment. Blocks: its policies are made ready first.
    ///
    /// # Errors
    /// [`ExperimentError`] with what to mend; then nothing was started.
    pub fn start(&self, definition: Definition, by: &str) -> Result<(), ExperimentError> {
        let mut definition = definition.named();
        definition.check()?;
        let first = definition.ramp.as_ref().and_then(|ramp| ramp.steps.first());
        definition.coverage = first.copied().unwrap_or(definition.coverage);
        let layer = definition.layer()?;
        let change = self.roster.change();
        self.may_start(&definition)?;
        let candidates = self.prepare(&definition, &[])?;
        let unix_ms = self.unix_ms();
        let key = self.key(&definition, &candidates, 1);
        let mut now = Now::new(definition.clone(), key.clone());
        now.seats = seats(&definition.name, &key, candidates);
        let entries = [
            LedgerEntry::Started {
                unix_ms,
                by: by.to_owned(),
                definition: definition.clone(),
            },
            LedgerEntry::Phase {
                experiment: definition.name.clone(),
                phase: key,
            },
        ];
        append(&self.ledger, &entries)
            .and_then(|()| sync(&self.ledger))
            .map_err(|error| ExperimentError::Ledger(error.to_string()))?;
        let arms: Vec<&str> = definition
            .arms
            .iter()
            .map(|arm| arm.name.as_str())
            .collect();
        let on = definition.switchback.map_or_else(
            || format!("on {} % of users", definition.coverage * 100.0),
            |turns| format!("in turns of {} s", turns.window_s),
        );
        let reason = format!("{} {on}, by {}", arms.join(" against "), definition.primary);
        self.given
            .host
            .note(by, Noted::Started, &definition.name, &reason);
        change.add(Running {
            name: definition.name,
            by: by.to_owned(),
            unix_ms,
            layer,
            switchback: definition.switchback,
            is_holdout: definition.holdout,
            now: Mutex::new(now),
        });
        Ok(())
    }

    fn may_start(&self, definition: &Definition) -> Result<(), ExperimentError> {
        if self.roster.named(&definition.name).is_some() {
            return Err(ExperimentError::Exists(definition.name.clone()));
        }
        let live = self.roster.live();
        if live.len() >= RUNNING_MAX {
            return Err(ExperimentError::TooMany);
        }
        let layer = definition.layer()?;
        if definition.holdout
            && let Some(other) = live.first()
        {
            // Users of it would be held from now on, and go on being counted there as if they were not.
            let other = other.name.clone();
            return Err(ExperimentError::HoldoutFirst { other });
        }
        // A holdout shares its users with all other experiments: those are what it looks at.
        let others = live.iter().filter(|it| !it.is_holdout);
        for other in others {
            // Different layers are independent of each other, but a user can only have one arm.
            let apart = match (&layer, &other.layer) {
                (Some(ours), Some(theirs)) => {
                    ours.name() == theirs.name() && !ours.overlaps(theirs)
                }
                (_, _) => false,
            };
            if !apart {
                let theirs = other.layer.as_ref().map(|layer| layer.name().to_owned());
                return Err(ExperimentError::Overlaps {
                    other: other.name.clone(),
                    layer: theirs.filter(|_| layer.is_some()),
                });
            }
        }
        Ok(())
    }

    fn prepare(
        &self,
        definition: &Definition,
        before: &[ArmKey],
    ) -> Result<Vec<ArmCandidate>, ExperimentError> {
        let prepared = definition.arms.iter().map(|arm| {
            let before = before.iter().find(|key| key.name == arm.name);
            self.given
                .host
                .prepare(arm, before)
                .map_err(|why| ExperimentError::Arm {
                    arm: arm.name.clone(),
                    why,
                })
        });
        prepared.collect()
    }

    fn key(&self, definition: &Definition, candidates: &[ArmCandidate], number: u32) -> PhaseKey {
        let arms = definition.arms.iter().zip(candidates);
        let arms = arms.map(|(arm, it)| {
            // What the others get changes all the time, which is what a holdout looks at.
            if definition.holdout && arm.policy == ACTIVE {
                return ArmKey::of_everything(&arm.name);
            }
            ArmKey {
                name: arm.name.clone(),
                policy: it.about.name.to_string(),
                version: it.about.version.to_string(),
                digest: it.about.digest.to_string(),
                revision: it.revision,
                params: it.params.to_vec(),
                explore: arm.explore,
            }
        });
        PhaseKey {
            number,
            unix_ms: self.unix_ms(),
            contract: self.given.host.contract(),
            cap: self.given.cap,
            hashed_by: Some(self.given.pseudonyms.fingerprint()),
            weights: definition.weights(),
            arms: arms.collect(),
        }
    }

    /// Seats an experiment's arms anew. If what is compared is another now, a new phase begins: users
    /// of two phases are never put together.
    pub(super) fn seat(
        &self,
        change: &Change<'_>,
        running: &Running,
        by: &str,
    ) -> Result<(), ExperimentError> {
        let (definition, before) = {
            let now = running.now.lock();
            (now.definition.clone(), now.phase.arms.clone())
        };
        self.seat_from(change, running, &definition, &before, by)
            .map(|_| ())
    }

    /// Seats an experiment's arms from what their policies are by now, in a new phase if that is something
    /// else: whether it is. Blocks.
    ///
    /// # Errors
    /// [`ExperimentError`] if there is none of that name that runs, or an arm cannot be had; then nothing changes.
    pub fn renew(&self, name: &str, by: &str) -> Result<bool, ExperimentError> {
        let change = self.roster.change();
        let running = self.named(name)?;
        let definition = {
            let now = running.now.lock();
            if now.state != ExperimentState::Running {
                return Err(ExperimentError::Over(name.to_owned()));
            }
            now.definition.clone()
        };
        self.flush(&running);
        self.seat_from(&change, &running, &definition, &[], by)
    }

    /// Whether a new phase began.
    fn seat_from(
        &self,
        _alone: &Change<'_>,
        running: &Running,
        definition: &Definition,
        before: &[ArmKey],
        by: &str,
    ) -> Result<bool, ExperimentError> {
        let candidates = self.prepare(definition, before)?;
        let mut now = running.now.lock();
        let key = self.key(definition, &candidates, now.phase.number.saturating_add(1));
        let begins = now.state == ExperimentState::Running && !key.is_same(&now.phase);
        if begins {
            let entry = LedgerEntry::Phase {
                experiment: running.name.clone(),
                phase: key.clone(),
            };
            append(&self.ledger, &[entry])
                .map_err(|error| ExperimentError::Ledger(error.to_string()))?;
            now.begin(key);
        }
        let phase = now.phase.clone();
        now.seats = seats(&running.name, &phase, candidates);
        drop(now);
        if begins {
            let reason = format!(
                "phase {}: a policy, its parameters, the contract, the limit or the key of pseudonyms changed, so users are counted anew",
                phase.number
            );
            self.given
                .host
                .note(by, Noted::Started, &running.name, &reason);
        }
        Ok(begins)
    }

    /// Lets more users take part. No user changes its arm. The coverage that it has changes nothing and
    /// is no error. Blocks.
    ///
    /// # Errors
    /// [`ExperimentError`] where the coverage would go down, or there is no such experiment that runs.
    pub fn cover(&self, name: &str, coverage: f64, by: &str) -> Result<(), ExperimentError> {
        let change = self.roster.change();
        let running = self.named(name)?;
        self.cover_to(&change, &running, coverage, by)
    }

    /// The same of one that is known.
    pub(super) fn cover_to(
        &self,
        _alone: &Change<'_>,
        running: &Running,
        coverage: f64,
        by: &str,
    ) -> Result<(), ExperimentError> {
        let (name, unix_ms) = (&*running.name, self.unix_ms());
        let mut now = running.now.lock();
        if now.state != ExperimentState::Running {
            return Err(ExperimentError::Over(name.to_owned()));
        }
        let is = now.definition.coverage;
        if coverage == is {
            return Ok(());
        }
        if !(coverage > is && coverage <= 1.0) {
            return Err(ExperimentError::Coverage {
                now: is,
                asked: coverage,
            });
        }
        let entry = LedgerEntry::Coverage {
            experiment: name.to_owned(),
            coverage,
            unix_ms,
        };
        append(&self.ledger, &[entry])
            .map_err(|error| ExperimentError::Ledger(error.to_string()))?;
        now.cover_from(coverage, unix_ms);
        drop(now);
        let reason = format!("from {} % to {} % of users", is * 100.0, coverage * 100.0);
        self.given.host.note(by, Noted::Covered, name, &reason);
        Ok(())
    }

    /// Stops an experiment: the active policy ranks for all of its users again, and the report stays. Blocks.
    ///
    /// # Errors
    /// [`ExperimentError`] if there is none of that name, or it was stopped before.
    pub fn stop(&self, name: &str, by: &str, reason: &str) -> Result<(), ExperimentError> {
        let change = self.roster.change();
        let running = self.named(name)?;
        if running.now.lock().state == ExperimentState::Stopped {
            return Err(ExperimentError::Over(name.to_owned()));
        }
        self.flush(&running);
        self.end(&running, ExperimentState::Stopped, by, reason);
        change.publish();
        Ok(())
    }

    /// Stops everything that is live; the names. Blocks.
    pub fn stop_all(&self, by: &str, reason: &str) -> Vec<String> {
        let names = self.live_names();
        // One that ended meanwhile needs no other end.
        let stopped = names
            .into_iter()
            .filter(|name| self.stop(name, by, reason).is_ok());
        stopped.collect()
    }

    /// Experiments that rank for their users.
    #[must_use]
    pub fn live_names(&self) -> Vec<String> {
        let live = self.roster.live();
        live.iter().map(|running| running.name.clone()).collect()
    }

    /// Writes down that an experiment came to an end of some kind, and acts on it whether or not the
    /// disk takes it: a full disk must not keep a bad arm.
    pub(super) fn end(&self, running: &Running, state: ExperimentState, by: &str, reason: &str) {
        let unix_ms = self.unix_ms();
        let mut now = running.now.lock();
        now.state = state;
        reason.clone_into(&mut now.reason);
        // What was rolled back was judged then, whenever it is stopped.
        now.ended_ms.get_or_insert(unix_ms);
        now.generation = now.generation.saturating_add(1);
        if state == ExperimentState::Stopped {
            now.seats.clear();
        }
        let entry = now.ended(running);
        drop(now);
        if let Err(error) = self.write_end(&entry) {
            running.now.lock().is_end_unwritten = true;
            tracing::error!(experiment = running.name, %error, "cannot write down that an experiment ended: it is tried again, and a restart before that would not know it");
        }
        let noted = if state == ExperimentState::RolledBack {
            Noted::RolledBack
        } else {
            Noted::Stopped
        };
        self.given.host.note(by, noted, &running.name, reason);
    }

    pub(super) fn write_end(&self, entry: &LedgerEntry) -> std::io::Result<()> {
        append(&self.ledger, std::slice::from_ref(entry)).and_then(|()| sync(&self.ledger))
    }
}

fn seats(experiment: &str, phase: &PhaseKey, candidates: Vec<ArmCandidate>) -> Vec<Seat> {
    let arms = phase.arms.iter().zip(candidates);
    arms.map(|(key, candidate)| Seat {
        label: format!("{experiment}/{}/{}", phase.number, key.name).into(),
        ranker: match key.explore {
            Some(explore) => Arc::new(Exploring::new(explore, candidate.ranker)),
            None => candidate.ranker,
        },
        fingerprint: candidate.fingerprint,
        key: key.clone(),
    })
    .collect()
}
