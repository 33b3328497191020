//! The guard: the only place where a proposal becomes a plan.
//!
//! A ranking is untrusted. Whatever it says, the plan that comes out
//!
//! - names only rows that exist, each once, and that the tier may touch ([`TierTable::admits`],
//!   asked again here whoever built the question);
//! - takes no more than the tier may ([`TierTable::most`]);
//! - at `force`, and at whichever tier is the last ([`last_plan`]), takes what is needed if so many
//!   may go at all, the built-in ranking filling what the policy left out; at `force` exactly that;
//! - at `force` takes nothing that still answers while something that does not is left, and nothing
//!   protected while something unprotected is left, and nothing that did answer while something is left
//!   of which that cannot be known, whatever the order of the ranking;
//! - leaves every user one responsive manager where the operator asked for that.
//!
//! A [`Plan`] has no public constructor, and `cleanup::evict` takes nothing else: so a ranking that
//! nobody screened cannot be executed.

use std::collections::HashMap;

use serde::Serialize;

use super::builtin;
use super::question::Question;
use super::ranker::{Choice, Ranked};
use super::snapshot::{Class, Row};
use super::tiers::TierTable;
use crate::types::{ManagerId, ManagerKey, Protection, Scope, Tier, UserId};

/// What will be done, and what was rejected on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    tier: Tier,
    scope: Scope,
    last: bool,
    victims: Vec<Victim>,
    refusals: Vec<RejectedChoice>,
}

impl Plan {
    /// The tier it was made at.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        self.tier
    }

    /// Whose managers it is about.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether the built-in ranking completes what the policy left open: at the last tier, which
    /// `force` always is. With it a record can be repeated exactly.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.last
    }

    /// Who goes, first to last.
    #[must_use]
    pub fn victims(&self) -> &[Victim] {
        &self.victims
    }

    /// Which choices were rejected, and why.
    #[must_use]
    pub fn refusals(&self) -> &[RejectedChoice] {
        &self.refusals
    }
}

/// One manager that goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Victim {
    /// Its row in the question.
    pub row: u32,
    /// Which life of the manager is meant; another one of the same key is spared.
    pub manager: ManagerId,
    /// Whose it is. Never serialised: records carry a keyed hash.
    #[serde(skip)]
    pub user: UserId,
    /// Its name. Never serialised.
    #[serde(skip)]
    pub key: ManagerKey,
    /// What kind of candidate it was.
    pub class: Class,
    /// Its place in the policy's ranking, from 0; none if the built-in ranking put it in.
    pub rank: Option<u32>,
    /// The score it was given.
    pub score: f64,
    /// Why, in the ranker's words.
    pub reason: String,
}

/// One choice that was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RejectedChoice {
    /// Its place in the ranking, from 0.
    pub rank: u32,
    /// The row it named.
    pub row: u32,
    /// The first rule that the choice breaks.
    pub why: RejectReason,
}

/// Why a choice was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RejectReason {
    /// It names no row of the question: nobody, or somebody else's manager.
    NoSuchRow,
    /// It names a row a second time.
    Repeated,
    /// Its score is not a number.
    ScoreNotANumber,
    /// The row's first connection is still on its way.
    Newborn,
    /// The row is pinned.
    Pinned,
    /// The row is protected, and this is not the force tier.
    Protected,
    /// The tier may not touch rows of this class.
    NotAtThisTier,
    /// It is the user's last responsive manager.
    LastResponsive,
}

impl RejectReason {
    /// Every reason, in the order of the variants.
    pub const ALL: [Self; 8] = [
        Self::NoSuchRow,
        Self::Repeated,
        Self::ScoreNotANumber,
        Self::Newborn,
        Self::Pinned,
        Self::Protected,
        Self::NotAtThisTier,
        Self::LastResponsive,
    ];

    /// Its name in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSuchRow => "no-such-row",
            Self::Repeated => "repeated",
            Self::ScoreNotANumber => "score-not-a-number",
            Self::Newborn => "newborn",
            Self::Pinned => "pinned",
            Self::Protected => "protected",
            Self::NotAtThisTier => "not-at-this-tier",
            Self::LastResponsive => "last-responsive",
        }
    }

    /// Whether a policy that knows only what it was shown could have avoided it.
    #[must_use]
    pub const fn is_policys(self) -> bool {
        !matches!(self, Self::LastResponsive)
    }
}

/// A choice that passed the screen.
struct Candidate<'a> {
    row: &'a Row,
    choice: Choice,
    rank: Option<u32>,
}

/// Makes a plan of a question and whatever was answered to it.
#[must_use]
pub fn plan(question: &Question, table: &TierTable, answer: &Ranked) -> Plan {
    screened(question, table, answer, question.tier == Tier::Force)
}

/// The same at the last tier that the host may go to: a policy that stops early there would have
/// somebody refused while there is somebody to go, so the built-in ranking adds what is needed.
#[must_use]
pub fn last_plan(question: &Question, table: &TierTable, answer: &Ranked) -> Plan {
    screened(question, table, answer, true)
}

fn screened(question: &Question, table: &TierTable, answer: &Ranked, last: bool) -> Plan {
    let mut refusals = Vec::new();
    let mut taken = vec![false; question.rows.len()];
    let mut candidates = screen(question, table, answer, &mut taken, &mut refusals);

    // A policy may stop early as long as a next tier runs.
    if answer.outcome.is_err() || last {
        top_up(question, table, &taken, &mut candidates);
    }
    if question.tier == Tier::Force {
        candidates.sort_by_key(|candidate| harm(candidate.row));
    }

    let eligible = question
        .rows
        .iter()
        .filter(|row| table.admits(question.tier, question.occupancy(), row))
        .count();
    let eligible = u32::try_from(eligible).unwrap_or(u32::MAX);
    let most = table.most(question.tier, question.needed, eligible) as usize;
    let mut spare = Spare::new(question, table);
    let mut victims = Vec::with_capacity(most.min(candidates.len()));
    for candidate in candidates {
        // What a policy left out goes where it is needed, not for the sake of the reserve.
        let added = candidate.rank.is_none() && answer.outcome.is_ok();
        if victims.len() == most || (added && victims.len() >= question.needed as usize) {
            break;
        }
        if spare.allows(candidate.row) {
            victims.push(candidate.into_victim(answer));
        } else if let Some(rank) = candidate.rank {
            refusals.push(RejectedChoice {
                rank,
                row: candidate.choice.row,
                why: RejectReason::LastResponsive,
            });
        }
    }
    Plan {
        tier: question.tier,
        scope: question.scope,
        last,
        victims,
        refusals,
    }
}

/// Goes through a ranking in its order, keeping what may be kept.
fn screen<'a>(
    question: &'a Question,
    table: &TierTable,
    answer: &Ranked,
    taken: &mut [bool],
    refusals: &mut Vec<RejectedChoice>,
) -> Vec<Candidate<'a>> {
    let Ok(ranking) = &answer.outcome else {
        return Vec::new();
    };
    let mut kept = Vec::new();
    for (rank, &choice) in (0_u32..).zip(&ranking.choices) {
        match judge(question, table, choice, taken) {
            Ok(row) => kept.push(Candidate {
                row,
                choice,
                rank: Some(rank),
            }),
            Err(why) => refusals.push(RejectedChoice {
                rank,
                row: choice.row,
                why,
            }),
        }
    }
    kept
}

fn judge<'a>(
    question: &'a Question,
    table: &TierTable,
    choice: Choice,
    taken: &mut [bool],
) -> Result<&'a Row, RejectReason> {
    let index = choice.row as usize;
    let (row, taken) = question
        .rows
        .get(index)
        .zip(taken.get_mut(index))
        .ok_or(RejectReason::NoSuchRow)?;
    if std::mem::replace(taken, true) {
        return Err(RejectReason::Repeated);
    }
    let refused = refusal(question, table, row);
    let refused = if choice.score.is_nan() {
        Some(RejectReason::ScoreNotANumber)
    } else {
        refused
    };
    match refused {
        Some(why) => {
            // Rejected for what the choice is, not for what the row is: the built-in ranking may
            // still take the row.
            *taken = why != RejectReason::ScoreNotANumber;
            Err(why)
        }
        None => Ok(row),
    }
}

/// Why the tier may not touch a row, if it may not.
fn refusal(question: &Question, table: &TierTable, row: &Row) -> Option<RejectReason> {
    if table.admits(question.tier, question.occupancy(), row) {
        return None;
    }
    Some(match (row.class(), row.protection) {
        (None, _) => RejectReason::Newborn,
        (_, Protection::Pinned) => RejectReason::Pinned,
        (Some(class), Protection::Protected(_))
            if question.tier != Tier::Force && !class.is_gone() =>
        {
            RejectReason::Protected
        }
        (_, Protection::Protected(_) | Protection::Evictable) => RejectReason::NotAtThisTier,
    })
}

/// Adds what the ranking left out, in the built-in order.
fn top_up<'a>(
    question: &'a Question,
    table: &TierTable,
    taken: &[bool],
    candidates: &mut Vec<Candidate<'a>>,
) {
    for choice in builtin::order(question) {
        let index = choice.row as usize;
        if taken.get(index).copied().unwrap_or(true) {
            continue;
        }
        let Some(row) = question.rows.get(index) else {
            continue;
        };
        if refusal(question, table, row).is_none() {
            candidates.push(Candidate {
                row,
                choice,
                rank: None,
            });
        }
    }
}

/// How much harm evicting a row does at force, in bands that no ranking may cross.
fn harm(row: &Row) -> (bool, bool, bool) {
    let is_responsive = row.class() == Some(Class::Responsive);
    (
        is_responsive,
        row.protection != Protection::Evictable,
        is_responsive && !row.is_unproven(),
    )
}

impl Candidate<'_> {
    fn into_victim(self, answer: &Ranked) -> Victim {
        let number = usize::from(self.choice.reason);
        let reason = match self.rank {
            Some(_) => answer.reasons.get(number).cloned(),
            None => builtin::REASONS
                .get(number)
                .map(|&reason| reason.to_owned()),
        };
        Victim {
            row: self.choice.row,
            manager: self.row.manager,
            user: self.row.user.clone(),
            key: self.row.key.clone(),
            class: self.row.class().unwrap_or(Class::Responsive),
            rank: self.rank,
            score: self.choice.score,
            reason: reason.unwrap_or_else(|| format!("reason {number}, which its manifest lacks")),
        }
    }
}

/// How many responsive managers each user can still lose.
struct Spare<'a>(Option<HashMap<&'a UserId, usize>>);

impl<'a> Spare<'a> {
    fn new(question: &'a Question, table: &TierTable) -> Self {
        if !(table.keep_one && question.tier == Tier::Force) {
            return Self(None);
        }
        let mut responsive: HashMap<&UserId, usize> = HashMap::new();
        let rows = question.rows.iter();
        for row in rows.filter(|row| row.class() == Some(Class::Responsive)) {
            *responsive.entry(&row.user).or_default() += 1;
        }
        for row in &question.kept_responsive {
            *responsive.entry(row).or_default() += 1;
        }
        Self(Some(responsive))
    }

    fn allows(&mut self, row: &Row) -> bool {
        let Some(left) = &mut self.0 else { return true };
        if row.class() != Some(Class::Responsive) {
            return true;
        }
        match left.get_mut(&row.user) {
            Some(count) if *count > 1 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}
