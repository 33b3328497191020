//! Making room in a simulated gateway: the tiers one after another, as an admission works through them.

use std::sync::Arc;
use std::time::Duration;

use super::candidate::ReplayCandidate;
use super::exposed::UserCounts;
use super::recorded::{Ranks, Spot};
use super::tally::{HEADLINE, HORIZONS_MS};
use super::user::{Decision, Run};
use super::yielding::Newcomer;
use crate::trace::NEVER;
use wastegate_core::decision::{
    Class, LendOrder, Probe, Question, Ranked, Row, Snapshot, TierTable, guard,
};
use wastegate_core::types::{DecisionId, ManagerId, Scope, SplitMix64, Tier, Timestamp};

/// How much earlier than the line that shows it an admission may have looked, or a loan have begun: a round of
/// probes lies in between.
pub(super) const ON_THE_WAY: Duration = Duration::from_secs(1);

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
        let may_displace = self.yielding.may_displace(key, now);
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
            self.call(tier, needed, wanted, at_ms, now, may_displace);
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
            let went = self.call(Tier::Force, needed, wanted, at_ms, now, true);
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
    pub(super) fn call(
        &mut self,
        tier: Tier,
        needed: u32,
        wanted: Option<u32>,
        at_ms: u64,
        now: Timestamp,
        may_displace: bool,
    ) -> usize {
        let table = &self.stage.rules.table;
        self.call_by(table, tier, needed, wanted, at_ms, now, may_displace)
    }

    /// One tier by a table of its own.
    #[expect(clippy::too_many_arguments, reason = "one call, from two places")]
    pub(super) fn call_by(
        &mut self,
        table: &TierTable,
        tier: Tier,
        needed: u32,
        wanted: Option<u32>,
        at_ms: u64,
        now: Timestamp,
        may_displace: bool,
    ) -> usize {
        let rules = self.stage.rules;
        let spot = Spot {
            user: self.number,
            at_ms,
            tier,
        };
        let ranks = self.stage.candidate.ranks(spot);
        let snapshot = self.snapshot(at_ms, now, ranks.candidate());
        // A cheap look first: most tiers have nobody to touch.
        let occupancy = snapshot.occupancy();
        let touches = |row: &Row| table.admits(tier, occupancy, row);
        if !snapshot.rows.iter().any(touches) {
            return 0;
        }
        let counts = tier != Tier::Proactive && at_ms >= self.stage.counts_from_ms;
        if counts && self.trigger.is_none() {
            self.trigger = Some((at_ms, UserCounts::of(&self.tally)));
        }
        self.calls += 1;
        let seed = SplitMix64::nth(rules.seed ^ u64::from(self.number), self.calls);
        let seed = ranks.seed().unwrap_or(seed);
        let decision = DecisionId::from_raw(self.calls);
        let question = Question::new(&snapshot, table, tier, needed, decision, seed);
        let question = Arc::new(question);
        let answer = self.answer(&ranks, &question);
        let plan = if needed > 0 && rules.is_last(tier, may_displace) {
            guard::last_plan(&question, table, &answer)
        } else {
            guard::plan(&question, table, &answer)
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

    fn snapshot(
        &self,
        at_ms: u64,
        now: Timestamp,
        candidate: Option<&ReplayCandidate>,
    ) -> Snapshot {
        let wanted = candidate.map_or(&[][..], ReplayCandidate::signals);
        let look = self.stage.look(at_ms, now);
        let row = |held: &super::held::Held| held.row(&self.user, look, wanted);
        let seen =
            |held: &&super::held::Held| self.looked_at.is_none_or(|at| held.changed_at() <= at);
        let rows: Vec<Row> = self.held.iter().filter(seen).map(row).collect();
        Snapshot {
            scope: Scope::User,
            now,
            limit: self.limit(now),
            held: self.count_held(),
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
