//! An arm whose first choice is drawn at random, so that what came of it can be weighed for other
//! policies later.
//!
//! The host draws, never the guest: among the candidates that may be evicted, where exactly one is to
//! go. Random draws come from the decision's own seed, so that a replay draws the same; the chance of what was
//! drawn goes into the decision's record.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use wastegate_core::decision::{Answer, Explored, Question, Ranked, Ranker, Ranking};
use wastegate_core::stats::random_draw::{epsilon_greedy, softmax, standardised, unit};
use wastegate_core::types::{Protection, Scope, Signal, SplitMix64};

/// The place in a decision's stream of numbers that its random draw comes from.
const LOT: u64 = 2;

/// How a draw is made: one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Explore {
    /// ε-greedy: the share of decisions that go evenly to any candidate, in (0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// Softmax of the standardised scores at this temperature, in (0, 100]: the higher, the more even.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

impl Explore {
    /// Whether a draw can be made so.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match (self.epsilon, self.temperature) {
            (Some(epsilon), None) => epsilon > 0.0 && epsilon <= 1.0,
            (None, Some(temperature)) => temperature > 0.0 && temperature <= 100.0,
            (_, _) => false,
        }
    }

    /// Each candidate's chance, in the policy's order.
    fn chances(&self, scores: &[f64]) -> Vec<f64> {
        match (self.epsilon, self.temperature) {
            (Some(epsilon), _) => {
                let candidates = u32::try_from(scores.len()).unwrap_or(u32::MAX);
                let (greedy, other) = epsilon_greedy(candidates, epsilon);
                (0..scores.len())
                    .map(|place| if place == 0 { greedy } else { other })
                    .collect()
            }
            (None, Some(temperature)) => softmax(&standardised(scores), temperature),
            (None, None) => Vec::new(),
        }
    }
}

/// Ranks as another does, and draws who comes first.
pub struct Exploring {
    explore: Explore,
    inner: Arc<dyn Ranker>,
}

impl Exploring {
    /// In front of a policy.
    #[must_use]
    pub fn new(explore: Explore, inner: Arc<dyn Ranker>) -> Self {
        Self { explore, inner }
    }
}

impl Ranker for Exploring {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let explore = self.explore;
        match self.inner.rank(question) {
            Answer::Ready(ranked) => Answer::Ready(draw(explore, question, ranked)),
            Answer::Pending(answer) => {
                let question = question.clone();
                Answer::Pending(Box::pin(
                    async move { draw(explore, &question, answer.await) },
                ))
            }
        }
    }
}

/// Puts the drawn choice first. Where more than one is to go, or there is no choice, it stays as it is.
fn draw(explore: Explore, question: &Question, mut ranked: Ranked) -> Ranked {
    if question.scope != Scope::User || question.most != 1 {
        return ranked;
    }
    let Ok(Ranking { choices }) = &mut ranked.outcome else {
        return ranked;
    };
    let candidates = candidates(
        question,
        choices.iter().map(|choice| (choice.row, choice.score)),
    );
    let scores: Vec<f64> = candidates
        .iter()
        .filter_map(|at| Some(choices.get(*at)?.score))
        .collect();
    // J30: a score beyond all others leaves no chance to the rest that could be written down.
    let by_score = explore.temperature.is_some();
    if candidates.len() < 2 || by_score && scores.iter().any(|score| !score.is_finite()) {
        return ranked;
    }
    let chances = explore.chances(&scores);
    let mut left = unit(SplitMix64::nth(question.seed, LOT));
    let drawn = chances.iter().position(|chance| {
        left -= chance;
        left < 0.0
    });
    // Rounding may leave a crumb at the end.
    let Some(drawn) = drawn.or_else(|| chances.iter().rposition(|chance| *chance > 0.0)) else {
        return ranked;
    };
    let (Some(&at), Some(&propensity)) = (candidates.get(drawn), chances.get(drawn)) else {
        return ranked;
    };
    if at < choices.len() {
        let choice = choices.remove(at);
        choices.insert(0, choice);
    }
    // What another policy would have done can only be estimated where its signals were written down too.
    ranked.signals = Signal::ALL.into();
    ranked.explored = Some(Explored {
        propensity,
        rank: u32::try_from(drawn).unwrap_or(u32::MAX),
        candidates: u32::try_from(candidates.len()).unwrap_or(u32::MAX),
    });
    ranked
}

/// The places of choices that can be drawn: of rows that exist and are not held, each once, with a
/// score that is a number.
fn candidates(question: &Question, choices: impl Iterator<Item = (u32, f64)>) -> Vec<usize> {
    let mut met = std::collections::HashSet::new();
    let sound = |(_, (row, score)): &(usize, (u32, f64))| {
        let row_is = question.rows.get(*row as usize);
        let free = row_is.is_some_and(|row| row.protection == Protection::Evictable);
        free && score.is_finite() && met.insert(*row)
    };
    choices
        .enumerate()
        .filter(sound)
        .map(|(at, _)| at)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wastegate_core::decision::TierTable;
    use wastegate_core::decision::testing::{answer, ask, row, snapshot};
    use wastegate_core::types::Tier;

    struct Fixed;

    impl Ranker for Fixed {
        fn rank(&self, _: &Arc<Question>) -> Answer {
            Answer::Ready(answer(&[2, 0, 1]))
        }
    }

    fn question(seed: u64) -> Arc<Question> {
        let rows = vec![row("a", 30), row("b", 20), row("c", 10)];
        let question = ask(&snapshot(3, rows), &TierTable::default(), Tier::Force, 1);
        Arc::new(Question {
            seed,
            most: 1,
            ..question
        })
    }

    fn drawn(explore: Explore, question: &Arc<Question>) -> (u32, Option<Explored>) {
        let Answer::Ready(ranked) = Exploring::new(explore, Arc::new(Fixed)).rank(question) else {
            panic!("at once")
        };
        (ranked.outcome.unwrap().choices[0].row, ranked.explored)
    }

    const GREEDY: Explore = Explore {
        epsilon: Some(0.3),
        temperature: None,
    };

    /// Each is drawn as often as its recorded chance says, and the same decision draws the same.
    #[test]
    fn lots_are_as_likely_as_they_say() {
        let mut times = [0_u32; 3];
        for seed in 0..6_000 {
            let question = question(seed);
            let (row, explored) = drawn(GREEDY, &question);
            assert_eq!((row, explored.clone()), drawn(GREEDY, &question));
            let explored = explored.unwrap();
            assert_eq!(explored.candidates, 3);
            let expected = if explored.rank == 0 { 0.8 } else { 0.1 };
            assert!((explored.propensity - expected).abs() < 1e-12);
            assert_eq!(row, [2, 0, 1][explored.rank as usize]);
            times[explored.rank as usize] += 1;
        }
        assert!((4_650..4_950).contains(&times[0]), "{times:?}");
        assert!(
            times[1..].iter().all(|times| (520..680).contains(times)),
            "{times:?}"
        );
    }

    #[test]
    fn j15_a_decision_that_can_be_weighed_holds_every_signal() {
        let explored = |explore: Explore, question: &Arc<Question>| {
            let Answer::Ready(ranked) = Exploring::new(explore, Arc::new(Fixed)).rank(question)
            else {
                panic!("at once")
            };
            (ranked.explored.is_some(), ranked.signals)
        };
        assert_eq!(explored(GREEDY, &question(1)), (true, Signal::ALL.into()));
        let two = Question {
            most: 2,
            ..(*question(1)).clone()
        };
        let Answer::Ready(plain) = Fixed.rank(&question(1)) else {
            panic!("at once")
        };
        assert_eq!(explored(GREEDY, &Arc::new(two)), (false, plain.signals));
    }

    #[test]
    fn nothing_is_drawn_where_there_is_no_choice() {
        let mut held = (*question(1)).clone();
        for row in held.rows.iter_mut().skip(1) {
            row.protection = Protection::Pinned;
        }
        assert_eq!(drawn(GREEDY, &Arc::new(held)).1, None, "one candidate");
        let two = Question {
            most: 2,
            ..(*question(1)).clone()
        };
        assert_eq!(drawn(GREEDY, &Arc::new(two)), (2, None), "two are to go");
        let soft = Explore {
            epsilon: None,
            temperature: Some(1.0),
        };
        let chances = soft.chances(&[3.0, 2.0, 1.0]);
        assert!(chances[0] > chances[1] && chances[1] > chances[2]);
        assert!(
            !Explore {
                epsilon: Some(0.1),
                temperature: Some(1.0)
            }
            .is_sound()
        );
        assert!(
            !Explore {
                epsilon: Some(0.0),
                temperature: None
            }
            .is_sound()
        );
    }
}
