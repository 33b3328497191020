//! Experiments taken up where the last process left them.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::super::definition::Definition;
use super::super::entry::{ExperimentState, LedgerEntry, PhaseKey};
use super::super::ledger::{ExperimentLedger, StoredEntries};
use super::super::running::{Now, Running};
use super::roster::Roster;
use super::{Experiments, ExperimentsContext, GUARD};

impl Experiments {
    /// Experiments that are forgotten with the process.
    #[must_use]
    pub fn in_memory(given: ExperimentsContext) -> Arc<Self> {
        Arc::new(Self::new(given, ExperimentLedger::default(), Vec::new()))
    }

    /// Those that a state directory remembers, carried on with: whoever is running runs on, nobody is
    /// counted twice, and what was rolled back stays so. Blocks. With it, what was wrong, as sentences.
    ///
    /// # Errors
    /// When the ledger cannot be read or opened for writing.
    pub fn open(
        given: ExperimentsContext,
        folder: &Path,
    ) -> std::io::Result<(Arc<Self>, Vec<String>)> {
        let (ledger, stored) = ExperimentLedger::open(folder)?;
        let StoredEntries {
            entries,
            problems,
            damaged,
        } = stored;
        let this = Arc::new(Self::new(given, ledger, replay(entries)));
        this.recall();
        this.resume(damaged);
        Ok((this, problems))
    }

    fn new(given: ExperimentsContext, ledger: ExperimentLedger, all: Vec<Arc<Running>>) -> Self {
        Self {
            given,
            ledger: Mutex::new(ledger),
            roster: Roster::new(all),
            pasts: Mutex::default(),
        }
    }

    /// What users did in experiments that are over is their past in the next one.
    fn recall(&self) {
        for running in self.roster.all() {
            let now = running.now.lock();
            if now.state == ExperimentState::Running || now.definition.switchback.is_some() {
                continue;
            }
            let mut pasts = self.pasts.lock();
            for (unit, member) in &now.members {
                pasts.remember(*unit, member.exposure.unix_ms, &member.tally);
            }
        }
    }

    /// Makes the arms of everything that is not over ready again. Where lines of the ledger are damaged, one may have
    /// been the end of whatever seems to run.
    fn resume(&self, damaged: usize) {
        let change = self.roster.change();
        for running in self.roster.all() {
            if running.now.lock().state == ExperimentState::Stopped {
                continue;
            }
            if damaged > 0 {
                let reason = format!(
                    "after a restart: {damaged} lines of the ledger are damaged, and one of them may have been its end; start another experiment"
                );
                self.end(&running, ExperimentState::Stopped, GUARD, &reason);
                continue;
            }
            if let Err(error) = self.seat(&change, &running, GUARD) {
                let reason = format!("after a restart: {error}");
                self.end(&running, ExperimentState::Stopped, "config", &reason);
            }
        }
        change.publish();
    }
}

/// What a ledger's lines come to.
fn replay(entries: Vec<LedgerEntry>) -> Vec<Arc<Running>> {
    let mut all: Vec<Running> = Vec::new();
    for entry in entries {
        match entry {
            LedgerEntry::Started {
                unix_ms,
                by,
                definition,
            } => all.extend(started(unix_ms, by, definition)),
            LedgerEntry::Phase { experiment, phase } => {
                with(&mut all, &experiment, |now| now.begin(phase))
            }
            LedgerEntry::Coverage {
                experiment,
                coverage,
                unix_ms,
            } => with(&mut all, &experiment, |now| {
                now.cover_from(coverage, unix_ms)
            }),
            LedgerEntry::Exposed {
                experiment,
                phase,
                exposure,
                ..
            } => with(&mut all, &experiment, |now| {
                if now.phase.number == phase {
                    now.remember(exposure);
                }
            }),
            LedgerEntry::Tally {
                experiment,
                phase,
                unit,
                tally,
            } => with(&mut all, &experiment, |now| {
                if now.phase.number == phase
                    && let Some(member) = now.members.get_mut(&unit)
                {
                    member.tally = tally;
                }
            }),
            LedgerEntry::Looked {
                experiment,
                phase,
                point,
            } => with(&mut all, &experiment, |now| {
                if now.phase.number == phase {
                    now.curve.push(point);
                }
            }),
            LedgerEntry::Ended {
                experiment,
                state,
                unix_ms,
                reason,
            } => with(&mut all, &experiment, |now| {
                now.state = state;
                now.reason = reason;
                now.ended_ms.get_or_insert(unix_ms);
                now.generation = now.generation.saturating_add(1);
            }),
        }
    }
    all.into_iter().map(Arc::new).collect()
}

fn started(unix_ms: u64, by: String, definition: Definition) -> Option<Running> {
    let nothing = PhaseKey {
        number: 0,
        unix_ms,
        contract: String::new(),
        cap: 0,
        hashed_by: None,
        weights: definition.weights(),
        arms: Vec::new(),
    };
    // What was checked when it was started; a ledger that says otherwise is none of ours.
    let layer = definition.layer().ok()?;
    Some(Running {
        name: definition.name.clone(),
        by,
        unix_ms,
        layer,
        switchback: definition.switchback,
        is_holdout: definition.holdout,
        now: Mutex::new(Now::new(definition, nothing)),
    })
}

fn with(all: &mut [Running], name: &str, change: impl FnOnce(&mut Now)) {
    if let Some(running) = all.iter_mut().rev().find(|running| running.name == name) {
        change(running.now.get_mut());
    }
}
