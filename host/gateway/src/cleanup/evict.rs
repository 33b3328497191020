//! The executor: does what a plan says and nothing else, and finds out what became of it.
//!
//! A victim's slot is free before anyone waits for its sockets; the close, its echo and the cut-off
//! happen beside the admission that needed the slot.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::config::Config;
use super::decide::Terms;
use super::displace::Rotation;
use super::metrics::Metrics;
use super::run::TierRun;
use crate::health::Round;
use crate::manager::{ECHO_DEADLINES, EndReport, Manager, Port};
use crate::observe::activity::DecisionAside;
use crate::observe::spans::{self, Apart};
use crate::registry::Registry;
use crate::tasks::Tasks;
use wastegate_core::decision::{Class, Plan, PolicyRef, Question, Ranked, Victim, VictimOutcome};
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{
    Clock, Eviction, EvictionCause, ManagerKey, PeerState, Scope, Tier, UserId,
};

/// How much longer than its own deadline a connection's task may take to report.
const REPORT_SLACK: Duration = Duration::from_secs(1);

/// A decision with all that became of it.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The question that the ranker was asked.
    pub question: Arc<Question>,
    /// The answer, before the guard checked it.
    pub answer: Ranked,
    /// What was to be done.
    pub plan: Plan,
    /// What became of each victim, in the plan's order.
    pub outcomes: Vec<VictimOutcome>,
}

/// Takes notes of decisions. It must not block.
pub trait Recorder: Send + Sync + 'static {
    /// A tier ran, for a user or for the node, after a round of probes if it made one.
    fn tier_ran(&self, user: Option<&UserId>, run: &TierRun, round: Option<Round>);
    /// A manager was evicted, by the choice of `by`; its owner may release what was tied to it.
    fn evicted(&self, question: &Question, victim: &Victim, by: &PolicyRef);
    /// A decision is complete, its victims' ends included.
    fn decided(&self, decided: Decided);
    /// A user's pressure level changed.
    fn pressure_changed(&self, change: &super::pressure::UserPressure);
}

/// A [`Recorder`] that takes no notes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Recorder for Silent {
    fn tier_ran(&self, _: Option<&UserId>, _: &TierRun, _: Option<Round>) {}
    fn evicted(&self, _: &Question, _: &Victim, _: &PolicyRef) {}
    fn decided(&self, _: Decided) {}
    fn pressure_changed(&self, _: &super::pressure::UserPressure) {}
}

/// Carries out plans: it releases slots and asks connections to close.
pub(super) struct Executor {
    registry: Arc<Registry>,
    recorder: Arc<dyn Recorder>,
    metrics: Metrics,
    clock: Clock,
    tasks: Tasks,
    /// How long a victim's connections are listened to, and their tasks have to report.
    deadline: Duration,
}

impl Executor {
    /// With the room's settings.
    pub(super) fn new(
        registry: Arc<Registry>,
        recorder: Arc<dyn Recorder>,
        metrics: Metrics,
        clock: Clock,
        tasks: Tasks,
        config: &Config,
    ) -> Self {
        Self {
            registry,
            recorder,
            metrics,
            clock,
            tasks,
            deadline: config.close_deadline * ECHO_DEADLINES + REPORT_SLACK,
        }
    }

    /// Executes a plan. Returns whose slots it freed, and whom it chose on other nodes, of which nothing is done here;
    /// the rest goes on in a task of its own.
    pub(super) fn execute(
        &self,
        question: Arc<Question>,
        answer: Ranked,
        plan: Plan,
        terms: Terms<'_>,
        rotation: &Rotation,
    ) -> Vec<Victim> {
        let is_elsewhere = |victim: &Victim| {
            let row = usize::try_from(victim.row).ok();
            let row = row.and_then(|row| question.rows.get(row));
            row.is_some_and(|row| row.elsewhere.is_some())
        };
        let closing: Vec<Taken> = plan
            .victims()
            .iter()
            .map(|victim| {
                if question.tier == Tier::Force && (terms.needed)() == 0 {
                    return Taken::Spared;
                }
                if is_elsewhere(victim) {
                    return Taken::Elsewhere;
                }
                let still =
                    |manager: &Manager| self.still_a_victim(&question, victim, manager, terms);
                let eviction = Eviction {
                    cause: terms.cause,
                    decision: Some(question.decision),
                    peer: peer_of(victim),
                };
                let (user, key) = (&victim.user, &victim.key);
                let evicted = self
                    .registry
                    .evict(user, key, victim.manager, eviction, still);
                let Some(ports) = evicted else {
                    return Taken::Spared;
                };
                if eviction.peer == PeerState::Answering {
                    rotation.displaced(user, key, self.clock.now());
                }
                let by = chooser(&answer, victim);
                self.recorder.evicted(&question, victim, &by);
                let span = traced(&question, victim, eviction);
                Taken::Here(Box::new(Closing { ports, span }))
            })
            .collect();
        let victims = plan.victims().iter().zip(&closing);
        let gone = victims.filter(|(_, taken)| !matches!(taken, Taken::Spared));
        let gone: Vec<Victim> = gone.map(|(victim, _)| victim.clone()).collect();
        if closing.iter().any(|taken| matches!(taken, Taken::Here(_))) {
            let victims = plan.victims().iter().zip(&closing);
            let spared = victims.filter(|(_, taken)| !matches!(taken, Taken::Here(_)));
            let spared: Vec<&ManagerKey> = spared.map(|(victim, _)| &victim.key).collect();
            self.write_down(&question, &answer, plan.is_last(), &spared);
        }
        let (recorder, metrics) = (self.recorder.clone(), self.metrics.clone());
        let deadline = self.deadline;
        self.tasks.spawn("eviction", async move {
            let outcomes: Vec<VictimOutcome> =
                join_all(closing.into_iter().map(|it| outcome(it, deadline))).await;
            for (victim, &outcome) in plan.victims().iter().zip(&outcomes) {
                metrics.evicted(question.tier, victim, outcome);
            }
            metrics.rejected(plan.refusals());
            recorder.decided(Decided {
                question,
                answer,
                plan,
                outcomes,
            });
        });
        gone
    }

    /// Writes down who ranked what, and who of the plan was spared, for a replay.
    fn write_down(&self, question: &Question, answer: &Ranked, last: bool, spared: &[&ManagerKey]) {
        let stream = self.registry.activity();
        if !stream.is_enabled() {
            return;
        }
        let (policy, params) = match &answer.outcome {
            Ok(_) => (answer.policy.clone(), answer.params.clone()),
            Err(_) => (PolicyRef::builtin(), [].into()),
        };
        let user = question.rows.first().map(|row| &row.user);
        let decision = DecisionAside {
            id: question.decision,
            tier: question.tier,
            scope: question.scope,
            needed: question.needed,
            limit: question.limit,
            held: question.held,
            last,
            policy,
            params,
            arm: answer.experiment.clone(),
            drawn: answer.explored.is_some(),
            seed: question.seed,
        };
        let user = user.filter(|_| question.scope == Scope::User);
        stream.decided(question.now, user, &decision, spared);
    }

    /// Looks once more before it acts: the tier may still touch it (it was not pinned meanwhile),
    /// and a responsive one has not become active since the snapshot.
    fn still_a_victim(
        &self,
        question: &Question,
        victim: &Victim,
        manager: &Manager,
        terms: Terms<'_>,
    ) -> bool {
        let row = self.registry.row(manager, self.clock.now());
        let active_since = manager.activity().last() > question.now;
        let spared = victim.class == Class::Responsive && active_since && !terms.active_too;
        !spared
            && terms
                .table
                .admits(question.tier, question.occupancy(), &row)
    }
}

/// What was known of a victim's peer.
fn peer_of(victim: &Victim) -> PeerState {
    match victim.class {
        Class::Responsive => PeerState::Answering,
        _ => PeerState::Silent,
    }
}

/// Whose choice a victim was: the ranker's, or the host's where it completed the plan.
#[must_use]
pub fn chooser(answer: &Ranked, victim: &Victim) -> PolicyRef {
    match victim.rank {
        Some(_) => answer.policy.clone(),
        None => PolicyRef::builtin(),
    }
}

/// What was done about one victim.
enum Taken {
    /// It was evicted here.
    Here(Box<Closing>),
    /// Another node holds it.
    Elsewhere,
    /// It was left alone.
    Spared,
}

/// The connections of a victim that were asked to close, and the span of its eviction.
struct Closing {
    ports: Vec<Arc<Port>>,
    span: Option<Apart>,
}

/// The span of an eviction, where its cleanup is traced: from the slot that it freed to the end of the
/// connections.
fn traced(question: &Question, victim: &Victim, eviction: Eviction) -> Option<Apart> {
    let mut span = spans::apart("eviction")?;
    span.note("wastegate.decision.id", question.decision.raw());
    let cause = match eviction.cause {
        EvictionCause::Cleanup(_) => "cleanup",
        EvictionCause::TemporarySlotExpired => "temporary-slot-expired",
        EvictionCause::Requested => "requested",
        EvictionCause::Blocked => "blocked",
    };
    span.note("wastegate.eviction.cause", cause);
    span.note("wastegate.tier", question.tier.name());
    span.note("wastegate.eviction.class", victim.class.name());
    span.note_close(eviction.reason());
    Some(span)
}

/// What became of one victim.
async fn outcome(taken: Taken, deadline: Duration) -> VictimOutcome {
    let Closing { ports, span } = match taken {
        Taken::Here(closing) => *closing,
        Taken::Elsewhere => return VictimOutcome::Elsewhere,
        Taken::Spared => return VictimOutcome::Spared,
    };
    let outcome = end_of(ports, deadline).await;
    if let Some(mut span) = span {
        span.note("wastegate.eviction.outcome", outcome.name());
    }
    outcome
}

/// The best sign of life among its connections.
async fn end_of(ports: Vec<Arc<Port>>, deadline: Duration) -> VictimOutcome {
    if ports.is_empty() {
        return VictimOutcome::Released;
    }
    let ends = join_all(
        ports
            .iter()
            .map(|port| tokio::time::timeout(deadline, port.ended())),
    )
    .await;
    let ends: Vec<Option<EndReport>> = ends.into_iter().map(Result::ok).collect();
    let echo = ends
        .iter()
        .flatten()
        .filter_map(|end| end.echoed_after)
        .min();
    if let Some(after) = echo {
        let after_ms = whole_ms(after);
        return VictimOutcome::Echoed { after_ms };
    }
    if ends.iter().flatten().any(|end| end.undecided) {
        return VictimOutcome::Undecided;
    }
    // One that never reported did not even come to its own deadline: as good as cut off.
    let aborted = ends.iter().any(|end| end.is_none_or(|end| end.aborted));
    if aborted {
        VictimOutcome::Aborted
    } else {
        VictimOutcome::Gone
    }
}
