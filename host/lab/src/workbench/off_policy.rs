//! What another policy would have achieved, decision by decision, from decisions that the host drew by
//! lot: each is weighed by how likely the other policy makes it over how likely it was.
//!
//! The reward is what a record knows by itself: 1 where the victim answered our Close, so less is
//! better. Decisions in which the drawn one did not go, or more than one did, say nothing and are left
//! out. Estimates are of single decisions, on what the recorded policy left behind.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ask;
use super::diff::DiffSubject;
use super::files::{self, FileError, Object};
use super::lacking::{LackingSignals, NoneHolds};
use super::suite::on_every_core;
use wastegate_core::stats::off_policy::{
    Doubt, Drawn, Estimates, ValueEstimate, clipped_ips, estimate,
};
use wastegate_core::types::Signal;

/// Decisions that are weighed at the most.
pub const DECISIONS_MAX: usize = 5_000_000;
/// Records that are looked at together.
const BATCH: usize = 1_024;
/// The weight at which the clipped estimate cuts off.
pub const CLIP: f64 = 10.0;
/// As how many decisions the overall mean counts in a class of few.
const PRIOR: f64 = 5.0;

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct OffPolicyEvaluation {
    /// Lines of journals that hold a decision.
    pub records: u64,
    /// Those that were drawn at random.
    pub drawn: u64,
    /// Of those, the ones in which not just the drawn one went.
    pub left_out: u64,
    /// Drawn decisions that are left out because they lack what the other policy reads.
    pub lacking: LackingSignals,
    /// Decisions in which the other policy failed; the built-in ranking answered instead.
    pub faults: u64,
    /// The mean reward of what was done.
    pub logged: f64,
    /// What is estimated; none without any decision that was drawn.
    pub estimates: Option<Estimates>,
    /// IPS with weights cut off at [`CLIP`].
    pub clipped: Option<ValueEstimate>,
    /// Why it must not be believed; empty if it may be.
    pub doubts: Vec<Doubt>,
}

/// What a record says of its draw.
#[derive(Debug, Deserialize)]
struct Record {
    #[serde(default)]
    explored: Option<Explored>,
    #[serde(default)]
    ranking: Vec<(u32, Option<f64>, u16)>,
    #[serde(default)]
    victims: Vec<Victim>,
    #[serde(default)]
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Explored {
    propensity: f64,
}

#[derive(Debug, Deserialize)]
struct Victim {
    row: u32,
    result: String,
}

#[derive(Debug, Deserialize)]
struct Row {
    health: String,
    standing: String,
}

/// One decision, before a model is made of all.
struct One {
    propensity: f64,
    reward: f64,
    same: bool,
    class: (String, String),
    target_class: (String, String),
    fault: bool,
}

enum Looked {
    Skipped,
    NotDrawn,
    LeftOut,
    Lacking(Vec<Signal>),
    Drawn(One),
}

/// Why decisions cannot be weighed.
#[derive(Debug, thiserror::Error)]
pub enum OffPolicyError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// No drawn decision holds what the other policy reads.
    #[error(transparent)]
    Lacking(#[from] NoneHolds),
}

/// Weighs the decisions of some journals for another policy, which is called `name`.
///
/// # Errors
/// [`OffPolicyError`] with the first file that cannot be used, and where; or with the signals that all
/// of the decisions lack.
pub fn evaluate(
    side: DiffSubject<'_>,
    name: &str,
    paths: &[PathBuf],
) -> Result<OffPolicyEvaluation, OffPolicyError> {
    let (mut counts, mut all) = ([0_u64; 3], Vec::new());
    let mut lacking = LackingSignals::default();
    let mut take = |batch: &[Object], all: &mut Vec<One>| -> Result<(), FileError> {
        for looked in on_every_core(batch, |object| look(side, object)) {
            let [records, drawn, left_out] = &mut counts;
            match looked? {
                Looked::Skipped => continue,
                Looked::NotDrawn => {}
                Looked::LeftOut => {
                    *drawn += 1;
                    *left_out += 1;
                }
                Looked::Lacking(signals) => {
                    *drawn += 1;
                    lacking.add(&signals);
                }
                Looked::Drawn(one) => {
                    *drawn += 1;
                    if all.len() < DECISIONS_MAX {
                        all.push(one);
                    } else {
                        *left_out += 1;
                    }
                }
            }
            *records += 1;
        }
        Ok(())
    };
    for path in paths {
        let mut batch = Vec::new();
        for object in files::open(path)? {
            batch.push(object?);
            if batch.len() == BATCH {
                take(&batch, &mut all)?;
                batch.clear();
            }
        }
        take(&batch, &mut all)?;
    }
    if let Some(refusal) = lacking.refusal(name, all.len() as u64) {
        return Err(refusal.into());
    }
    let [records, drawn, left_out] = counts;
    let weighed = model(&all);
    let estimates = estimate(&weighed);
    let doubts = estimates
        .as_ref()
        .map(|estimates| estimates.doubts(&weighed));
    Ok(OffPolicyEvaluation {
        records,
        drawn,
        left_out,
        lacking,
        faults: all.iter().filter(|one| one.fault).count() as u64,
        logged: mean(weighed.iter().map(|one| one.reward)),
        clipped: estimates.is_some().then(|| clipped_ips(&weighed, CLIP)),
        estimates,
        doubts: doubts.unwrap_or_default(),
    })
}

fn look(side: DiffSubject<'_>, object: &Object) -> Result<Looked, FileError> {
    let Some(case) = object.case()? else {
        return Ok(Looked::Skipped);
    };
    let Ok(record) = serde_json::from_slice::<Record>(object.raw()) else {
        return Ok(Looked::NotDrawn);
    };
    let Some(explored) = &record.explored else {
        return Ok(Looked::NotDrawn);
    };
    let ([victim], Some((first, ..))) = (&record.victims[..], record.ranking.first()) else {
        return Ok(Looked::LeftOut);
    };
    let reward = match victim.result.as_str() {
        "echoed" => 1.0,
        "gone" | "aborted" | "released" => 0.0,
        _ => return Ok(Looked::LeftOut),
    };
    if victim.row != *first {
        return Ok(Looked::LeftOut);
    }
    let missing = case.origin.unrecorded(side.program.signals());
    if !missing.is_empty() {
        return Ok(Looked::Lacking(missing));
    }
    let asked = ask::ask(side.program, side.params, &case.snapshot);
    let target = asked.victims().first().copied();
    let class = |place: Option<usize>| {
        let row = place.and_then(|place| record.rows.get(place));
        row.map(|row| (row.health.clone(), row.standing.clone()))
            .unwrap_or_default()
    };
    let taken = victim.row as usize;
    Ok(Looked::Drawn(One {
        propensity: explored.propensity,
        reward,
        same: target == Some(taken),
        class: class(Some(taken)),
        target_class: class(target),
        fault: asked.fault().is_some(),
    }))
}

/// What is expected of a class of manager: its mean reward, drawn towards the overall one.
fn model(all: &[One]) -> Vec<Drawn> {
    let overall = mean(all.iter().map(|one| one.reward));
    let mut classes: BTreeMap<&(String, String), (f64, f64)> = BTreeMap::new();
    for one in all {
        let (sum, n) = classes.entry(&one.class).or_default();
        *sum += one.reward;
        *n += 1.0;
    }
    let expected = |class: &(String, String)| {
        let (sum, n) = classes.get(class).copied().unwrap_or_default();
        (sum + overall * PRIOR) / (n + PRIOR)
    };
    let drawn = all.iter().map(|one| Drawn {
        propensity: one.propensity,
        reward: one.reward,
        target: f64::from(u8::from(one.same)),
        expected: expected(&one.class),
        expected_target: expected(&one.target_class),
    });
    drawn.collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    if n > 0.0 { sum / n } else { 0.0 }
}
