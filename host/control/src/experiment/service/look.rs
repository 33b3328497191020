//! The look that is taken every now and then: tallies to disk, phases kept true, harm rolled back.

use std::sync::Arc;
use std::time::Duration;

use super::super::curve::{CurvePoint, is_due};
use super::super::definition::{ACTIVE, ArmSpec};
use super::super::entry::{ExperimentState, LedgerEntry};
use super::super::metric::Metric;
use super::super::running::{Now, Running, append, sync};
use super::super::tally::Member;
use super::super::verdict::{Evidenced, ExperimentVerdict, PhaseAssessment};
use super::roster::Change;
use super::{Experiments, GUARD};

/// Between two looks. What a crash loses at most of what happened to users; exposures are never lost.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Experiments {
    /// Takes a look at everything that is live. Blocks.
    pub fn look(&self) {
        let live = self.roster.live();
        for running in live.iter() {
            let change = self.roster.change();
            self.flush(running);
            if running.now.lock().state != ExperimentState::Running {
                continue;
            }
            self.keep_true(&change, running);
            // Where an arm cannot be had any more, that was its end.
            if running.now.lock().state != ExperimentState::Running {
                continue;
            }
            if let Some(why) = self.broken(running) {
                self.end(running, ExperimentState::RolledBack, GUARD, &why);
                continue;
            }
            let assessment = self.assess(running);
            self.keep_look(running, &assessment);
            // What a holdout finds harmful is many changes, and nobody here can take them all back.
            if assessment.verdict == ExperimentVerdict::Rollback && !running.is_holdout {
                let why = assessment.because.join("; ");
                self.end(running, ExperimentState::RolledBack, GUARD, &why);
                continue;
            }
            self.climb(&change, running, &assessment);
        }
        self.write_ends();
        if !live.is_empty() {
            self.settle();
        }
    }

    /// Ends that the disk did not take are written as soon as it does.
    fn write_ends(&self) {
        let _change = self.roster.change();
        for running in self.roster.all() {
            let unwritten = {
                let now = running.now.lock();
                now.is_end_unwritten.then(|| now.ended(&running))
            };
            // An exposure must not wait for the disk.
            if unwritten.is_some_and(|entry| self.write_end(&entry).is_ok()) {
                running.now.lock().is_end_unwritten = false;
            }
        }
    }

    /// Writes down what happened to users since the last time.
    pub(super) fn flush(&self, running: &Running) {
        let tallies = running.now.lock().unwritten(&running.name);
        if let Err(error) = append(&self.ledger, &tallies) {
            // The next look tries again.
            running.now.lock().not_written(&tallies);
            tracing::error!(experiment = running.name, %error, "cannot write what happened to users of an experiment; a restart would not know it");
        }
    }

    /// Notices that another policy is active, where the active one is an arm. Every other arm keeps to the
    /// revision that it began with.
    fn keep_true(&self, change: &Change<'_>, running: &Running) {
        if self
            .outdated(running, |spec| spec.policy == ACTIVE)
            .is_empty()
        {
            return;
        }
        if let Err(error) = self.seat(change, running, GUARD) {
            let reason = format!("an arm's policy was changed, and {error}");
            self.end(running, ExperimentState::Stopped, GUARD, &reason);
            change.publish();
        }
    }

    /// The arms of some kind whose policy is another by now than the one that ranks.
    pub(super) fn outdated(&self, running: &Running, of: fn(&ArmSpec) -> bool) -> Vec<String> {
        let now = running.now.lock();
        let arms = now.definition.arms.iter().zip(&now.seats);
        let arms: Vec<_> = arms
            .filter(|(spec, _)| of(spec) && !(running.is_holdout && spec.policy == ACTIVE))
            .map(|(spec, seat)| (spec.clone(), seat.fingerprint.clone()))
            .collect();
        drop(now);
        let is_other =
            |(spec, made): &(ArmSpec, String)| self.given.host.fingerprint(spec) != *made;
        let others = arms.into_iter().filter(is_other);
        others.map(|(spec, _)| spec.name).collect()
    }

    /// Why an arm is in quarantine, if one other than the control is. This node is all there is that
    /// asks it, so that is more than the quarter of all nodes that ends a phase.
    fn broken(&self, running: &Running) -> Option<String> {
        let now = running.now.lock();
        let control = now.seats.first()?.key.digest.clone();
        let others = now
            .seats
            .iter()
            .skip(1)
            .filter(|seat| seat.key.digest != control);
        let keys: Vec<_> = others.map(|seat| seat.key.clone()).collect();
        drop(now);
        keys.into_iter().find_map(|key| {
            let why = self.given.host.quarantined(&key.digest)?;
            Some(format!(
                "breaker: the arm `{}` ({}) is quarantined: {why}",
                key.name, key.policy
            ))
        })
    }

    /// What the numbers say now.
    pub(super) fn assess(&self, running: &Running) -> PhaseAssessment {
        assess(&mut running.now.lock(), self.unix_ms())
    }

    /// Takes the next step of a ramp, if nothing is in its way.
    fn climb(&self, change: &Change<'_>, running: &Running, assessment: &PhaseAssessment) {
        let ramp = running.now.lock().ramp(self.unix_ms(), assessment);
        let next = ramp.filter(|ramp| ramp.waits.is_empty());
        let Some(next) = next.and_then(|ramp| ramp.next) else {
            return;
        };
        if let Err(error) = self.cover_to(change, running, next, GUARD) {
            tracing::error!(experiment = running.name, %error, "cannot take the next step of a ramp; the next look tries again");
        }
    }

    /// Keeps a look for the report, if it is time or the last one.
    fn keep_look(&self, running: &Running, assessment: &PhaseAssessment) {
        let unix_ms = self.unix_ms();
        let mut now = running.now.lock();
        let is_harmful = assessment.verdict == ExperimentVerdict::Rollback;
        let is_last = is_harmful && !running.is_holdout;
        if !is_last && !is_due(&now.curve, now.phase.unix_ms, unix_ms) {
            return;
        }
        if is_harmful && running.is_holdout {
            let because = assessment.because.join("; ");
            tracing::warn!(
                experiment = running.name,
                because,
                "the changes since the holdout began do harm together: roll back the active policy or stop the experiment that did it"
            );
        }
        let point = CurvePoint::of(assessment, unix_ms);
        let entry = LedgerEntry::Looked {
            experiment: running.name.clone(),
            phase: now.phase.number,
            point: point.clone(),
        };
        now.curve.push(point);
        if let Err(error) = append(&self.ledger, &[entry]) {
            tracing::error!(experiment = running.name, %error, "cannot write a look of an experiment; its report would lack it after a restart");
        }
    }

    /// Waits for the disk, and writes the ledger anew when it has grown large.
    fn settle(&self) {
        // A started experiment has its lines in the ledger before it is in the list.
        let _change = self.roster.change();
        let done = if self.ledger.lock().is_full() {
            self.write_anew()
        } else {
            sync(&self.ledger)
        };
        if let Err(error) = done {
            tracing::error!(%error, "cannot bring the experiments' ledger to disk");
        }
    }

    /// Writes the ledger anew with what still counts.
    fn write_anew(&self) -> std::io::Result<()> {
        let all = self.roster.all();
        let mut ledger = self.ledger.lock();
        // An exposure holds an experiment and waits for the ledger: never wait the other way.
        let whole = |it: &Arc<Running>| {
            let now = it.now.try_lock()?;
            Some(now.whole(it, &self.given.node))
        };
        match all.iter().map(whole).collect::<Option<Vec<_>>>() {
            Some(entries) => ledger.rewrite(&entries.concat()),
            None => Ok(()),
        }
    }
}

pub(super) fn assess(now: &mut Now, unix_ms: u64) -> PhaseAssessment {
    let unix_ms = now.ended_ms.unwrap_or(unix_ms);
    let ahead_s = now.definition.metrics().map(Metric::looks_ahead_s).max();
    let ahead_ms = ahead_s.unwrap_or(0).saturating_mul(1_000);
    let mut members: Vec<Vec<&Member>> = vec![Vec::new(); now.definition.arms.len()];
    let whole = |member: &&Member| member.is_whole(unix_ms, ahead_ms);
    for member in now.members.values().filter(whole) {
        if let Some(arm) = members.get_mut(member.exposure.arm) {
            arm.push(member);
        }
    }
    let counts: Vec<u64> = members.iter().map(|arm| arm.len() as u64).collect();
    let split_p = now
        .evidence
        .as_mut()
        .map_or(1.0, |evidence| evidence.look(&counts));
    let evidenced = Evidenced {
        definition: &now.definition,
        phase: &now.phase,
        members: &members,
        unix_ms,
        split_p,
        multiple: now.multiple.len() as u64,
        not_taken: now.not_taken,
    };
    evidenced.assess()
}
