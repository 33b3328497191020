//! Who ranks: the built-in order, shipped policies in their sandbox, guests that misbehave in
//! theirs, and rankers in this process that do worse than any guest could.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use wastegate_core::decision::builtin::{self, BuiltIn};
use wastegate_core::decision::{
    Answer, Choice, Fault, PolicyRef, Question, Ranked, Ranker, Ranking,
};
use wastegate_core::types::{Clock, DecisionId, Limits, Scope};

use crate::rng::Rng;
use crate::rules::Facts;
use crate::sandbox;
use crate::seen::{Asked, Seen};
use crate::world::World;

/// Which ranker a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mind {
    BuiltIn,
    /// A policy that the host ships, as it runs in production.
    Shipped(&'static str),
    /// A guest that passed for good and is not.
    Guest(&'static str),
    /// The built-in order, so late.
    Late(Duration),
    /// Never answers; its own deadline answers for it.
    Never(Duration),
    /// The right rows in the wrong order.
    Reversed,
    /// Rows that do not exist, rows twice, scores that are no numbers.
    Garbage,
    /// Nobody may go.
    Silent,
    /// Each time another one of these.
    Moody(Duration),
    /// The built-in order and a shipped policy: half of the users have one and half the other, as in an
    /// experiment, and after so long they change over.
    Swapped(&'static str, Duration),
}

impl Mind {
    /// Draws one whose answers fit into an admission that asks as often as it may.
    pub(crate) fn of(seed: u64, rng: &mut Rng, budget: Duration, probe: Duration) -> Self {
        /// Tiers, and looks of the last one.
        const QUESTIONS_MAX: u32 = 6;
        let at_most = budget.saturating_sub(probe) / (QUESTIONS_MAX + 1);
        let most_ms = u64::try_from(at_most.as_millis()).unwrap_or(1);
        let deadline = rng.millis(1, most_ms.max(1));
        // By turns, so that a few dozen seeds meet every one.
        let turn = usize::try_from(seed % 32).unwrap_or(0);
        match turn.checked_sub(sandbox::HOSTILE.len()) {
            None => Self::Guest(sandbox::HOSTILE.get(turn).copied().unwrap_or("silent")),
            Some(0) => Self::Shipped("qos-lexicographic"),
            Some(1) => Self::Shipped("lru"),
            Some(2..=3) => Self::Late(deadline),
            Some(4..=5) => Self::Never(deadline),
            Some(6..=7) => Self::Reversed,
            Some(8..=9) => Self::Garbage,
            Some(10) => Self::Silent,
            Some(11..=12) => Self::Moody(deadline),
            Some(_) => Self::BuiltIn,
        }
    }

    /// Within which it answers, whatever it does.
    pub(crate) const fn deadline(self) -> Duration {
        match self {
            Self::Late(deadline) | Self::Never(deadline) | Self::Moody(deadline) => deadline,
            _ => Duration::ZERO,
        }
    }

    /// The ranker itself.
    pub(crate) fn ranker(self, clock: &Clock, rng: Rng) -> Box<dyn Ranker> {
        match self {
            Self::BuiltIn => Box::new(BuiltIn),
            Self::Shipped(name) => sandbox::shipped(name, clock),
            Self::Guest(name) => sandbox::hostile(name),
            Self::Swapped(name, every) => Box::new(Swapped {
                clock: clock.clone(),
                policy: sandbox::shipped(name, clock),
                every,
            }),
            _ => Box::new(Fake {
                mind: self,
                rng: Mutex::new(rng),
            }),
        }
    }
}

/// The built-in order and a policy, by user and by turns.
struct Swapped {
    clock: Clock,
    policy: Box<dyn Ranker>,
    every: Duration,
}

impl Ranker for Swapped {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let user = question.rows.first().map(|row| row.user.as_str());
        let arm = user.and_then(|user| user.bytes().last()).unwrap_or(0) % 2;
        let turn = self.clock.now().millis() / u64::try_from(self.every.as_millis()).unwrap_or(1);
        let answer = if (u64::from(arm) + turn).is_multiple_of(2) {
            BuiltIn.rank(question)
        } else {
            self.policy.rank(question)
        };
        match answer {
            Answer::Ready(ranked) => Answer::Ready(Ranked {
                experiment: Some(format!("swapped/{turn}/{arm}").into()),
                ..ranked
            }),
            pending @ Answer::Pending(_) => pending,
        }
    }
}

/// A ranker in this process that does what no guest could.
struct Fake {
    mind: Mind,
    rng: Mutex<Rng>,
}

impl Ranker for Fake {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let mut rng = self.rng.lock();
        let mind = match self.mind {
            Mind::Moody(deadline) => *rng.pick(&[
                Mind::Late(deadline),
                Mind::Never(deadline),
                Mind::Reversed,
                Mind::Garbage,
                Mind::Silent,
            ]),
            other => other,
        };
        let order = builtin::order(question);
        match mind {
            Mind::Late(by) => {
                let ranked = ranked(Ok(order));
                Answer::Pending(Box::pin(async move {
                    tokio::time::sleep(by).await;
                    ranked
                }))
            }
            Mind::Never(deadline) => Answer::Pending(Box::pin(async move {
                tokio::time::sleep(deadline).await;
                ranked(Err(Fault::Deadline(deadline)))
            })),
            Mind::Garbage => Answer::Ready(ranked(Ok(garbage(order, &mut rng)))),
            Mind::Silent => Answer::Ready(ranked(Ok(Vec::new()))),
            _ => Answer::Ready(ranked(Ok(order.into_iter().rev().collect()))),
        }
    }
}

fn ranked(choices: Result<Vec<Choice>, Fault>) -> Ranked {
    Ranked {
        policy: PolicyRef {
            name: "fake".into(),
            version: "0.0.0".into(),
            digest: "fake".into(),
        },
        revision: None,
        outcome: choices.map(|choices| Ranking { choices }),
        reasons: Arc::new([]),
        signals: Arc::new([]),
        params: Arc::new([]),
        param_names: [].into(),
        limits: Limits::NODES,
        fuel: None,
        duration: Duration::ZERO,
        experiment: None,
        explored: None,
    }
}

fn garbage(order: Vec<Choice>, rng: &mut Rng) -> Vec<Choice> {
    let mut choices = Vec::new();
    for choice in order {
        let spoilt = match rng.between(0, 4) {
            0 => Choice {
                row: rng.few(0, u32::MAX),
                ..choice
            },
            1 => Choice {
                score: f64::NAN,
                ..choice
            },
            2 => Choice {
                reason: u16::MAX,
                ..choice
            },
            3 => {
                choices.push(choice);
                choice
            }
            _ => choice,
        };
        choices.insert(
            usize::try_from(rng.between(0, choices.len() as u64)).unwrap_or(0),
            spoilt,
        );
    }
    choices
}

/// A ranker with an observer in front of it, who looks at the same instant.
pub(crate) struct Watched {
    world: Arc<World>,
    ranker: Box<dyn Ranker>,
    looks: Arc<Looks>,
}

/// What the observer saw, until the decision is complete.
pub(crate) type Looks = Mutex<BTreeMap<DecisionId, Look>>;

/// What it saw of one question.
#[derive(Debug, Default, Clone)]
pub(crate) struct Look {
    pub(crate) around: Vec<Facts>,
    pub(crate) waited: Duration,
}

impl Watched {
    pub(crate) fn new(world: Arc<World>, ranker: Box<dyn Ranker>) -> (Self, Arc<Looks>) {
        let looks = Arc::<Looks>::default();
        let watched = Self {
            world,
            ranker,
            looks: looks.clone(),
        };
        (watched, looks)
    }
}

impl Ranker for Watched {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let user = question.rows.first().map(|row| &row.user);
        let user = user.filter(|_| question.scope == Scope::User);
        let around = self.world.around(user, question.now);
        self.world.see(&Seen::Asked(Asked {
            tier: question.tier,
            scope: question.scope,
            needed: question.needed,
            most: question.most,
            occupancy: question.occupancy(),
            rows: question.rows.iter().map(Facts::of).collect(),
            around: around.clone(),
        }));
        let look = Look {
            around,
            waited: Duration::ZERO,
        };
        self.looks.lock().insert(question.decision, look);
        match self.ranker.rank(question) {
            Answer::Ready(ranked) => Answer::Ready(ranked),
            Answer::Pending(answer) => {
                let (clock, looks) = (self.world.clock.clone(), self.looks.clone());
                let (start, decision) = (clock.now(), question.decision);
                Answer::Pending(Box::pin(async move {
                    let ranked = answer.await;
                    if let Some(look) = looks.lock().get_mut(&decision) {
                        look.waited = clock.now().since(start);
                    }
                    ranked
                }))
            }
        }
    }
}
