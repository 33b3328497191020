//! A policy asked about a snapshot as the server would ask it, and what the host would do with the
//! answer: the same sandbox, the same guard, the default tier table.
//!
//! The one difference is patience: a call may take as long as a large one by the wall clock, since
//! a machine that compiles beside it says nothing about the policy. Fuel and memory are the server's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::case::CaseParams;
use super::snapshot::RecordedSnapshot;
use super::voice::{self, CapturedLine};
use wastegate_core::decision::{
    Class, Fault, Plan, Question, Ranked, RejectReason, Row, TierTable, guard,
};
use wastegate_core::types::{DecisionId, Protection, Tier};
use wastegate_engine::policy::manifest::BadParameter;
use wastegate_engine::policy::{Allowance, CallOptions, Program};

/// What was asked, what was answered, and what the host makes of it.
#[derive(Debug)]
pub struct AskReport {
    /// What was asked. A row's id is its place in the snapshot.
    pub question: Arc<Question>,
    /// The ranking that the policy answered with.
    pub answer: Ranked,
    /// What the call could take.
    pub allowance: Allowance,
    /// What the host would do.
    pub plan: Plan,
    /// What the policy logged.
    pub log: Vec<CapturedLine>,
    /// Log lines over the cap.
    pub lines_dropped: u32,
}

/// One row, or something that is none, with what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedRow {
    /// Its place in the policy's ranking, from 1; none if the policy did not propose it.
    pub place: Option<usize>,
    /// Its place in the snapshot; none if the policy named a row that there is none of.
    pub row: Option<usize>,
    /// The policy's score; none where it gave none, or one that is not a number.
    pub score: Option<f64>,
    /// The policy's reason in words.
    pub reason: Option<String>,
    /// What the host would do with it.
    pub outcome: RowOutcome,
}

/// What the host would do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOutcome {
    /// It goes, as the policy proposed.
    Taken,
    /// It goes; the host's own ranking put it in.
    ToppedUp,
    /// The choice is rejected.
    Rejected(RejectReason),
    /// It was proposed and stays: enough others go.
    NotNeeded,
    /// It was proposed before others that go, and stays: it still answers and they do not, or it is
    /// protected and they are not. No ranking crosses that at `force`.
    Kept(KeptReason),
    /// Nobody proposed it.
    NotProposed,
    /// The policy did not see it: its tier does not let it go.
    NotAsked(Aside),
}

/// Why a row stays although it was proposed before others that go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptReason {
    /// It still answers.
    Answers,
    /// It is protected.
    Protected,
}

/// Why a row was not in the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// Its first connection is still on its way.
    Newborn,
    /// It is pinned.
    Pinned,
    /// It is protected.
    Protected(Tier),
    /// The tier does not touch its class.
    Class(Tier, Class),
}

/// Asks a policy to rank the rows of a snapshot, once.
#[must_use]
pub fn ask(program: &Program, params: &[f64], snapshot: &RecordedSnapshot) -> AskReport {
    let question = Arc::new(snapshot.question(&TierTable::default()));
    again(program, params, question, None)
}

/// Asks several policies the same.
#[must_use]
pub(crate) fn ask_each<const N: usize>(
    sides: [(&Program, &[f64]); N],
    snapshot: &RecordedSnapshot,
) -> [AskReport; N] {
    let question = Arc::new(snapshot.question(&TierTable::default()));
    sides.map(|(program, params)| again(program, params, question.clone(), None))
}

/// Asks, and writes down what the policy logs. It asks twice: the first call on a fresh engine takes
/// a hundred times as long as any other, and nobody wants to know that.
#[must_use]
pub fn ask_aloud(program: &Program, params: &[f64], snapshot: &RecordedSnapshot) -> AskReport {
    let question = ask(program, params, snapshot).question;
    let decision = question.decision;
    let (mut asked, log) = voice::listen(|| again(program, params, question, Some(decision)));
    asked.log = log;
    asked
}

fn again(
    program: &Program,
    params: &[f64],
    question: Arc<Question>,
    decision: Option<DecisionId>,
) -> AskReport {
    let options = decision.map_or(CallOptions::OFF_PATH, |decision| {
        CallOptions::OFF_PATH.logged(decision)
    });
    let (answer, lines_dropped) = program.answer(&question, &params.into(), &options);
    let rows = u32::try_from(question.rows.len()).unwrap_or(u32::MAX);
    let allowance = program.allowance(&options.limits, question.scope, rows);
    let plan = guard::plan(&question, &TierTable::default(), &answer);
    AskReport {
        question,
        answer,
        allowance,
        plan,
        log: Vec::new(),
        lines_dropped,
    }
}

/// The values of a policy's parameters for a case, what was set for the run going first; and
/// whether those that were captured with a fault had to be left aside, because they do not fit the
/// policy as it is now.
///
/// # Errors
/// Everything that is unknown or out of range.
pub fn parameters(
    program: &Program,
    case: &CaseParams,
    set: &BTreeMap<String, f64>,
) -> Result<(Vec<f64>, bool), Vec<BadParameter>> {
    let manifest = program.manifest();
    let mut named = BTreeMap::new();
    let mut left_aside = false;
    match case {
        CaseParams::Named(params) => named.clone_from(params),
        CaseParams::Captured(values) => {
            let pairs = manifest.parameters.iter().zip(values);
            let fits = |(known, value): (&wastegate_engine::policy::Parameter, &f64)| {
                (known.min..=known.max).contains(value)
            };
            if values.len() == manifest.parameters.len() && pairs.clone().all(fits) {
                named.extend(pairs.map(|(known, value)| (known.name.clone(), *value)));
            } else {
                left_aside = true;
            }
        }
    }
    named.extend(set.iter().map(|(name, value)| (name.clone(), *value)));
    Ok((manifest.params(&named)?.to_vec(), left_aside))
}

impl AskReport {
    /// The place in the snapshot of a row of the question.
    #[must_use]
    pub fn place(&self, row: u32) -> Option<usize> {
        let row = self.question.rows.get(row as usize)?;
        usize::try_from(row.manager.raw()).ok()
    }

    /// Why there is no ranking, if there is none.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.answer.outcome.as_ref().err()
    }

    /// The places in the snapshot of the policy's choices, best victim first. Rows that do not
    /// exist are left out.
    #[must_use]
    pub fn ranking(&self) -> Vec<usize> {
        let choices = self.answer.outcome.as_ref().map(|ranking| &ranking.choices);
        let choices = choices.into_iter().flatten();
        choices
            .filter_map(|choice| self.place(choice.row))
            .collect()
    }

    /// The places in the snapshot of whom the host takes, in its order.
    #[must_use]
    pub fn victims(&self) -> Vec<usize> {
        let victims = self.plan.victims().iter();
        victims
            .filter_map(|victim| self.place(victim.row))
            .collect()
    }

    /// Every row of the snapshot, and everything else that the policy named: the ranking in its
    /// order, then what the host put in, then the rest as asked, then who was not in question.
    #[must_use]
    pub fn entries(&self, snapshot: &RecordedSnapshot) -> Vec<RankedRow> {
        let mut entries = self.ranked();
        let mut marked: Vec<bool> = vec![false; snapshot.rows.len()];
        let mark = |marked: &mut Vec<bool>, row: usize| {
            marked
                .get_mut(row)
                .is_some_and(|marked| !std::mem::replace(marked, true))
        };
        for entry in &entries {
            if let Some(row) = entry.row {
                mark(&mut marked, row);
            }
        }
        let silent = |row, score, reason, outcome| RankedRow {
            place: None,
            row: Some(row),
            score,
            reason,
            outcome,
        };
        for victim in self.plan.victims() {
            if let (None, Some(row)) = (victim.rank, self.place(victim.row))
                && mark(&mut marked, row)
            {
                let reason = Some(victim.reason.clone());
                entries.push(silent(
                    row,
                    Some(victim.score),
                    reason,
                    RowOutcome::ToppedUp,
                ));
            }
        }
        for row in (0_u32..)
            .zip(&self.question.rows)
            .filter_map(|(row, _)| self.place(row))
        {
            if mark(&mut marked, row) {
                entries.push(silent(row, None, None, RowOutcome::NotProposed));
            }
        }
        for row in 0..snapshot.rows.len() {
            if mark(&mut marked, row)
                && let Some(facts) = snapshot.row(row)
            {
                let aside = Aside::of(&facts, self.question.tier);
                entries.push(silent(row, None, None, RowOutcome::NotAsked(aside)));
            }
        }
        entries
    }

    fn ranked(&self) -> Vec<RankedRow> {
        let choices = self.answer.outcome.as_ref().map(|ranking| &ranking.choices);
        let choices = choices.into_iter().flatten().enumerate();
        let entry = |(rank, choice): (usize, &wastegate_core::decision::Choice)| RankedRow {
            place: Some(rank + 1),
            row: self.place(choice.row),
            score: (!choice.score.is_nan()).then_some(choice.score),
            reason: Some(self.reason(choice.reason)),
            outcome: self.outcome(rank, choice.row),
        };
        choices.map(entry).collect()
    }

    fn reason(&self, number: u16) -> String {
        let known = self.answer.reasons.get(usize::from(number));
        known
            .cloned()
            .unwrap_or_else(|| format!("reason {number}, which its manifest lacks"))
    }

    fn outcome(&self, rank: usize, row: u32) -> RowOutcome {
        let refusals = self.plan.refusals().iter();
        let mut here = refusals.filter(|refusal| refusal.rank as usize == rank);
        let victims = self.plan.victims();
        let goes = victims.iter().any(|victim| victim.row == row);
        // Who goes although it was proposed later, or not at all.
        let overtaken = || {
            victims
                .iter()
                .any(|victim| victim.rank.is_none_or(|later| later as usize > rank))
        };
        match (here.next(), goes) {
            (Some(refusal), _) => RowOutcome::Rejected(refusal.why),
            (None, true) => RowOutcome::Taken,
            (None, false) if overtaken() => self
                .kept(row)
                .map_or(RowOutcome::NotNeeded, RowOutcome::Kept),
            (None, false) => RowOutcome::NotNeeded,
        }
    }

    fn kept(&self, row: u32) -> Option<KeptReason> {
        let row = self.question.rows.get(row as usize)?;
        match row.protection {
            Protection::Evictable => {
                (row.class() == Some(Class::Responsive)).then_some(KeptReason::Answers)
            }
            Protection::Protected(_) | Protection::Pinned => Some(KeptReason::Protected),
        }
    }
}

impl Aside {
    fn of(row: &Row, tier: Tier) -> Self {
        match (row.class(), row.protection) {
            (None, _) => Self::Newborn,
            (_, Protection::Pinned) => Self::Pinned,
            (Some(class), Protection::Protected(_)) if !class.is_gone() => Self::Protected(tier),
            (Some(class), Protection::Protected(_) | Protection::Evictable) => {
                Self::Class(tier, class)
            }
        }
    }
}

impl std::fmt::Display for RowOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Taken => f.write_str("taken"),
            Self::ToppedUp => f.write_str("taken, topped up by the host"),
            Self::NotNeeded => f.write_str("not needed"),
            Self::Kept(KeptReason::Answers) => f.write_str("kept: it still answers"),
            Self::Kept(KeptReason::Protected) => f.write_str("kept: it is protected"),
            Self::NotProposed => f.write_str("not proposed"),
            Self::Rejected(why) => write!(f, "struck: {}", rejected(*why)),
            Self::NotAsked(Aside::Newborn) => f.write_str("not asked: its client is still coming"),
            Self::NotAsked(Aside::Pinned) => f.write_str("not asked: pinned"),
            Self::NotAsked(Aside::Protected(tier)) => {
                write!(f, "not asked: protected at `{tier}`")
            }
            Self::NotAsked(Aside::Class(tier, class)) => {
                write!(f, "not asked: `{tier}` spares the {}", class.name())
            }
        }
    }
}

impl RowOutcome {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::ToppedUp => "topped-up",
            Self::Rejected(_) => "struck",
            Self::NotNeeded => "not-needed",
            Self::Kept(_) => "kept",
            Self::NotProposed => "not-proposed",
            Self::NotAsked(_) => "not-asked",
        }
    }
}

const fn rejected(why: RejectReason) -> &'static str {
    match why {
        RejectReason::NoSuchRow => "there is no such row",
        RejectReason::Repeated => "named before",
        RejectReason::ScoreNotANumber => "its score is not a number",
        RejectReason::Newborn => "its client is still coming",
        RejectReason::Pinned => "pinned",
        RejectReason::Protected => "protected at this tier",
        RejectReason::NotAtThisTier => "not at this tier",
        RejectReason::LastResponsive => "its user's last responsive one",
    }
}

#[cfg(test)]
mod tests;
