//! What the recording says of itself, and whether a replay of its policy reproduces it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::candidates;
use crate::cli::failure::Failure;
use wastegate_core::decision::LendOrder;
use wastegate_engine::policy::{Engine, shipped};
use wastegate_lab::replay::fidelity::FAITHFUL_FROM;
use wastegate_lab::replay::{
    Fidelity, FidelityMismatch, Keep, Progress, RecordedRanking, Replay, ReplayCandidate, Rules,
    Yielding,
};
use wastegate_lab::trace::{
    ByUser, LoadedTrace, RecordedPolicy, RecorderSettings, Trace, TraceEvent, TraceEventKind,
};
use wastegate_lab::workbench::units;

/// A recording, and where its policy is to be found.
pub(in crate::cli) struct Recorded<'a> {
    pub(in crate::cli) loaded: &'a LoadedTrace,
    pub(in crate::cli) engine: &'a Engine,
    /// Policies that the command line names.
    pub(in crate::cli) named: &'a [String],
}

/// What came of it.
pub(in crate::cli) enum Reproduced {
    /// The activity holds no decision, so there is nothing to reproduce.
    NothingRecorded,
    /// The policy is not at hand.
    NotAtHand(String),
    /// It was run. With how many victims were taken over as recorded, by why.
    Run(Fidelity, BTreeMap<String, u64>),
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
        let outcome = replay.run(&candidate, Keep::Decisions, &Progress::default());
        let outcome = outcome.map_err(|error| Failure::of(&error))?;
        let Some(fidelity) = Fidelity::of(by_user, &outcome) else {
            return Ok(Reproduced::NothingRecorded);
        };
        // What is taken over says nothing of whether a replay would have come to it.
        let taken_over: u64 = as_recorded.values().sum();
        if 2 * taken_over > fidelity.recorded {
            let why: Vec<&str> = as_recorded.keys().map(String::as_str).collect();
            return Ok(Reproduced::NotAtHand(why.join("; ")));
        }
        Ok(Reproduced::Run(fidelity, as_recorded))
    }

    /// The policies that the command line names.
    fn named(&self) -> Result<Vec<ReplayCandidate>, Failure> {
        let named = self.named.iter();
        named
            .map(|named| candidates::one(named, self.engine))
            .collect()
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

impl Reproduced {
    /// Whether what a replay says may be believed.
    pub(in crate::cli) fn may_compare(&self) -> bool {
        match self {
            Self::NothingRecorded => true,
            Self::NotAtHand(_) => false,
            Self::Run(fidelity, _) => fidelity.is_faithful(),
        }
    }

    /// What to say beside whatever is compared all the same; nothing where it may be believed.
    pub(in crate::cli) fn warning(&self) -> Option<String> {
        match self {
            _ if self.may_compare() => None,
            Self::NotAtHand(wanted) => Some(format!(
                "nobody can say whether this replay reproduces what was recorded ({wanted}): what it says \
                 may be about another world"
            )),
            Self::Run(fidelity, _) => Some(format!(
                "this replay reproduces {:.2} % of the recorded victims, and {:.0} % are needed: what it \
                 says is about another world",
                fidelity.share() * 100.0,
                FAITHFUL_FROM * 100.0
            )),
            Self::NothingRecorded => None,
        }
    }

    /// Says how well it went; nothing where there was nothing to reproduce.
    pub(in crate::cli) fn print(&self, trace: &Trace, out: &mut dyn io::Write) -> io::Result<()> {
        let Self::Run(fidelity, as_recorded) = self else {
            return Ok(());
        };
        writeln!(
            out,
            "Fidelity: {:.2} % of {} victims as recorded ({} needed); {} came back, {} in the replay",
            fidelity.share() * 100.0,
            units::thousands(fidelity.recorded),
            format_args!("{:.0} %", FAITHFUL_FROM * 100.0),
            units::thousands(fidelity.returns_recorded),
            units::thousands(fidelity.returns_replayed),
        )?;
        for (why, victims) in as_recorded {
            let victims = units::thousands(*victims);
            writeln!(out, "  {victims} victims are taken over as recorded: {why}")?;
        }
        if fidelity.of_the_node > 0 {
            writeln!(
                out,
                "  {} more were taken for the node's own limit, in every replay as recorded",
                units::thousands(fidelity.of_the_node)
            )?;
        }
        let kinds: Vec<String> = fidelity
            .kinds()
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        match fidelity.first() {
            Some(first) => writeln!(
                out,
                "  differences: {}; the first: {}",
                kinds.join(", "),
                mismatch(first, trace)
            ),
            None => Ok(()),
        }
    }

    /// Says why nothing is compared.
    pub(in crate::cli) fn refusal(&self, trace: &Trace) -> Failure {
        match self {
            Self::NothingRecorded => Failure::all([]),
            Self::NotAtHand(wanted) => Failure::new(format!(
                "nobody can say whether a replay reproduces this activity ({wanted}): name the file of what \
                 ranked by `--recorded`, or compare all the same with `--unfaithful`"
            )),
            Self::Run(fidelity, _) => {
                let first = fidelity.first();
                let first = first.map_or(String::new(), |first| {
                    format!("; first difference: {}", mismatch(first, trace))
                });
                Failure::new(format!(
                    "a replay of the recorded policy takes {:.2} % of the recorded victims, and \
                     {:.0} % are needed: what it says of others would be about another world{first}. \
                     `--unfaithful` compares all the same",
                    fidelity.share() * 100.0,
                    FAITHFUL_FROM * 100.0
                ))
            }
        }
    }

    /// The comparison as JSON.
    pub(in crate::cli) fn json(&self) -> Value {
        match self {
            Self::NothingRecorded => Value::Null,
            Self::NotAtHand(wanted) => json!({ "policy_not_at_hand": wanted, "faithful": false }),
            Self::Run(fidelity, as_recorded) => json!({
                "share": fidelity.share(),
                "faithful": fidelity.is_faithful(),
                "recorded": fidelity.recorded,
                "replayed": fidelity.replayed,
                "matched": fidelity.matched,
                "returns_recorded": fidelity.returns_recorded,
                "returns_replayed": fidelity.returns_replayed,
                "of_the_node": fidelity.of_the_node,
                "as_recorded": as_recorded,
                "differences": fidelity.kinds(),
            }),
        }
    }
}

fn mismatch(first: &FidelityMismatch, trace: &Trace) -> String {
    let name = |session: &u32| {
        let session = trace.sessions.get(*session as usize);
        session.map_or("?", |session| &*session.key)
    };
    let names = |who: &[u32]| {
        let names: Vec<&str> = who.iter().map(name).collect();
        if names.is_empty() {
            "nobody".to_owned()
        } else {
            names.join(", ")
        }
    };
    let user = trace
        .users
        .get(first.user as usize)
        .map_or("?", |user| &**user);
    format!(
        "{} of user {user} at {} ms: recorded {}, replayed {}",
        first.kind.name(),
        first.at_ms,
        names(&first.recorded),
        names(&first.replayed)
    )
}
