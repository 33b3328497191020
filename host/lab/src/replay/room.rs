//! Making room in a simulated gateway: the tiers one after another, as an admission works through them.

use std::sync::Arc;
use std::time::Duration;

use super::candidate::ReplayCandidate;
use super::exposed::UserCounts;
use super::held::Held;
use super::peer::Look;
use super::recorded::{Ranks, Spot};
use super::tally::{HEADLINE, HORIZONS_MS};
use super::user::{Decision, Run};
use super::yielding::Newcomer;
use crate::trace::{NEVER, Occupied};
use wastegate_core::decision::snapshot::occupancy;
use wastegate_core::decision::{
    Class, LendOrder, Probe, Question, Ranked, Row, Snapshot, TierTable, guard,
};
use wastegate_core::types::{DecisionId, ManagerId, Scope, SplitMix64, Tier, Timestamp};

/// How much earlier than the line that shows it an admission may have looked, or a loan have begun: a round of
/// probes lies in between.
pub(super) const ON_THE_WAY: Duration = Duration::from_secs(1);

/// One tier to be run.
pub(super) struct Call<'a> {
    /// The tiers' rules.
    pub(super) table: &'a TierTable,
    pub(super) tier: Tier,
    /// How many have to go.
    pub(super) needed: u32,
    /// For which manager, by place in the trace, if for a known one.
    pub(super) wanted: Option<u32>,
    pub(super) at_ms: u64,
    pub(super) now: Timestamp,
    /// Nothing is left to try after it, so the built-in ranking completes the plan.
    pub(super) last: bool,
    /// How full the record was; none for as full as the run is.
    pub(super) occupied: Option<Occupied>,
    /// Whom the record spared of its plan, by place in the trace.
    pub(super) spared: &'a [u32],
    /// How many go at the most; none for the whole plan.
    pub(super) most: Option<usize>,
}

impl<'a> Call<'a> {
    /// A call by a table of rules, for nobody and for nothing.
    pub(super) const fn by(table: &'a TierTable, tier: Tier, at_ms: u64, now: Timestamp) -> Self {
        Self {
            table,
            tier,
            needed: 0,
            wanted: None,
            at_ms,
            now,
            last: false,
            occupied: None,
            spared: &[],
            most: None,
        }
    }
}

impl Run<'_> {
    /// Works through the tiers until there is room for so many newcomers, as an admission does: what does not
    /// answer, temporary slots, `force`. `wanted` is the manager of one of them, if that is known, and
    /// `found` the tier that found somebody in the record, if one did.
    pub(super) fn make_room(
        &mut self,
        wanted: Option<u32>,
        newcomers: u32,
        found: Option<Tier>,
        at_ms: u64,
        now: Timestamp,
    ) {
        let rules = self.stage.rules;
        let key = wanted.and_then(self.stage.key);
        let key = key.as_ref();
        // Where the record went on to `force`, its newcomer might.
        let may_displace = found == Some(Tier::Force) || self.yielding.may_displace(key, now);
        let call = |tier, needed: u32, may_displace| Call {
            needed,
            wanted,
            last: needed > 0 && rules.is_last(tier, may_displace),
            ..Call::by(&rules.table, tier, at_ms, now)
        };
        let on_the_way = u64::try_from(ON_THE_WAY.as_micros()).unwrap_or(u64::MAX);
        let before = Timestamp::from_micros(now.micros().saturating_sub(on_the_way));
        for tier in rules.tiers().filter(|tier| *tier != Tier::Force) {
            let needed = self.short(newcomers, now);
            if needed == 0 {
                return;
            }
            if rules.table.rule(tier).probe == Probe::Round {
                self.held.iter_mut().for_each(|held| held.probe(now));
            }
            self.looked_at = found.is_some_and(|found| tier < found).then_some(before);
            self.call(&call(tier, needed, may_displace));
            self.looked_at = None;
        }
        if self.short(newcomers, now) < newcomers {
            return;
        }
        // Where the record went on to `force`, no slot was to be lent.
        if found != Some(Tier::Force) && self.lend(key, LendOrder::BeforeForce, now) {
            return;
        }
        if may_displace && rules.tiers().any(|tier| tier == Tier::Force) {
            let needed = self.yielding.allow(self.short(newcomers, now), now);
            let went = self.call(&call(Tier::Force, needed, true));
            let went = u32::try_from(went).unwrap_or(u32::MAX);
            self.yielding.give_back(needed.saturating_sub(went));
            if went > 0 {
                if let Some(key) = key {
                    self.yielding.returned(key, now);
                }
                return;
            }
        }
        self.lend(key, LendOrder::AfterForce, now);
    }

    fn lend(
        &self,
        key: Option<&wastegate_core::types::ManagerKey>,
        turn: LendOrder,
        now: Timestamp,
    ) -> bool {
        let newcomer = Newcomer {
            key,
            held: self.count_held(),
            own: self.own_limit(),
            now,
        };
        self.yielding.lend(&newcomer, turn, self.stage.rules)
    }

    /// How many have to go for so many more. As in a server, a user above its limit frees one for one.
    fn short(&self, newcomers: u32, now: Timestamp) -> u32 {
        newcomers.saturating_sub(self.limit(now).saturating_sub(self.count_held()))
    }

    /// One tier. Returns how many went.
    pub(super) fn call(&mut self, call: &Call<'_>) -> usize {
        let Call { tier, needed, .. } = *call;
        let (rules, at_ms, now) = (self.stage.rules, call.at_ms, call.now);
        let spot = Spot {
            user: self.number,
            at_ms,
            tier,
        };
        // A cheap look first: most tiers have no manager that they may evict.
        if !self.has_admitted(call) {
            return 0;
        }
        let ranks = self.stage.candidate.ranks(spot);
        let snapshot = self.snapshot(call, ranks.candidate());
        let counts = tier != Tier::Proactive && at_ms >= self.stage.counts_from_ms;
        if counts && self.trigger.is_none() {
            self.trigger = Some((at_ms, UserCounts::of(&self.tally)));
        }
        self.calls += 1;
        let seed = SplitMix64::nth(rules.seed ^ u64::from(self.number), self.calls);
        let seed = ranks.seed().unwrap_or(seed);
        let decision = DecisionId::from_raw(self.calls);
        let question = Question::new(&snapshot, call.table, tier, needed, decision, seed);
        let question = Arc::new(question);
        let answer = self.answer(&ranks, &question);
        let plan = if call.last {
            guard::last_plan(&question, call.table, &answer)
        } else {
            guard::plan(&question, call.table, &answer)
        };
        self.tally.count_call(&answer, needed, plan.victims().len());
        let victims: Vec<(ManagerId, Class)> = plan
            .victims()
            .iter()
            .map(|victim| (victim.manager, victim.class))
            .collect();
        let most = call.most.unwrap_or(victims.len());
        let mut gone = Vec::with_capacity(victims.len().min(most));
        for (manager, class) in victims {
            if gone.len() < most && !self.is_spared(manager, call.spared) {
                gone.extend(self.evict(manager, class, call.wanted, at_ms, now));
            }
        }
        let went = gone.len();
        self.decisions.push(Decision {
            user: self.number,
            at_ms,
            tier,
            wanted: call.wanted,
            victims: gone,
            question: self.stage.keep_questions.then_some(question),
        });
        went
    }

    fn is_spared(&self, manager: ManagerId, spared: &[u32]) -> bool {
        let mut held = self.held.iter();
        !spared.is_empty() && held.any(|held| held.id == manager && spared.contains(&held.session))
    }

    fn answer(&self, ranks: &Ranks<'_>, question: &Arc<Question>) -> Ranked {
        let of = |row: usize| {
            let manager = question.rows.get(row).map(|row| row.manager);
            self.held.iter().find(|held| Some(held.id) == manager)
        };
        match ranks {
            Ranks::AsRecorded { took, .. } => {
                let session = |row: usize| of(row).map(|held| held.session);
                super::recorded::ranked(took, question, &session)
            }
            Ranks::Candidate { candidate, .. } => {
                let next = |row: usize| of(row).map_or(NEVER, |held| held.next_use);
                candidate.rank(question, &next)
            }
        }
    }

    /// The managers that a call sees, and how it looks at them.
    fn seen(&self, call: &Call<'_>) -> (impl Iterator<Item = &Held>, Look<'_>) {
        let mut look = self.stage.look(call.at_ms, call.now);
        look.repeats = call.occupied.is_some();
        let seen = |held: &&Held| self.looked_at.is_none_or(|at| held.changed_at() <= at);
        (self.held.iter().filter(seen), look)
    }

    fn occupied(&self, call: &Call<'_>) -> Occupied {
        call.occupied.unwrap_or_else(|| Occupied {
            limit: self.limit(call.now),
            held: self.count_held(),
        })
    }

    /// Whether the tier of a call may evict any of them.
    fn has_admitted(&self, call: &Call<'_>) -> bool {
        let Occupied { limit, held } = self.occupied(call);
        let occupancy = occupancy(held, limit);
        let (mut seen, look) = self.seen(call);
        seen.any(|held| held.is_admitted(call.table, call.tier, occupancy, look))
    }

    fn snapshot(&self, call: &Call<'_>, candidate: Option<&ReplayCandidate>) -> Snapshot {
        let wanted = candidate.map_or(&[][..], ReplayCandidate::signals);
        let now = call.now;
        let (seen, look) = self.seen(call);
        let rows: Vec<Row> = seen
            .map(|held| held.row(&self.user, look, wanted))
            .collect();
        let occupied = self.occupied(call);
        Snapshot {
            scope: Scope::User,
            now,
            limit: occupied.limit,
            held: occupied.held,
            rows,
        }
        .sorted()
    }

    /// A strategy's victim leaves.
    pub(super) fn evict(
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
        let ever = held.next_ms != NEVER;
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
