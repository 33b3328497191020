//! The look that is taken every now and then: tallies to disk, phases kept true, harm rolled back.

use std::sync::Arc;
use std::time::Duration;

use super::super::entry::State;
use super::super::metric::Metric;
use super::super::running::{Now, Running, append, sync};
use super::super::tally::Member;
use super::super::verdict::{Assessment, Evidenced, Verdict};
use super::Experiments;

/// Between two looks. What a crash loses at most of what happened to users; exposures are never lost.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Experiments {
    /// Takes a look at everything that is live. Blocks.
    pub fn look(&self) {
        let live = self.live.load_full();
        for running in live.iter() {
            let _one_at_a_time = self.changing.lock();
            self.flush(running);
            if running.now.lock().state != State::Running {
                continue;
            }
            self.keep_true(running);
            // Where an arm cannot be had any more, that was its end.
            if running.now.lock().state != State::Running {
                continue;
            }
            if let Some(why) = self.broken(running) {
                self.end(running, State::RolledBack, "guard", &why);
                continue;
            }
            let assessment = self.assess(running);
            if assessment.verdict == Verdict::Rollback {
                let why = assessment.because.join("; ");
                self.end(running, State::RolledBack, "guard", &why);
            }
        }
        if !live.is_empty() {
            self.settle();
        }
    }

    /// Writes down what happened to users since the last time.
    pub(super) fn flush(&self, running: &Running) {
        let tallies = running.now.lock().unwritten(&running.name);
        if let Err(error) = append(&self.ledger, &tallies) {
            tracing::error!(experiment = running.name, %error, "cannot write what happened to users of an experiment; a restart would not know it");
        }
    }

    /// Notices that an arm would be made from something else now: somebody swapped its policy.
    fn keep_true(&self, running: &Running) {
        let (specs, made): (Vec<_>, Vec<_>) = {
            let now = running.now.lock();
            let arms = now.definition.arms.iter().zip(&now.seats);
            arms.map(|(spec, seat)| (spec.clone(), seat.fingerprint.clone()))
                .unzip()
        };
        let backstage = &self.given.backstage;
        let is_other = |(spec, made): (_, &String)| backstage.fingerprint(spec) != *made;
        if !specs.iter().zip(&made).any(is_other) {
            return;
        }
        if let Err(error) = self.seat(running) {
            let reason = format!("an arm's policy was changed, and {error}");
            self.end(running, State::Stopped, "guard", &reason);
            self.publish();
        }
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
            let why = self.given.backstage.quarantined(&key.digest)?;
            Some(format!(
                "breaker: the arm `{}` ({}) is quarantined: {why}",
                key.name, key.policy
            ))
        })
    }

    /// What the numbers say now.
    pub(super) fn assess(&self, running: &Running) -> Assessment {
        assess(&mut running.now.lock(), self.unix_ms())
    }

    /// Waits for the disk, and writes the ledger anew when it has grown large.
    fn settle(&self) {
        // Whoever starts an experiment has its lines in the ledger before it is in the list.
        let _one_at_a_time = self.changing.lock();
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
        let all = self.all.lock().clone();
        let mut ledger = self.ledger.lock();
        // Whoever exposes holds an experiment and waits for the ledger: never wait the other way.
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

pub(super) fn assess(now: &mut Now, unix_ms: u64) -> Assessment {
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
        members: &members,
        unix_ms,
        split_p,
        multiple: now.multiple.len() as u64,
        not_taken: now.not_taken,
    };
    evidenced.assess()
}
