//! What the recording says of itself, and whether a replay of its policy reproduces it.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use super::candidates;
use crate::cli::failure::Failure;
use wastegate_core::decision::LendOrder;
use wastegate_engine::policy::{Engine, shipped};
use wastegate_lab::replay::fidelity::FAITHFUL_FROM;
use wastegate_lab::replay::{
    Fidelity, FidelityMismatch, Keep, Progress, Replay, ReplayCandidate, Rules, Yielding,
};
use wastegate_lab::trace::{
    ByUser, LoadedTrace, RecorderSettings, Trace, TraceEvent, TraceEventKind,
};
use wastegate_lab::workbench::units;

/// A recording, and where its policy is to be found.
pub(in crate::cli) struct Recorded<'a> {
    pub(in crate::cli) loaded: &'a LoadedTrace,
    pub(in crate::cli) engine: &'a Engine,
    /// As the command line names it.
    pub(in crate::cli) named: Option<&'a str>,
}

/// What came of it.
pub(in crate::cli) enum Reproduced {
    /// The activity holds no decision, so there is nothing to reproduce.
    NothingRecorded,
    /// The policy is not at hand.
    NotAtHand(String),
    /// It was run.
    Run(Fidelity),
}

/// Takes over the rules that a recording came about by.
pub(in crate::cli) fn apply(settings: &RecorderSettings, rules: &mut Rules) {
    let set = |to: &mut Duration, ms: Option<u64>| {
        if let Some(ms) = ms {
            *to = Duration::from_millis(ms);
        }
    };
    rules.limit = settings.managers_per_user.unwrap_or(rules.limit);
    rules.table.reserve = settings.reserve.unwrap_or(rules.table.reserve);
    rules.table.keep_one = settings.keep_one.unwrap_or(rules.table.keep_one);
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

impl Recorded<'_> {
    /// Runs the recorded policy by the recorded rules.
    pub(in crate::cli) fn reproduce(
        &self,
        replay: &Replay<'_>,
        by_user: &ByUser<'_>,
    ) -> Result<Reproduced, Failure> {
        let chosen =
            |event: &TraceEvent| matches!(event.kind, TraceEventKind::Evict { tier: Some(_), .. });
        if !self.loaded.trace.events.iter().any(chosen) {
            return Ok(Reproduced::NothingRecorded);
        }
        let Some(candidate) = self.policy()? else {
            return Ok(Reproduced::NotAtHand(self.wanted()));
        };
        let outcome = replay.run(&candidate, Keep::Decisions, &Progress::default());
        let outcome = outcome.map_err(|error| Failure::of(&error))?;
        let fidelity = Fidelity::of(by_user, &outcome);
        Ok(fidelity.map_or(Reproduced::NothingRecorded, Reproduced::Run))
    }

    /// The policy that ranked: named, or shipped under the recorded name with the recorded digest.
    pub(in crate::cli) fn policy(&self) -> Result<Option<ReplayCandidate>, Failure> {
        if let Some(named) = self.named {
            return candidates::one(named, self.engine).map(Some);
        }
        let Some(settings) = &self.loaded.settings else {
            return Ok(None);
        };
        let Some(policy) = &settings.policy else {
            return Ok(Some(ReplayCandidate::builtin()));
        };
        if shipped::find(&policy.name).is_none() {
            return Ok(None);
        }
        let one = candidates::one(&policy.name, self.engine)?;
        Ok((*one.about().digest == *policy.digest).then_some(one))
    }

    fn wanted(&self) -> String {
        let policy = self
            .loaded
            .settings
            .as_ref()
            .and_then(|s| s.policy.as_ref());
        policy.map_or("the policy that ranked".to_owned(), |policy| {
            let digest: String = policy.digest.chars().take(12).collect();
            format!("{} {} ({digest}…)", policy.name, policy.version)
        })
    }
}

impl Reproduced {
    /// Whether what a replay says may be believed.
    pub(in crate::cli) fn may_compare(&self) -> bool {
        match self {
            Self::NothingRecorded => true,
            Self::NotAtHand(_) => false,
            Self::Run(fidelity) => fidelity.is_faithful(),
        }
    }

    /// Says how well it went; nothing where there was nothing to reproduce.
    pub(in crate::cli) fn print(&self, trace: &Trace, out: &mut dyn io::Write) -> io::Result<()> {
        let Self::Run(fidelity) = self else {
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
        match &fidelity.first {
            Some(first) => writeln!(out, "  first difference: {}", mismatch(first, trace)),
            None => Ok(()),
        }
    }

    /// Says why nothing is compared.
    pub(in crate::cli) fn refusal(&self, trace: &Trace) -> Failure {
        match self {
            Self::NothingRecorded => Failure::all([]),
            Self::NotAtHand(wanted) => Failure::new(format!(
                "this activity was recorded with {wanted}, which is not at hand, so nobody can say \
                 whether a replay reproduces it: name its file by `--recorded`, or compare all the same \
                 with `--unfaithful`"
            )),
            Self::Run(fidelity) => {
                let first = fidelity.first.as_ref();
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
            Self::Run(fidelity) => json!({
                "share": fidelity.share(),
                "faithful": fidelity.is_faithful(),
                "recorded": fidelity.recorded,
                "replayed": fidelity.replayed,
                "matched": fidelity.matched,
                "returns_recorded": fidelity.returns_recorded,
                "returns_replayed": fidelity.returns_replayed,
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
        "user {user} at {} ms: recorded {}, replayed {}",
        first.at_ms,
        names(&first.recorded),
        names(&first.replayed)
    )
}
