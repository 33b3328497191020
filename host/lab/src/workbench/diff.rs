//! Where two policies disagree: the same snapshots, asked of both, compared by the managers that the host
//! would really take.
//!
//! Two answers agree if the host takes the same managers. Where it does not, the disagreement is reported
//! with the harm that it does ([`harm`]) and the signal that explains it best ([`explain`]). What
//! comes after an eviction is not seen here: that is replay's matter.

pub mod explain;
pub mod harm;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::explain::Because;
use super::ask;
use super::case::Case;
use super::files::{self, FileError, Object};
use super::lacking::LackingSignals;
use super::snapshot::RecordedSnapshot;
use super::suite::on_every_core;
use crate::trace::repeated;
use wastegate_core::decision::Disagreement;
use wastegate_core::types::Signal;
use wastegate_engine::policy::Program;

/// Snapshots that are compared at a time; bounds what is held of a large journal.
const BATCH: usize = 1_024;

/// Bytes of snapshots that are held at a time, beyond which a batch ends early.
const BATCH_BYTES: usize = 64 << 20;

/// A policy with its parameters.
#[derive(Debug, Clone, Copy)]
pub struct DiffSubject<'a> {
    /// The loaded policy.
    pub program: &'a Program,
    /// The values of its parameters, in its order.
    pub params: &'a [f64],
}

/// What was found over all snapshots.
#[derive(Debug, Default)]
pub struct PolicyDiff {
    /// Snapshots that both were asked about.
    pub snapshots: u64,
    /// Those in which the host takes the same managers, and the rankings are the same too.
    pub identical: u64,
    /// Those in which it takes the same managers by rankings that differ.
    pub same_victims: u64,
    /// Those in which it takes others.
    pub disagreed: u64,
    /// Those in which a policy failed: the first, the second. The built-in ranking answered instead.
    pub faults: [u64; 2],
    /// Lines of journals that hold no snapshot: marks of gaps, and what crashes tore.
    pub skipped: u64,
    /// Signals that a policy reads and that were not written down, with in how many snapshots: the
    /// first policy's, the second's.
    pub unrecorded: [BTreeMap<Signal, u64>; 2],
    /// What was left out because it lacks what the first policy reads, or the second; nothing where
    /// [`Unrecorded::Noted`].
    pub lacking: [LackingSignals; 2],
    /// How often a signal explains a disagreement best.
    pub explained_by: BTreeMap<Signal, u64>,
    /// The disagreements that do most harm, worst first.
    pub worst: Vec<SnapshotDisagreement>,
}

/// What is done with snapshots that lack signals that a policy reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrecorded {
    /// The policy is asked all the same, with the signals unknown, and how often is noted.
    Noted,
    /// They are left out: what the policy would do is unknown.
    LeftOut,
}

/// One snapshot in which the host would take others.
#[derive(Debug)]
pub struct SnapshotDisagreement {
    /// Where it is.
    pub name: String,
    /// The snapshot that both policies were asked about.
    pub snapshot: RecordedSnapshot,
    /// How much more harm the first policy does than the second; below zero, how much less.
    pub harm: f64,
    /// Whom only the first takes, in its order.
    pub only_a: Vec<usize>,
    /// Whom only the second takes, in its order.
    pub only_b: Vec<usize>,
    /// The victim of each that tell most; none if one of them takes nobody that the other spares.
    pub pair: Option<(usize, usize)>,
    /// By which signals that pair differs, most first.
    pub because: Vec<Because>,
    /// Why a policy gave no ranking: the first, the second.
    pub faults: [Option<String>; 2],
}

/// What one object came to.
enum Compared {
    Skipped,
    Lacking([Vec<Signal>; 2]),
    Agreed(Seen),
    Disagreed(Seen, Box<SnapshotDisagreement>),
}

struct Seen {
    identical: bool,
    faults: [bool; 2],
    unrecorded: [Vec<Signal>; 2],
}

/// The files that some paths mean: each itself, or all the snapshots below a folder.
///
/// # Errors
/// [`FileError`] when a folder cannot be read or holds too much.
pub fn paths(named: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
    let mut paths = Vec::new();
    for path in named {
        if path.is_dir() {
            let wanted =
                |name: &str| name.ends_with(".json") || files::named_as_lines(Path::new(name));
            paths.append(&mut files::walk(path, wanted)?);
        } else {
            paths.push(path.clone());
        }
    }
    let again = repeated(&paths).cloned();
    match again {
        Some(path) => Err(FileError::Wrong {
            path,
            what: "this file is named twice; name every file once".to_owned(),
        }),
        None => Ok(paths),
    }
}

/// Compares two policies over the snapshots of some files, keeping so many of the worst disagreements.
///
/// # Errors
/// [`FileError`] with the first file that cannot be used, and where.
pub fn compare(
    [a, b]: [DiffSubject<'_>; 2],
    paths: &[PathBuf],
    unrecorded: Unrecorded,
    worst_max: usize,
) -> Result<PolicyDiff, FileError> {
    let mut difference = PolicyDiff::default();
    let look = |object: &Object| one([a, b], unrecorded, object);
    let mut batch: Vec<Object> = Vec::new();
    let mut bytes = 0;
    for path in paths {
        for object in files::open(path)? {
            let object = object?;
            bytes += object.bytes();
            batch.push(object);
            if batch.len() == BATCH || bytes > BATCH_BYTES {
                difference.take(look, &batch, worst_max)?;
                batch.clear();
                bytes = 0;
            }
        }
    }
    difference.take(look, &batch, worst_max)?;
    Ok(difference)
}

impl PolicyDiff {
    fn take(
        &mut self,
        look: impl Fn(&Object) -> Result<Compared, FileError> + Sync,
        batch: &[Object],
        worst_max: usize,
    ) -> Result<(), FileError> {
        for compared in on_every_core(batch, look) {
            let seen = match compared? {
                Compared::Skipped => {
                    self.skipped += 1;
                    continue;
                }
                Compared::Lacking(missing) => {
                    for (lacking, missing) in self.lacking.iter_mut().zip(&missing) {
                        lacking.add(missing);
                    }
                    continue;
                }
                Compared::Agreed(seen) if seen.identical => {
                    self.identical += 1;
                    seen
                }
                Compared::Agreed(seen) => {
                    self.same_victims += 1;
                    seen
                }
                Compared::Disagreed(seen, disagreement) => {
                    self.add(*disagreement);
                    seen
                }
            };
            self.snapshots += 1;
            for (count, fault) in self.faults.iter_mut().zip(seen.faults) {
                *count += u64::from(fault);
            }
            for (counts, missing) in self.unrecorded.iter_mut().zip(seen.unrecorded) {
                for signal in missing {
                    *counts.entry(signal).or_default() += 1;
                }
            }
        }
        self.worst.sort_by(SnapshotDisagreement::compare);
        self.worst.truncate(worst_max);
        Ok(())
    }

    fn add(&mut self, disagreement: SnapshotDisagreement) {
        self.disagreed += 1;
        if let Some(best) = disagreement.because.first() {
            *self.explained_by.entry(best.signal).or_default() += 1;
        }
        self.worst.push(disagreement);
    }
}

impl SnapshotDisagreement {
    /// The one that does more harm first; among equals, the one that differs in more victims.
    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let victims = |disagreement: &Self| disagreement.only_a.len() + disagreement.only_b.len();
        other
            .harm
            .abs()
            .total_cmp(&self.harm.abs())
            .then_with(|| victims(other).cmp(&victims(self)))
    }
}

fn one(
    sides: [DiffSubject<'_>; 2],
    unrecorded: Unrecorded,
    object: &Object,
) -> Result<Compared, FileError> {
    let Some(case) = object.case()? else {
        return Ok(Compared::Skipped);
    };
    if unrecorded == Unrecorded::LeftOut {
        let missing = sides.map(|side| case.origin.unrecorded(side.program.signals()));
        if missing.iter().any(|missing| !missing.is_empty()) {
            return Ok(Compared::Lacking(missing));
        }
    }
    Ok(two_answers(sides, case, || object.name()))
}

fn two_answers(sides: [DiffSubject<'_>; 2], case: Case, name: impl Fn() -> String) -> Compared {
    let [a, b] = sides;
    let asked = ask::ask_each(
        sides.map(|side| (side.program, side.params)),
        &case.snapshot,
    );
    let [by_a, by_b] = &asked;
    let faults = [by_a, by_b].map(|asked| asked.fault().map(ToString::to_string));
    let seen = Seen {
        identical: by_a.ranking() == by_b.ranking() && by_a.victims() == by_b.victims(),
        faults: [by_a, by_b].map(|asked| asked.fault().is_some()),
        unrecorded: sides.map(|side| case.origin.unrecorded(side.program.signals())),
    };
    let taken = Disagreement::between(&by_a.victims(), &by_b.victims());
    if taken.is_none() {
        return Compared::Agreed(seen);
    }
    let Disagreement { only_a, only_b, .. } = taken;
    let pair = harm::telling_pair(&case.snapshot, &only_a, &only_b);
    let because = pair.map_or_else(Vec::new, |pair| {
        let reads = [a, b].map(|side| side.program.signals());
        explain::because(&case.snapshot, &by_a.question, reads, pair)
    });
    let disagreement = SnapshotDisagreement {
        name: name(),
        harm: harm::of_all(&case.snapshot, &only_a) - harm::of_all(&case.snapshot, &only_b),
        snapshot: case.snapshot,
        only_a,
        only_b,
        pair,
        because,
        faults,
    };
    Compared::Disagreed(seen, Box::new(disagreement))
}

#[cfg(test)]
mod tests;
