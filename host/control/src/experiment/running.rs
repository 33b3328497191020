//! An experiment in memory: who is in it, in which arm, and what happened to them.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::assign::{HashVersion, Layer, Range, choose, place, ranges};
use super::curve::CurvePoint;
use super::definition::Definition;
use super::entry::{ArmKey, ExperimentState, LedgerEntry, PhaseKey};
use super::ledger::ExperimentLedger;
use super::past::Pasts;
use super::ramp::RampView;
use super::switchback::{Switchback, Window};
use super::tally::{Exposure, ExposureTally, Member, most_common_device};
use super::verdict::PhaseAssessment;
use wastegate::observe::pseudonym::Pseudonym;
use wastegate_core::decision::{Question, Ranker};
use wastegate_core::stats::counts::MultinomialTest;
use wastegate_core::types::{RevisionId, UserId};

/// Users of one phase; more are ranked for by the active policy, which the report says.
pub const MEMBERS_MAX: usize = 500_000;
/// The arm that the others are compared with.
const CONTROL: usize = 0;
/// The arm of a holdout whose users keep their policy.
const HELD: usize = CONTROL;
/// How strong the prior of the sequential sample ratio test is, users.
const SRM_PRIOR_USERS: f64 = 100.0;

/// An experiment that was started, with its phase and what was counted in it.
pub(super) struct Running {
    /// Its name, as labels carry it.
    pub(super) name: String,
    /// The operator that started it.
    pub(super) by: String,
    /// When, ms since the Unix epoch.
    pub(super) unix_ms: u64,
    pub(super) layer: Option<Layer>,
    pub(super) switchback: Option<Switchback>,
    /// Whether it compares a held policy with everything that the others get.
    pub(super) is_holdout: bool,
    /// Held for a look-up, a few additions, or the one write of a first trigger.
    pub(super) now: Mutex<Now>,
}

/// The state of an experiment and its current phase.
pub(super) struct Now {
    pub(super) definition: Definition,
    pub(super) state: ExperimentState,
    /// Why it came to an end, if it did.
    pub(super) reason: String,
    /// When it came to an end, ms since the Unix epoch: the report stays as it was then.
    pub(super) ended_ms: Option<u64>,
    /// The ledger does not have its end yet: a restart would not know it.
    pub(super) is_end_unwritten: bool,
    /// Since when the coverage is what it is, ms since the Unix epoch.
    pub(super) covered_ms: u64,
    /// Counts changes of who ranks: phases, and a rollback.
    pub(super) generation: u32,
    pub(super) phase: PhaseKey,
    /// In the order of the arms; empty once it is stopped.
    pub(super) seats: Vec<Seat>,
    pub(super) ranges: Vec<Range>,
    /// In one order, so that sums over them come out the same to the last bit.
    pub(super) members: BTreeMap<Pseudonym, Member>,
    /// Whose tallies are not in the ledger yet.
    pub(super) dirty: HashSet<Pseudonym>,
    /// Users who were met in two arms.
    pub(super) multiple: HashSet<Pseudonym>,
    /// Triggers of users who could not be taken in.
    pub(super) not_taken: u64,
    pub(super) evidence: Option<MultinomialTest>,
    /// The looks of the phase that are kept, in order.
    pub(super) curve: Vec<CurvePoint>,
}

/// Who ranks for an arm.
#[derive(Clone)]
pub(super) struct Seat {
    pub(super) ranker: Arc<dyn Ranker>,
    pub(super) key: ArmKey,
    /// What it was made from, to notice that it would be made from something else now.
    pub(super) fingerprint: String,
    /// `experiment/phase/arm`, as decision records carry it.
    pub(super) label: Arc<str>,
}

/// The ranker of the user's arm.
pub struct ArmRanker {
    /// The arm's ranker; none for users of a holdout who are not held: the active policy ranks for them.
    pub(super) ranker: Option<Arc<dyn Ranker>>,
    /// As what the decision is recorded.
    pub(super) label: Arc<str>,
    /// As which revision, where it is one.
    pub(super) revision: Option<RevisionId>,
}

/// Who falls into an arm: a user, or a window of time.
pub(super) struct Unit {
    /// By what name it falls.
    pub(super) name: UserId,
    /// How the ledger calls it.
    pub(super) id: Pseudonym,
    /// The window, if it is one.
    pub(super) window: Option<Window>,
}

/// When and where a user is exposed.
pub(super) struct Moment<'a> {
    /// When, ms since the Unix epoch.
    pub(super) unix_ms: u64,
    pub(super) node: &'a str,
    pub(super) ledger: &'a Mutex<ExperimentLedger>,
    /// What users did before.
    pub(super) pasts: &'a Mutex<Pasts>,
}

impl Now {
    pub(super) fn new(definition: Definition, phase: PhaseKey) -> Self {
        let mut now = Self {
            state: ExperimentState::Running,
            reason: String::new(),
            ended_ms: None,
            is_end_unwritten: false,
            covered_ms: phase.unix_ms,
            generation: 0,
            seats: Vec::new(),
            ranges: Vec::new(),
            members: BTreeMap::new(),
            dirty: HashSet::new(),
            multiple: HashSet::new(),
            not_taken: 0,
            evidence: None,
            curve: Vec::new(),
            definition,
            phase: phase.clone(),
        };
        now.cover();
        now.begin(phase);
        now
    }

    /// A phase begins: no user has been exposed in it.
    pub(super) fn begin(&mut self, phase: PhaseKey) {
        self.generation = self.generation.saturating_add(1);
        self.members.clear();
        self.dirty.clear();
        self.multiple.clear();
        self.not_taken = 0;
        self.curve.clear();
        self.evidence = MultinomialTest::against(&phase.weights, SRM_PRIOR_USERS);
        self.phase = phase;
    }

    /// The coverage is another, since a moment.
    pub(super) fn cover_from(&mut self, coverage: f64, unix_ms: u64) {
        self.definition.coverage = coverage;
        self.covered_ms = unix_ms;
        self.cover();
    }

    /// What its ramp does next, if it has one.
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 milliseconds are 285,000 years"
    )]
    pub(super) fn ramp(&self, unix_ms: u64, assessment: &PhaseAssessment) -> Option<RampView> {
        let ramp = self.definition.ramp.as_ref()?;
        // Users of an earlier phase say nothing about this one.
        let since_ms = self.covered_ms.max(self.phase.unix_ms);
        let held_hours = unix_ms.saturating_sub(since_ms) as f64 / 3_600_000.0;
        Some(ramp.view(self.definition.coverage, held_hours, assessment))
    }

    fn cover(&mut self) {
        let weights = self.definition.weights();
        self.ranges = ranges(weights.len(), self.definition.coverage, &weights);
    }

    /// A user's exposure as a ledger had it.
    pub(super) fn remember(&mut self, exposure: Exposure) {
        let unit = exposure.unit;
        match self.members.get(&unit) {
            Some(known) if known.exposure.arm != exposure.arm => {
                self.multiple.insert(unit);
            }
            Some(_) => {}
            None => {
                let tally = ExposureTally::default();
                self.members.insert(unit, Member { exposure, tally });
            }
        }
    }

    /// The tallies that changed since they were written last.
    pub(super) fn unwritten(&mut self, name: &str) -> Vec<LedgerEntry> {
        let number = self.phase.number;
        let dirty = std::mem::take(&mut self.dirty);
        let known = dirty
            .into_iter()
            .filter_map(|unit| Some((unit, self.members.get(&unit)?)));
        known
            .map(|(unit, member)| LedgerEntry::Tally {
                experiment: name.to_owned(),
                phase: number,
                unit,
                tally: member.tally.clone(),
            })
            .collect()
    }

    /// The ledger did not take these tallies.
    pub(super) fn not_written(&mut self, tallies: &[LedgerEntry]) {
        let units = tallies.iter().filter_map(|entry| match entry {
            LedgerEntry::Tally { phase, unit, .. } if *phase == self.phase.number => Some(*unit),
            _ => None,
        });
        self.dirty.extend(units);
    }

    /// Everything that still counts, as the ledger has it.
    pub(super) fn whole(&self, running: &Running, node: &str) -> Vec<LedgerEntry> {
        let experiment = running.name.clone();
        let mut entries = vec![
            LedgerEntry::Started {
                unix_ms: running.unix_ms,
                by: running.by.clone(),
                definition: self.definition.clone(),
            },
            LedgerEntry::Phase {
                experiment: experiment.clone(),
                phase: self.phase.clone(),
            },
        ];
        if self.definition.ramp.is_some() {
            entries.push(LedgerEntry::Coverage {
                experiment: experiment.clone(),
                coverage: self.definition.coverage,
                unix_ms: self.covered_ms,
            });
        }
        for (unit, member) in &self.members {
            entries.push(LedgerEntry::Exposed {
                experiment: experiment.clone(),
                phase: self.phase.number,
                node: node.to_owned(),
                exposure: member.exposure.clone(),
            });
            entries.push(LedgerEntry::Tally {
                experiment: experiment.clone(),
                phase: self.phase.number,
                unit: *unit,
                tally: member.tally.clone(),
            });
        }
        entries.extend(self.curve.iter().map(|point| LedgerEntry::Looked {
            experiment: experiment.clone(),
            phase: self.phase.number,
            point: point.clone(),
        }));
        if self.state != ExperimentState::Running {
            entries.push(self.ended(running));
        }
        entries
    }

    /// Its end, as the ledger has it.
    pub(super) fn ended(&self, running: &Running) -> LedgerEntry {
        LedgerEntry::Ended {
            experiment: running.name.clone(),
            state: self.state,
            unix_ms: self.ended_ms.unwrap_or(running.unix_ms),
            reason: self.reason.clone(),
        }
    }
}

impl Running {
    /// The arm of a user who needs room: after the exposure is written down, if it is the first.
    pub(super) fn expose(
        &self,
        unit: Unit,
        question: &Question,
        moment: &Moment<'_>,
    ) -> Option<ArmRanker> {
        if self
            .layer
            .as_ref()
            .is_some_and(|layer| !layer.holds(unit.name.as_str()))
        {
            return None;
        }
        let place = place(HashVersion::V2, &self.name, unit.name.as_str());
        let mut now = self.now.lock();
        let arm = choose(place, &now.ranges)?;
        if now.state == ExperimentState::RolledBack {
            return now.ask(CONTROL);
        }
        if now.state != ExperimentState::Running {
            return None;
        }
        match now.members.get(&unit.id) {
            Some(known) if known.exposure.arm != arm => {
                now.multiple.insert(unit.id);
            }
            Some(_) => {}
            // What the arm before left behind is nobody's: ranked for, and not counted.
            None if unit
                .window
                .is_some_and(|window| moment.unix_ms < window.counts_from_ms) => {}
            None if now.members.len() >= MEMBERS_MAX => {
                now.not_taken += 1;
                return None;
            }
            None => {
                let from = unit.window.map(|window| window.counts_from_ms);
                let exposure = Exposure {
                    unit: unit.id,
                    arm,
                    place,
                    tier: question.tier,
                    held: question.held,
                    limit: question.limit,
                    unix_ms: from.unwrap_or(moment.unix_ms),
                    now_us: question.now.micros(),
                    until_ms: unit.window.map(|window| window.until_ms),
                    device: unit.window.is_none().then(|| most_common_device(question)),
                    // A window has no past that foretells it.
                    past: match unit.window {
                        None => moment.pasts.lock().of(unit.id, moment.unix_ms),
                        Some(_) => None,
                    },
                };
                let entry = LedgerEntry::Exposed {
                    experiment: self.name.clone(),
                    phase: now.phase.number,
                    node: moment.node.to_owned(),
                    exposure: exposure.clone(),
                };
                if let Err(error) = append(moment.ledger, &[entry]) {
                    now.not_taken += 1;
                    if now.not_taken == 1 {
                        tracing::error!(experiment = self.name, %error, "cannot write an exposure; users that are new to the experiment stay with the champion");
                    }
                    return None;
                }
                now.remember(exposure);
            }
        }
        now.ask(arm)
    }

    /// Something happened to a user, if it is one of this experiment.
    pub(super) fn note(&self, unit: Pseudonym, change: &dyn Fn(&Exposure, &mut ExposureTally)) {
        let mut now = self.now.lock();
        if now.state != ExperimentState::Running {
            return;
        }
        if let Some(member) = now.members.get_mut(&unit) {
            change(&member.exposure, &mut member.tally);
            now.dirty.insert(unit);
        }
    }
}

impl Now {
    fn ask(&self, arm: usize) -> Option<ArmRanker> {
        let seat = self.seats.get(arm)?;
        let is_pinned = !self.definition.holdout || arm == HELD;
        Some(ArmRanker {
            ranker: is_pinned.then(|| seat.ranker.clone()),
            label: seat.label.clone(),
            revision: seat.key.revision,
        })
    }
}

pub(super) fn append(ledger: &Mutex<ExperimentLedger>, entries: &[LedgerEntry]) -> io::Result<()> {
    ledger.lock().append(entries)
}

/// Waits until everything that was added is on disk, without keeping others from adding.
pub(super) fn sync(ledger: &Mutex<ExperimentLedger>) -> io::Result<()> {
    let file = ledger.lock().file()?;
    file.map_or(Ok(()), |file| file.sync_data())
}
