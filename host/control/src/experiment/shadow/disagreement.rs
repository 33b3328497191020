//! Where the active policy and its shadow choose different managers first, and what came of it.
//!
//! An eviction was wrong if the manager answered our Close or its user wanted it back; that is known of the
//! one that went. Of the one that would have gone it is known when it is met again in a later question:
//! wrong if it was active since. What is not met again stays unknown, and is counted as that.

use std::collections::{HashMap, HashSet, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OUTCOME_WITHIN;
use wastegate_core::decision::{Question, Row, Standing};
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{DecisionId, Health, ManagerId, ManagerKey, Signal, Timestamp, UserId};

/// Disagreements that are followed at once; of more, the oldest are forgotten.
const FOLLOWED_MAX: usize = 1_024;
/// Disagreements with a known outcome that are kept as examples.
const EXAMPLES_MAX: usize = 20;
/// Users of whom one disagreement counts in the test.
const USERS_MAX: usize = 100_000;

/// A manager as a question showed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShadowChoice {
    /// How long it had been idle, ms.
    pub idle_ms: f64,
    /// What was believed of its peer.
    pub health: Health,
    /// Whether a connection was attached.
    pub standing: Standing,
    /// Whether taking it was, or would have been, wrong; none while it is not known.
    pub wrong: Option<bool>,
    /// After how long its user wanted it back or was active in it, ms.
    pub wanted_after_ms: Option<u64>,
}

/// One decision in which the active policy and the shadow chose another manager first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShadowDisagreement {
    /// The decision, as its record calls it.
    pub decision: DecisionId,
    /// The manager that the active policy put first.
    pub live: ShadowChoice,
    /// The manager that the shadow put first.
    pub shadow: ShadowChoice,
}

/// How disagreements came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcomes {
    /// All that there were.
    #[serde(rename = "partings")]
    pub disagreements: u64,
    /// One a user, both known: the one that decides was wrong and the shadow would not have been.
    pub live_only_wrong: u64,
    /// The other way round.
    pub shadow_only_wrong: u64,
    /// Both wrong, or neither.
    pub alike: u64,
    /// Over with one side unknown.
    pub unknown: u64,
    /// Disagreements whose outcome is not known yet.
    pub open: u64,
    /// Forgotten, or of a user of whom one was counted already.
    pub not_counted: u64,
}

/// One whose outcome is waited for, with what it is recognised by.
#[derive(Debug)]
struct Followed {
    at: Timestamp,
    user: UserId,
    /// The manager that the active policy put first.
    live: (ManagerId, ManagerKey),
    /// The manager that the shadow put first.
    shadow: ManagerId,
    shown: ShadowDisagreement,
}

/// All that are followed.
#[derive(Debug, Default)]
pub(super) struct Disagreements {
    open: VecDeque<Followed>,
    outcomes: Outcomes,
    users: HashSet<UserId>,
    examples: Vec<ShadowDisagreement>,
}

impl ShadowChoice {
    fn new(row: &Row) -> Self {
        Self {
            idle_ms: row.signals[Signal::IdleMs],
            health: row.health,
            standing: row.standing,
            wrong: None,
            wanted_after_ms: None,
        }
    }
}

impl Disagreements {
    /// They choose different managers first.
    pub(super) fn add(&mut self, question: &Question, live: u32, shadow: u32) {
        let side = |row: u32| question.rows.get(row as usize);
        let (Some(live), Some(shadow)) = (side(live), side(shadow)) else {
            return;
        };
        self.settle(question.now);
        self.outcomes.disagreements += 1;
        if self.open.len() >= FOLLOWED_MAX {
            self.open.pop_front();
            self.outcomes.not_counted += 1;
        }
        self.open.push_back(Followed {
            at: question.now,
            user: live.user.clone(),
            live: (live.manager, live.key.clone()),
            shadow: shadow.manager,
            shown: ShadowDisagreement {
                decision: question.decision,
                live: ShadowChoice::new(live),
                shadow: ShadowChoice::new(shadow),
            },
        });
    }

    /// What became of a victim.
    pub(super) fn ended(&mut self, manager: ManagerId, echoed: bool) {
        for followed in self.open.iter_mut().filter(|it| it.live.0 == manager) {
            let live = &mut followed.shown.live;
            live.wrong = Some(live.wrong.unwrap_or_default() || echoed);
        }
    }

    /// A client wanted a victim back.
    pub(super) fn returned(&mut self, user: &UserId, key: &ManagerKey, away_ms: u64) {
        let same = |it: &&mut Followed| it.user == *user && it.live.1 == *key;
        for followed in self.open.iter_mut().filter(same) {
            let live = &mut followed.shown.live;
            live.wrong = Some(true);
            live.wanted_after_ms.get_or_insert(away_ms);
        }
    }

    /// A later question about the same user shows what became of the other one.
    pub(super) fn seen_again(&mut self, question: &Question) {
        let rows: HashMap<ManagerId, &Row> =
            question.rows.iter().map(|row| (row.manager, row)).collect();
        for followed in &mut self.open {
            let Some(row) = rows.get(&followed.shadow) else {
                continue;
            };
            let shadow = &mut followed.shown.shadow;
            if row.last_activity > followed.at {
                shadow.wrong = Some(true);
                let after = whole_ms(row.last_activity.since(followed.at));
                shadow.wanted_after_ms.get_or_insert(after);
            } else {
                shadow.wrong.get_or_insert(false);
            }
        }
        self.settle(question.now);
    }

    /// Counts those whose time is over.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some(first) = self.open.front()
            && now.since(first.at) >= OUTCOME_WITHIN
        {
            let Some(followed) = self.open.pop_front() else {
                return;
            };
            self.count(followed);
        }
    }

    fn count(&mut self, followed: Followed) {
        let shown = followed.shown;
        let (Some(live), Some(shadow)) = (shown.live.wrong, shown.shadow.wrong) else {
            self.outcomes.unknown += 1;
            return;
        };
        if self.users.len() >= USERS_MAX || !self.users.insert(followed.user) {
            self.outcomes.not_counted += 1;
        } else {
            match (live, shadow) {
                (true, false) => self.outcomes.live_only_wrong += 1,
                (false, true) => self.outcomes.shadow_only_wrong += 1,
                (_, _) => self.outcomes.alike += 1,
            }
        }
        self.examples.push(shown);
        by_harm(&mut self.examples);
        self.examples.truncate(EXAMPLES_MAX);
    }

    /// How they came out so far.
    pub(super) fn outcomes(&self) -> Outcomes {
        Outcomes {
            open: self.open.len() as u64,
            ..self.outcomes
        }
    }

    /// The worst examples first, those that are still followed among them.
    pub(super) fn examples(&self) -> Vec<ShadowDisagreement> {
        let open = self.open.iter().map(|followed| &followed.shown);
        let mut all: Vec<ShadowDisagreement> = self.examples.iter().chain(open).cloned().collect();
        by_harm(&mut all);
        all.truncate(EXAMPLES_MAX);
        all
    }
}

/// Where somebody was wronged first, the sooner wanted back the worse.
fn by_harm(disagreements: &mut [ShadowDisagreement]) {
    let wrongs = |it: &ShadowDisagreement| {
        u8::from(it.live.wrong != Some(true)) + u8::from(it.shadow.wrong == Some(true)) * 2
    };
    disagreements.sort_by_key(|it| {
        (
            wrongs(it),
            it.live.wanted_after_ms.unwrap_or(u64::MAX),
            it.decision,
        )
    });
}
