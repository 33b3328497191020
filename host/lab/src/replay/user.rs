//! One user's trace, run again.
//!
//! Events are taken in order. What the user did is given; whether the manager is held, and who has
//! to go for it, is simulated. An event that a manager wants which is not held is an attempt to open
//! it: after an eviction, a come-back.

use std::collections::HashMap;
use std::sync::Arc;

use super::candidate::ReplayCandidate;
use super::exposed::UserCounts;
use super::held::{Birth, Held};
use super::order::{Moment, moments};
use super::rules::Rules;
use super::tally::{HEADLINE, HORIZONS_MS, ReplayTally, THRASH_MS, UserTally};
use super::truth::Truth;
use super::yielding::State;
use crate::trace::{TraceEvent, TraceEventKind};
use wastegate_core::decision::{Class, LendOrder, Probe, Question, Row, Snapshot, guard};
use wastegate_core::types::{
    DecisionId, ManagerId, ManagerKey, Scope, Signal, SplitMix64, Tier, Timestamp, UserId,
};

/// One call, as a log of the run holds it.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Whose managers, by place in the trace.
    pub user: u32,
    /// When, ms as in the trace.
    pub at_ms: u64,
    /// At which tier.
    pub tier: Tier,
    /// For which manager room was made, by place in the trace; none in the background.
    pub wanted: Option<u32>,
    /// Who went, by place in the trace, first to last.
    pub victims: Vec<u32>,
    /// What was asked, where that is kept.
    pub question: Option<Arc<Question>>,
}

impl Decision {
    /// Whether both are the same call with the same end, whatever was asked. Stricter than that they have no
    /// [`Disagreement`](wastegate_core::decision::Disagreement): the runs have to be one world until
    /// here, to the order of the victims.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let call = |one: &Self| (one.user, one.at_ms, one.tier, one.wanted);
        call(self) == call(other) && self.victims == other.victims
    }
}

/// What a run of one user needs.
pub(super) struct Stage<'a> {
    pub(super) rules: &'a Rules,
    pub(super) candidate: &'a ReplayCandidate,
    /// Names of the user's managers, by place in the trace.
    pub(super) key: &'a dyn Fn(u32) -> Option<ManagerKey>,
    /// The trace tells when somebody attaches; otherwise whoever opens is attached.
    pub(super) attaches: bool,
    /// The first moment of the trace, ms.
    pub(super) begin_ms: u64,
    /// From when on a user can be exposed, ms.
    pub(super) counts_from_ms: u64,
    /// Whether questions are kept in the log.
    pub(super) keep_questions: bool,
}

/// What came of it.
pub(super) struct Played {
    pub(super) tally: ReplayTally,
    pub(super) decisions: Vec<Decision>,
}

/// A user in the middle of a run.
struct Run<'a> {
    stage: &'a Stage<'a>,
    number: u32,
    user: UserId,
    held: Vec<Held>,
    yielding: State,
    lives: u64,
    calls: u64,
    /// Keys that were lost by eviction: when, ms.
    lost: HashMap<u32, u64>,
    /// Evictions and returns by key.
    past: HashMap<u32, (u32, u32)>,
    /// Who was evicted last for whom, and how long that has gone back and forth.
    rivals: Option<(u32, u32, u64)>,
    /// The first time that room had to be made, ms, and what had been counted until then.
    trigger: Option<(u64, UserCounts)>,
    tally: ReplayTally,
    own: UserTally,
    decisions: Vec<Decision>,
}

/// Runs one user's events.
pub(super) fn play(stage: &Stage<'_>, number: u32, user: UserId, events: &[TraceEvent]) -> Played {
    let (moments, truth) = (moments(events), Truth::of(events));
    let mut run = Run {
        stage,
        number,
        yielding: State::new(user.clone(), stage.rules),
        user,
        held: Vec::with_capacity(stage.rules.limit as usize),
        lives: 0,
        calls: 0,
        lost: HashMap::new(),
        past: HashMap::new(),
        rivals: None,
        trigger: None,
        tally: ReplayTally::default(),
        own: UserTally {
            user: number,
            ..UserTally::default()
        },
        decisions: Vec::new(),
    };
    for (place, (event, moment)) in events.iter().zip(moments).enumerate() {
        run.step(event, moment, truth.silent_from(place));
    }
    run.tally.blocked_users = u64::from(run.tally.blocked > 0);
    run.tally.expose(number, run.trigger, events);
    if run.tally.decisions > 0 {
        run.tally.per_user.push(run.own);
    }
    Played {
        tally: run.tally,
        decisions: run.decisions,
    }
}

impl Run<'_> {
    fn at(&self, ms: u64) -> Timestamp {
        Timestamp::from_millis(ms.saturating_sub(self.stage.begin_ms))
    }

    fn place(&self, session: u32) -> Option<usize> {
        self.held.iter().position(|held| held.session == session)
    }

    fn step(&mut self, event: &TraceEvent, moment: Moment, silent_from_ms: Option<u64>) {
        let now = moment.at(event.at_ms, self.stage.begin_ms);
        self.release_expired(now);
        self.yielding
            .settle(self.count_held(), self.stage.rules, now);
        self.sweep(event.at_ms, now);
        let mut place = self.place(event.session);
        if event.kind.ends_life() {
            // Its user's own doing, or an operator's: nothing is lost that a strategy took.
            if let Some(place) = place {
                self.held.remove(place);
            }
            self.lost.remove(&event.session);
            return;
        }
        if place.is_none() && event.kind.is_wanted() {
            place = self.open(event, now, silent_from_ms);
        }
        if let Some(held) = place.and_then(|place| self.held.get_mut(place)) {
            held.take(now, event);
            held.next_ms = moment.next_ms;
            held.next_use = moment.next_use;
        }
    }

    /// Who is past the reconnect grace is given up by the background pass.
    fn release_expired(&mut self, now: Timestamp) {
        let rules = self.stage.rules;
        self.held
            .retain(|held| held.expires_at(rules).is_none_or(|at| at > now));
    }

    /// The background pass, as it would have run since the last event.
    fn sweep(&mut self, at_ms: u64, now: Timestamp) {
        let rules = self.stage.rules;
        let limit = self.yielding.limit(rules, now);
        let due = f64::from(self.count_held()) >= rules.proactive_from * f64::from(limit)
            && rules.table.rule(Tier::Proactive).enabled;
        if due && self.held.iter().any(|held| !held.is_alive(now)) {
            self.call(Tier::Proactive, 0, None, at_ms, now, true);
        }
    }

    /// An attempt to open a manager that is not held.
    fn open(
        &mut self,
        event: &TraceEvent,
        now: Timestamp,
        silent_from_ms: Option<u64>,
    ) -> Option<usize> {
        let key = (self.stage.key)(event.session)?;
        self.tally.attempts += 1;
        if self.is_full(now) {
            self.make_room(event, &key, now);
        }
        if self.is_full(now) {
            self.tally.blocked += 1;
            return None;
        }
        if let Some(lost_ms) = self.lost.remove(&event.session) {
            self.tally.reopen_misses += 1;
            self.own.reopen_misses += 1;
            if event.at_ms.saturating_sub(lost_ms) <= THRASH_MS {
                self.tally.thrash += 1;
            }
            self.past.entry(event.session).or_default().1 += 1;
        }
        self.lives += 1;
        let begins = matches!(event.kind, TraceEventKind::Open { .. });
        self.held.push(Held::new(Birth {
            session: event.session,
            id: ManagerId::from_raw(self.lives),
            key,
            at: now,
            past: self.past.get(&event.session).copied().unwrap_or_default(),
            silent_from: silent_from_ms.map(|ms| self.at(ms)),
            attached: !(self.stage.attaches && begins),
        }));
        Some(self.held.len() - 1)
    }

    fn count_held(&self) -> u32 {
        u32::try_from(self.held.len()).unwrap_or(u32::MAX)
    }

    fn is_full(&self, now: Timestamp) -> bool {
        self.count_held() >= self.yielding.limit(self.stage.rules, now)
    }

    /// Works through the tiers until there is room, as an admission does: what does not answer,
    /// temporary slots, `force`.
    fn make_room(&mut self, event: &TraceEvent, key: &ManagerKey, now: Timestamp) {
        let rules = self.stage.rules;
        let may_displace = self.yielding.may_displace(key, now);
        for tier in rules.tiers().filter(|tier| *tier != Tier::Force) {
            if rules.table.rule(tier).probe == Probe::Round {
                self.held.iter_mut().for_each(|held| held.probe(now));
            }
            if self.call(
                tier,
                self.short(now),
                Some(event.session),
                event.at_ms,
                now,
                may_displace,
            ) > 0
            {
                return;
            }
        }
        let lend = |run: &Self, turn| run.yielding.lend(turn, run.count_held(), rules, now);
        if lend(self, LendOrder::BeforeForce) {
            return;
        }
        if may_displace && rules.tiers().any(|tier| tier == Tier::Force) {
            let needed = self.short(now);
            let wanted = Some(event.session);
            let went = self.call(Tier::Force, needed, wanted, event.at_ms, now, true);
            if went > 0 {
                let went = u32::try_from(went).unwrap_or(u32::MAX);
                return self.yielding.forced(key, went, now);
            }
        }
        lend(self, LendOrder::AfterForce);
    }

    /// How many have to go for one more.
    fn short(&self, now: Timestamp) -> u32 {
        let limit = self.yielding.limit(self.stage.rules, now);
        (self.count_held() + 1).saturating_sub(limit)
    }

    /// One tier. Returns how many went.
    fn call(
        &mut self,
        tier: Tier,
        needed: u32,
        wanted: Option<u32>,
        at_ms: u64,
        now: Timestamp,
        may_displace: bool,
    ) -> usize {
        let (rules, candidate) = (self.stage.rules, self.stage.candidate);
        let snapshot = self.snapshot(now);
        // A cheap look first: most tiers have nobody to touch.
        let occupancy = snapshot.occupancy();
        let touches = |row: &Row| rules.table.admits(tier, occupancy, row);
        if !snapshot.rows.iter().any(touches) {
            return 0;
        }
        let counts = tier != Tier::Proactive && at_ms >= self.stage.counts_from_ms;
        if counts && self.trigger.is_none() {
            self.trigger = Some((at_ms, UserCounts::of(&self.tally)));
        }
        self.calls += 1;
        let seed = SplitMix64::nth(rules.seed ^ u64::from(self.number), self.calls);
        let decision = DecisionId::from_raw(self.calls);
        let question = Arc::new(Question::new(
            &snapshot,
            &rules.table,
            tier,
            needed,
            decision,
            seed,
        ));
        let next = |row: usize| {
            let manager = question.rows.get(row).map(|row| row.manager);
            let held = self.held.iter().find(|held| Some(held.id) == manager);
            held.map_or(crate::trace::NEVER, |held| held.next_use)
        };
        let answer = candidate.rank(&question, &next);
        let plan = if needed > 0 && rules.is_last(tier, may_displace) {
            guard::last_plan(&question, &rules.table, &answer)
        } else {
            guard::plan(&question, &rules.table, &answer)
        };
        self.tally.count_call(&answer, needed, plan.victims().len());
        let victims: Vec<(ManagerId, Class)> = plan
            .victims()
            .iter()
            .map(|victim| (victim.manager, victim.class))
            .collect();
        let mut gone = Vec::with_capacity(victims.len());
        for (manager, class) in victims {
            gone.extend(self.evict(manager, class, wanted, at_ms, now));
        }
        let went = gone.len();
        self.decisions.push(Decision {
            user: self.number,
            at_ms,
            tier,
            wanted,
            victims: gone,
            question: self.stage.keep_questions.then_some(question),
        });
        went
    }

    fn snapshot(&self, now: Timestamp) -> Snapshot {
        let wanted: &[Signal] = self.stage.candidate.signals();
        let row = |held: &Held| held.row(&self.user, self.stage.rules, now, wanted);
        let rows: Vec<Row> = self.held.iter().map(row).collect();
        Snapshot {
            scope: Scope::User,
            now,
            limit: self.yielding.limit(self.stage.rules, now),
            held: self.count_held(),
            rows,
        }
        .sorted()
    }

    fn evict(
        &mut self,
        manager: ManagerId,
        class: Class,
        wanted: Option<u32>,
        at_ms: u64,
        now: Timestamp,
    ) -> Option<u32> {
        let place = self.held.iter().position(|held| held.id == manager)?;
        let held = self.held.remove(place);
        let (session, tally) = (held.session, &mut self.tally);
        tally.evictions += 1;
        self.own.evictions += 1;
        let away_ms = held.next_ms.saturating_sub(at_ms);
        let ever = held.next_ms != crate::trace::NEVER;
        tally.count_return(ever.then_some(away_ms));
        let headline = HORIZONS_MS.get(HEADLINE).copied().unwrap_or_default();
        let regretted = u64::from(ever && away_ms <= headline);
        self.own.regrets += regretted;
        let by_device = tally.by_device.entry(held.device_class()).or_default();
        by_device.0 += 1;
        by_device.1 += regretted;
        let alive = held.is_alive(now);
        tally.live_kills += u64::from(alive);
        if !matches!(class, Class::Responsive | Class::Detached) {
            tally.zombies.0 += 1;
            tally.zombies.1 += u64::from(!alive);
        }
        if class == Class::Responsive {
            self.yielding.displaced(&held.key, now);
        }
        self.lost.insert(session, at_ms);
        self.past.entry(session).or_default().0 += 1;
        if let Some(wanted) = wanted {
            let depth = match self.rivals {
                Some((victim, winner, depth)) if victim == wanted && winner == session => depth + 1,
                _ => 1,
            };
            self.rivals = Some((session, wanted, depth));
            self.tally.ping_pong = self.tally.ping_pong.max(depth);
        }
        Some(session)
    }
}
