//! One user's trace, run again.
//!
//! Events are taken in order. What the user did is given; whether the manager is held, and who has
//! to go for it (`room`), is simulated. An event that a manager wants which is not held is an attempt to open
//! it: after an eviction, a come-back. What a recording says beside the events (`script`, `lives`) is taken
//! too: when its gateway looked, who could have known what, and where its process ended.

use std::collections::HashMap;
use std::sync::Arc;

use super::candidate::ReplayCandidate;
use super::exposed::UserCounts;
use super::held::{Birth, Held};
use super::lives::{LifeFacts, Lives};
use super::order::{Moment, moments, on_the_clock};
use super::peer::Look;
use super::rules::Rules;
use super::script::{Mark, Script, Told};
use super::step::Record;
use super::tally::{ReplayTally, THRASH_MS, UserTally};
use super::yielding::State;
use crate::trace::{RecorderNotes, RefusingLimit, TraceEvent, TraceEventKind};
use wastegate_core::decision::{Question, TierTable};
use wastegate_core::types::{ManagerId, ManagerKey, Tier, Timestamp, UserId};

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

/// Where in its millisecond a moment lies that comes after all events of it, µs.
pub(super) const LAST_OF_A_MS: u64 = 999;

/// What a run of one user needs.
#[derive(Clone, Copy)]
pub(super) struct Stage<'a> {
    pub(super) rules: &'a Rules,
    pub(super) candidate: &'a ReplayCandidate,
    /// By what the surplus leaves when temporary slots end.
    pub(super) surplus_table: &'a TierTable,
    /// Names of the user's managers, by place in the trace.
    pub(super) key: &'a dyn Fn(u32) -> Option<ManagerKey>,
    /// What the gateway that recorded the trace wrote beside the events.
    pub(super) notes: &'a RecorderNotes,
    /// The trace tells when somebody attaches; otherwise whoever opens is attached.
    pub(super) attaches: bool,
    /// The first moment of the trace, ms.
    pub(super) begin_ms: u64,
    /// From when on a user can be exposed, ms.
    pub(super) counts_from_ms: u64,
    /// Whether questions are kept in the log.
    pub(super) keep_questions: bool,
    /// Whether what the record's gateway did is simulated even where it is known.
    pub(super) alone: bool,
}

impl<'a> Stage<'a> {
    /// Whether a gateway recorded the trace: then it says of every life how it ends.
    pub(super) const fn is_recorded(&self) -> bool {
        !self.notes.starts.is_empty()
    }

    /// By what rows are made at a moment.
    pub(super) const fn look(&self, at_ms: u64, now: Timestamp) -> Look<'a> {
        Look {
            rules: self.rules,
            now,
            at_ms,
            tells_health: self.notes.is_complete,
            repeats: false,
        }
    }
}

/// What came of it.
pub(super) struct Played {
    pub(super) tally: ReplayTally,
    pub(super) decisions: Vec<Decision>,
}

/// A user in the middle of a run.
pub(super) struct Run<'a> {
    pub(super) stage: &'a Stage<'a>,
    pub(super) number: u32,
    pub(super) user: UserId,
    pub(super) held: Vec<Held>,
    pub(super) yielding: State,
    pub(super) calls: u64,
    /// The last moment at which the background pass had its chance, ms.
    pub(super) passed_ms: u64,
    /// The tier that is called looked at that moment already: what changed since it has not seen.
    pub(super) looked_at: Option<Timestamp>,
    pub(super) tally: ReplayTally,
    pub(super) decisions: Vec<Decision>,
    /// The first time that room had to be made, ms, and what had been counted until then.
    pub(super) trigger: Option<(u64, UserCounts)>,
    /// Changes of the user's own limit that are still to come, and the limit now.
    limits: Vec<(u64, Option<u32>)>,
    own_limit: Option<u32>,
    /// Places that were made free for newcomers who are on the way: when last, ms, and how many.
    promised: (u64, u32),
    /// Starts of the recorder's process that are behind.
    started: usize,
    lives: u64,
    /// Keys that were lost by eviction: when, ms.
    pub(super) lost: HashMap<u32, u64>,
    /// Evictions and returns by key.
    pub(super) past: HashMap<u32, (u32, u32)>,
    /// Who was evicted last for whom, and how long that has gone back and forth.
    pub(super) rivals: Option<(u32, u32, u64)>,
    pub(super) own: UserTally,
    pub(super) record: Record,
}

/// Runs one user's events.
pub(super) fn play(stage: &Stage<'_>, number: u32, user: UserId, events: &[TraceEvent]) -> Played {
    let notes = stage.notes;
    let (moments, lives) = (moments(events), Lives::of(events, &notes.starts));
    let script = Script::of(events, notes);
    let limits = notes.limits.iter().rev();
    let limits = limits.filter(|change| change.user == number && stage.rules.own_limits);
    let first_ms = events.first().map_or(0, |event| event.at_ms);
    let mut run = Run {
        stage,
        number,
        yielding: State::new(user.clone(), stage.rules),
        user,
        held: Vec::with_capacity(stage.rules.limit as usize),
        calls: 0,
        passed_ms: first_ms,
        looked_at: None,
        tally: ReplayTally::default(),
        decisions: Vec::new(),
        trigger: None,
        limits: limits
            .map(|change| (change.at_ms, change.managers))
            .collect(),
        own_limit: None,
        promised: (0, 0),
        started: notes.life(first_ms),
        lives: 0,
        lost: HashMap::new(),
        past: HashMap::new(),
        rivals: None,
        own: UserTally {
            user: number,
            ..UserTally::default()
        },
        // By limits of another world the record is no guide.
        record: Record::new(stage.alone || !notes.is_complete || !stage.rules.own_limits),
    };
    for (place, (event, moment)) in events.iter().zip(moments).enumerate() {
        let now = moment.at(event.at_ms, stage.begin_ms);
        run.catch_up(event.at_ms);
        if let Some((mark, told)) = script.before(place) {
            run.heed(mark, told, event, now);
        }
        run.step(event, now, moment, lives.facts(place));
        run.record.take(event);
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
    pub(super) fn at(&self, ms: u64) -> Timestamp {
        self.moment(ms, 0)
    }

    /// A moment of the trace, and so many µs.
    pub(super) fn moment(&self, ms: u64, micros: u64) -> Timestamp {
        on_the_clock(ms, self.stage.begin_ms, micros)
    }

    fn place(&self, session: u32) -> Option<usize> {
        self.held.iter().position(|held| held.session == session)
    }

    /// What came about between the last event and this one.
    fn catch_up(&mut self, at_ms: u64) {
        let begun = self.stage.notes.life(at_ms);
        if begun > self.started {
            self.started = begun;
            self.begin_anew();
        }
        while let Some((_, managers)) = self.limits.pop_if(|(from_ms, _)| *from_ms <= at_ms) {
            self.own_limit = managers;
        }
        self.pass_until(at_ms);
    }

    /// The recorder's process began again: nothing is held, and nothing remembered.
    fn begin_anew(&mut self) {
        self.held.clear();
        self.record.clear();
        self.lost.clear();
        self.past.clear();
        self.rivals = None;
        self.own_limit = None;
        self.yielding = State::new(self.user.clone(), self.stage.rules);
    }

    /// Does what the gateway of the record did at that moment, by the choice of this run's strategy.
    fn heed(&mut self, mark: Mark, told: Option<&Told<'_>>, event: &TraceEvent, now: Timestamp) {
        if self.repeat(mark, told, event.at_ms, now) {
            return;
        }
        match mark {
            Mark::Room {
                wanted,
                needed,
                tier,
            } => {
                if wanted.is_none_or(|wanted| self.place(wanted).is_none()) {
                    self.make_room(wanted, needed, Some(tier), event.at_ms, now);
                    self.promised = (event.at_ms, self.promised.1 + needed);
                }
            }
            Mark::Pass => self.sweep(event.at_ms, now),
            Mark::LoanEnds => {
                // Its loan may have begun a moment before the line that shows it.
                let over = now.after(super::room::ON_THE_WAY);
                self.end_loan(event.at_ms, now, over);
            }
            Mark::Node => {
                self.held.retain(|held| held.session != event.session);
            }
        }
    }

    fn step(&mut self, event: &TraceEvent, now: Timestamp, moment: Moment, life: LifeFacts) {
        let mut place = self.place(event.session);
        if event.kind.ends_life() {
            // Its user's own doing, or an operator's: nothing is lost that a strategy took.
            if let Some(place) = place {
                self.held.remove(place);
            }
            self.lost.remove(&event.session);
            return;
        }
        // Another limit refused it, whatever the strategy.
        let is_elsewhere = matches!(
            event.kind,
            TraceEventKind::Refuse {
                by: RefusingLimit::Other,
                ..
            }
        );
        if place.is_none() && event.kind.is_wanted() && !is_elsewhere {
            place = self.open(event, now, life);
        } else if let Some(held) = place.and_then(|place| self.held.get_mut(place))
            && matches!(event.kind, TraceEventKind::Open { .. })
        {
            let silent = life
                .silent_from
                .map(|ms| ms.saturating_sub(self.stage.begin_ms));
            held.renew(silent.map(Timestamp::from_millis), life.until_ms);
        }
        if let Some(held) = place.and_then(|place| self.held.get_mut(place)) {
            held.take(now, event);
            held.next_ms = moment.next_ms;
            held.next_use = moment.next_use;
        }
    }

    /// An attempt to open a manager that is not held.
    fn open(&mut self, event: &TraceEvent, now: Timestamp, life: LifeFacts) -> Option<usize> {
        let key = (self.stage.key)(event.session)?;
        self.tally.attempts += 1;
        // What the record refused at its user's limit may take a free place and evicts nobody: whether its
        // budget was over or nothing might go, no line says.
        let refused = matches!(event.kind, TraceEventKind::Refuse { .. });
        let may_evict = !(refused && self.stage.is_recorded());
        if event.at_ms > self.promised.0 + super::script::ADMITTED_WITHIN_MS {
            self.promised.1 = 0;
        }
        let had_place = self.had_place(event, now);
        let is_taken = self.count_held() + self.promised.1 >= self.limit(now);
        if !may_evict && (had_place == Some(false) || is_taken) {
            // What is free was made so for another newcomer of that moment.
            self.tally.blocked += 1;
            return None;
        }
        self.promised.1 = self.promised.1.saturating_sub(1);
        let mut held = if may_evict { usize::MAX } else { 0 };
        // Above its limit, as when temporary slots have just ended, one is not enough.
        let is_in = had_place == Some(true);
        while !is_in && self.is_full(now) && self.held.len() < held {
            held = self.held.len();
            self.make_room(Some(event.session), 1, None, event.at_ms, now);
        }
        if !is_in && self.is_full(now) {
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
            silent_from: life.silent_from.map(|ms| self.at(ms)),
            told_until_ms: life.until_ms,
            attached: !(self.stage.attaches && begins),
        }));
        Some(self.held.len() - 1)
    }

    pub(super) fn count_held(&self) -> u32 {
        u32::try_from(self.held.len()).unwrap_or(u32::MAX)
    }

    /// How many managers the user may hold without temporary slots.
    pub(super) fn own_limit(&self) -> u32 {
        self.own_limit.unwrap_or(self.stage.rules.limit)
    }

    /// How many it may hold now.
    pub(super) fn limit(&self, now: Timestamp) -> u32 {
        self.yielding.limit(self.own_limit(), self.stage.rules, now)
    }

    fn is_full(&self, now: Timestamp) -> bool {
        self.count_held() >= self.limit(now)
    }
}
