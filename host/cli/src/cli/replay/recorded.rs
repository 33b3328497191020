//! What the recording says of itself: the rules, and who ranked.

use std::sync::Arc;
use std::time::Duration;

use super::candidates;
use super::reproduced::Reproduced;
use crate::cli::failure::Failure;
use wastegate_core::decision::LendOrder;
use wastegate_engine::policy::{Engine, shipped};
use wastegate_lab::replay::{
    Fidelity, Keep, Progress, RecordedRanking, Replay, ReplayCandidate, Rules, Yielding,
};
use wastegate_lab::trace::{
    ByUser, LoadedTrace, RecordedPolicy, RecorderSettings, TraceEvent, TraceEventKind,
};

/// A recording, and where its policy is to be found.
pub(in crate::cli) struct Recorded<'a> {
    pub(in crate::cli) loaded: &'a LoadedTrace,
    pub(in crate::cli) engine: &'a Engine,
    /// Policies that the command line names.
    pub(in crate::cli) named: &'a [String],
}

/// Takes over the rules that a recording came about by.
pub(in crate::cli) fn apply(settings: &RecorderSettings, rules: &mut Rules) {
    let set = |to: &mut Duration, ms: Option<u64>| {
        if let Some(ms) = ms {
            *to = Duration::from_millis(ms);
        }
    };
    rules.limit = settings.managers_per_user.unwrap_or(rules.limit);
    if let Some(table) = settings.table() {
        rules.table = table;
    }
    rules.table.reserve = settings.reserve.unwrap_or(rules.table.reserve);
    rules.table.keep_one = settings.keep_one.unwrap_or(rules.table.keep_one);
    let interval_ms = settings.sweep_interval_ms;
    rules.sweep_interval_ms = interval_ms.unwrap_or(rules.sweep_interval_ms);
    set(&mut rules.dead_for, settings.dead_for_ms);
    set(
        &mut rules.manager.recently_active,
        settings.recently_active_ms,
    );
    let trusts = settings.trust_hints;
    rules.manager.trust_hints = trusts.unwrap_or(rules.manager.trust_hints);
    let health = &mut rules.health;
    let misses = settings.suspect_after_misses;
    health.suspect_after_misses = misses.unwrap_or(health.suspect_after_misses);
    let misses = settings.half_open_after_misses;
    health.half_open_after_misses = misses.unwrap_or(health.half_open_after_misses);
    set(&mut health.evidence_age, settings.evidence_age_ms);
    rules.last_tier = settings.last_tier.unwrap_or(rules.last_tier);
    rules.proactive_from = settings.proactive_from.unwrap_or(rules.proactive_from);
    set(&mut rules.manager.attach_grace, settings.attach_grace_ms);
    set(
        &mut rules.manager.reconnect_grace,
        settings.reconnect_grace_ms,
    );
    set(&mut rules.health.ping_interval, settings.ping_interval_ms);
    set(&mut rules.health.pong_deadline, settings.pong_deadline_ms);
    set(&mut rules.health.dead_after, settings.dead_after_ms);
    let Yielding {
        lending,
        hold,
        most,
        window,
    } = &mut rules.yielding;
    lending.slots = settings.temporary_slots.unwrap_or(lending.slots);
    set(&mut lending.lasting, settings.temporary_slots_for_ms);
    set(
        &mut lending.cool_down,
        settings.temporary_slots_cool_down_ms,
    );
    if settings.temporary_slots_after_force == Some(true) {
        lending.order = LendOrder::AfterForce;
    }
    set(&mut hold.first, settings.displaced_hold_ms);
    set(&mut hold.max, settings.displaced_hold_max_ms);
    *most = settings.force_per_user_max.unwrap_or(*most);
    set(window, settings.force_window_ms);
}

/// What a recording of an earlier version does not say, if it is one.
pub(in crate::cli) fn lacks(loaded: &LoadedTrace) -> Option<String> {
    let settings = loaded.settings.as_ref()?;
    if loaded.trace.notes.is_complete {
        return None;
    }
    let version = settings
        .wastegate
        .as_deref()
        .unwrap_or("an earlier version");
    Some(format!(
        "recorded by wastegate {version}, which did not write down when its background pass ran, what it \
         believed of peers, who ranked at each decision, users' own limits and the tier table: the replay \
         takes a pass every interval, the policy that ranked at the start, and for the rest the \
         configuration of this command (`--set cleanup.…`)"
    ))
}

impl Recorded<'_> {
    /// Runs the recorded policy by the recorded rules.
    pub(in crate::cli) fn reproduce(
        &self,
        replay: &Replay<'_>,
        by_user: &ByUser<'_>,
    ) -> Result<Reproduced, Failure> {
        let chosen = |event: &TraceEvent| {
            matches!(
                event.kind,
                TraceEventKind::Evict { tier: Some(_), .. }
                    | TraceEventKind::Evict {
                        decision: Some(_),
                        ..
                    }
            )
        };
        if !self.loaded.trace.events.iter().any(chosen) {
            return Ok(Reproduced::NothingRecorded);
        }
        let named = self.named()?;
        let default = self.default(&named)?;
        let is_told = self.loaded.trace.notes.is_complete;
        if default.is_none() && !is_told {
            return Ok(Reproduced::NotAtHand(self.wanted()));
        }
        let ranking = RecordedRanking::of(by_user, default, |policy, params| {
            self.at_hand(policy, params, &named)
        })?;
        let as_recorded = ranking.as_recorded().clone();
        let candidate = ReplayCandidate::recorded(Arc::new(ranking));
        let fidelity = |replay: &Replay<'_>| {
            let outcome = replay.run(&candidate, Keep::Decisions, &Progress::default());
            let outcome = outcome.map_err(|error| Failure::of(&error))?;
            Ok::<_, Failure>(Fidelity::of(by_user, &outcome))
        };
        let Some((fidelity, simulated)) = fidelity(replay)?.zip(fidelity(&replay.clone().alone())?)
        else {
            return Ok(Reproduced::NothingRecorded);
        };
        // What is taken over says nothing of whether a replay would have come to it.
        let taken_over: u64 = as_recorded.values().sum();
        if 2 * taken_over > fidelity.recorded {
            let why: Vec<&str> = as_recorded.keys().map(String::as_str).collect();
            return Ok(Reproduced::NotAtHand(why.join("; ")));
        }
        Ok(Reproduced::Run {
            fidelity,
            simulated: simulated.share(),
            as_recorded,
        })
    }

    /// The policies that the command line names.
    fn named(&self) -> Result<Vec<ReplayCandidate>, Failure> {
        let one = |named: &String| candidates::one(named, self.engine);
        self.named.iter().map(one).collect()
    }

    /// The policy that ranked at the start of the recording, if it is at hand.
    pub(in crate::cli) fn policy(&self) -> Result<Option<ReplayCandidate>, Failure> {
        self.default(&self.named()?)
    }

    /// Who ranked where no decision says: named, or shipped under the name and digest of the start.
    fn default(&self, named: &[ReplayCandidate]) -> Result<Option<ReplayCandidate>, Failure> {
        let settings = self.loaded.settings.as_ref();
        let Some(policy) = settings.map(|settings| &settings.policy) else {
            return Ok(named.first().cloned());
        };
        let Some(policy) = policy else {
            let builtin = ReplayCandidate::builtin;
            return Ok(Some(named.first().cloned().unwrap_or_else(builtin)));
        };
        let params = policy.params.clone();
        let found = self.at_hand(policy, &params.unwrap_or_default(), named)?;
        Ok(found.or_else(|| named.first().cloned()))
    }

    /// A policy with its parameters: the host's own ranking, one that the command line names, or one that
    /// ships, by the digest of its bytes.
    fn at_hand(
        &self,
        policy: &RecordedPolicy,
        params: &[f64],
        named: &[ReplayCandidate],
    ) -> Result<Option<ReplayCandidate>, Failure> {
        let builtin = ReplayCandidate::builtin();
        if *builtin.about().digest == *policy.digest {
            return Ok(Some(builtin));
        }
        let is_it = |one: &&ReplayCandidate| *one.about().digest == *policy.digest;
        let found = match named.iter().find(is_it) {
            Some(one) => Some(one.clone()),
            None if shipped::find(&policy.name).is_some() => {
                Some(candidates::one(&policy.name, self.engine)?)
            }
            None => None,
        };
        let found = found.filter(|one| is_it(&one));
        // A recording of an earlier version does not say its parameters.
        Ok(found.map(|one| match params {
            [] => one,
            params => one.with_params(params),
        }))
    }

    fn wanted(&self) -> String {
        let policy = self
            .loaded
            .settings
            .as_ref()
            .and_then(|s| s.policy.as_ref());
        policy.map_or("it does not say who ranked".to_owned(), |policy| {
            let digest: String = policy.digest.chars().take(12).collect();
            format!(
                "{} {} ({digest}…) is not at hand",
                policy.name, policy.version
            )
        })
    }
}
