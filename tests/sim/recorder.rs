//! The cleaner's notes, turned into observations at the instant at which they are made.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use wastegate::cleanup::{self, TierRun, UserPressure};
use wastegate::health::Round;
use wastegate::manager::Manager;
use wastegate_core::decision::{PolicyRef, Question, RejectReason, Standing, Victim};
use wastegate_core::types::{ManagerId, Scope, UserId};

use crate::mind::{Look, Looks};
use crate::rules::Facts;
use crate::seen::{Decided, Evicted, Seen, Truth};
use crate::world::World;

/// Takes everything down.
pub(crate) struct Recorder {
    pub(crate) world: Arc<World>,
    pub(crate) looks: Arc<Looks>,
    /// Every life, for a last look at it when its slot is gone.
    pub(crate) lives: Mutex<BTreeMap<ManagerId, Weak<Manager>>>,
}

impl Recorder {
    /// A life that may be asked about later.
    pub(crate) fn know(&self, manager: &Arc<Manager>) {
        self.lives
            .lock()
            .insert(manager.id, Arc::downgrade(manager));
    }

    /// Where the built-in ranking decides at once, nobody was asked who could have looked around,
    /// and nothing has changed since the question.
    fn look_around(&self, question: &Question) {
        let user = question.rows.first().map(|row| &row.user);
        let user = user.filter(|_| question.scope == Scope::User);
        let seen = self.looks.lock().contains_key(&question.decision);
        if !seen {
            let look = Look {
                around: self.world.around(user, question.now),
                waited: Duration::ZERO,
            };
            self.looks.lock().insert(question.decision, look);
        }
    }

    fn look(&self, question: &Question, victim: &Victim) -> Option<Evicted> {
        let (world, now) = (&self.world, self.world.clock.now());
        let registry = world.registry()?;
        let facts = question.rows.get(victim.row as usize).map(Facts::of)?;
        let manager = self
            .lives
            .lock()
            .get(&victim.manager)
            .and_then(Weak::upgrade);
        let (free, knocking) = match question.scope {
            Scope::User => {
                let (limit, held) = (
                    registry.limit(&victim.user, now),
                    registry.held(&victim.user),
                );
                (
                    limit.saturating_sub(held),
                    world.knocking(Some(&victim.user)),
                )
            }
            Scope::Node => {
                let limit = registry.limits().managers_total;
                (limit.saturating_sub(registry.total()), world.knocking(None))
            }
        };
        let held = registry.get(&victim.user, &victim.key);
        let others = match question.scope {
            Scope::User => registry.of(&victim.user),
            Scope::Node => registry.all(),
        };
        let takes_nothing = others
            .iter()
            .filter(|one| one.id != victim.manager && !one.hints.is_pinned(now))
            .filter_map(|one| {
                let lasting = world.truths.takes_nothing_for(one.id, now)?;
                Some((format!("{}/{}", one.user, one.key), lasting))
            })
            .collect();
        Some(Evicted {
            tier: question.tier,
            scope: question.scope,
            occupancy: question.occupancy(),
            class: victim.class,
            facts,
            truth: Truth {
                able_for: world.truths.able_for(victim.manager, now),
                busy_for: world.truths.busy_for(victim.manager, now),
                pinned: manager.as_ref().is_some_and(|one| one.hints.is_pinned(now)),
            },
            newborn: manager
                .as_ref()
                .is_some_and(|one| one.standing(now) == Standing::Newborn),
            free,
            knocking,
            takes_nothing,
            links: world.truths.links(victim.manager),
            still_held: held.is_some_and(|held| held.id == victim.manager),
        })
    }
}

impl cleanup::Recorder for Recorder {
    fn tier_ran(&self, user: Option<&UserId>, run: &TierRun, round: Option<Round>) {
        let user = user.map(|user| user.as_str().to_owned());
        self.world.see(&Seen::Ran {
            user,
            run: *run,
            round,
        });
        self.world.sample();
    }

    fn evicted(&self, question: &Question, victim: &Victim, _: &PolicyRef) {
        self.look_around(question);
        if let Some(evicted) = self.look(question, victim) {
            self.world.see(&Seen::Evicted(evicted));
        }
        self.world.sample();
    }

    fn decided(&self, decided: cleanup::Decided) {
        let cleanup::Decided {
            question,
            answer,
            plan,
            outcomes,
        } = decided;
        let look = self
            .looks
            .lock()
            .remove(&question.decision)
            .unwrap_or_default();
        let rows: Vec<Facts> = question.rows.iter().map(Facts::of).collect();
        let inside = |one: &Facts| rows.iter().any(|row| row.life == one.life);
        let choices = answer
            .outcome
            .as_ref()
            .map(|ranking| ranking.choices.as_slice());
        let struck = |why: RejectReason| {
            plan.refusals()
                .iter()
                .filter(|refusal| refusal.why == why)
                .count()
        };
        self.world.see(&Seen::Decided(Decided {
            tier: question.tier,
            needed: question.needed,
            most: question.most,
            fault: answer.outcome.as_ref().err().map(|fault| fault.name()),
            outside: look
                .around
                .iter()
                .filter(|one| one.is_responsive() && !inside(one))
                .cloned()
                .collect(),
            waited: look.waited,
            choices: choices
                .unwrap_or_default()
                .iter()
                .map(|choice| choice.row)
                .collect(),
            victims: plan.victims().iter().map(|victim| victim.row).collect(),
            no_such_row: struck(RejectReason::NoSuchRow),
            repeated: struck(RejectReason::Repeated),
            not_numbers: struck(RejectReason::ScoreNotANumber),
            outcomes: outcomes.iter().map(|outcome| outcome.name()).collect(),
            rows,
        }));
    }

    fn pressure_changed(&self, _: &UserPressure) {}
}
