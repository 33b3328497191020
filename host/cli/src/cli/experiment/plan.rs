//! `wastegate experiment plan`: what a definition takes, from recorded activity.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::Terminal;
use super::super::failure::Failure;
use super::super::policy::operate::client::refused;
use super::super::replay::recorded::Recorded;
use super::super::replay::{Input, Ready, candidates, progress};
use super::super::trace::print_missing;
use super::definition::DefinitionFile;
use wastegate_control::admin::body;
use wastegate_control::experiment::Definition;
use wastegate_control::experiment::definition::{ACTIVE, ArmSpec};
use wastegate_control::experiment::past::UserPast;
use wastegate_control::experiment::plan::{
    ExperimentPlan, MetricPlan, RecordedUser, RecordedUsers, Wish, plan,
};
use wastegate_control::experiment::tally::ExposureTally;
use wastegate_lab::replay::{
    Exposed, Keep, Progress, Replay, ReplayCandidate, ReplayTally, UserCounts,
};
use wastegate_lab::trace::{ByUser, Trace, TraceEvent};
use wastegate_lab::workbench::units;

/// Arguments of `wastegate experiment plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The definition, as `experiment start` takes it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    input: Input,
    /// By which share of the control's value the primary metric is to become less.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = effect)]
    effect: f64,
    /// Also say what so many days show.
    #[arg(long, value_name = "DAYS", value_parser = days)]
    days: Option<f64>,
    /// The first part of the recording that is only the users' past, 0 to 0.9: so it is where a server has run for a
    /// while before an experiment starts.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = past)]
    past: f64,
    /// Plan although the replay does not reproduce what was recorded.
    #[arg(long)]
    unfaithful: bool,
    /// A policy that ranked while the activity was recorded, where it is none that the host ships.
    /// Repeatable.
    #[arg(long, value_name = "POLICY")]
    recorded: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn effect(text: &str) -> Result<f64, String> {
    within(text, 0.001, 1.0, "such as 0.2 for a fifth less")
}

fn days(text: &str) -> Result<f64, String> {
    within(text, 0.1, 365.0, "such as 5")
}

fn past(text: &str) -> Result<f64, String> {
    within(text, 0.0, 0.9, "such as 0.5 for the first half")
}

fn within(text: &str, least: f64, most: f64, such_as: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("it has to be {least} to {most}, {such_as}"))
    }
}

impl Args {
    /// Does it: 0 with a plan, 1 if none can be made, 66 without activity.
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment,
            out,
            err,
        } = terminal;
        let file = DefinitionFile::read(&self.file)?;
        let place = |why: &dyn std::fmt::Display| file.refusal(refused(&why.to_string()));
        let definition = body::read::<Definition>(&serde_json::to_vec(&file.body)?);
        let definition = definition.map_err(|why| place(&format!("the definition {why}")))?;
        let definition = definition.named();
        // Before minutes of replay.
        definition.check().map_err(|error| place(&error))?;
        let ready = self.input.ready(environment, err)?;
        print_missing(&ready.loaded, err)?;
        let by_user = ByUser::new(&ready.loaded.trace);
        let replay = Replay::new(&by_user, &ready.rules, ready.threads)
            .map_err(|error| Failure::of(&error))?;
        let span = Span::of(&ready.loaded.trace, self.past);
        let replay = replay.counting_from(span.from_ms);
        let named = &self.recorded;
        ready.insist(named, &replay, &by_user, self.unfaithful, err)?;
        let control = control(definition.arms.first(), &ready, named)?;
        let progress = Progress::default();
        let outcome = progress::shown("plan", &progress, replay.users(), || {
            replay.run(&control, Keep::Counts, &progress)
        });
        let outcome = outcome.map_err(|error| Failure::of(&error))?;
        let users = users(&ready.loaded.trace, span, &outcome.tally);
        let wish = Wish {
            effect: self.effect,
            days: self.days,
        };
        let plan = plan(&definition, &users, wish).map_err(|error| place(&error))?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&plan)?)?;
        } else {
            print(&plan, &control, out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Who ranks for the control's users: its policy, or where that is the active one, what the recording names.
fn control(
    arm: Option<&ArmSpec>,
    ready: &Ready,
    named: &[String],
) -> Result<ReplayCandidate, Failure> {
    let arm = arm.filter(|arm| arm.policy != ACTIVE);
    let Some(arm) = arm else {
        let recorded = Recorded {
            loaded: &ready.loaded,
            engine: &ready.engine,
            named,
        };
        return Ok(recorded.policy()?.unwrap_or_else(ReplayCandidate::builtin));
    };
    let params = arm.params.iter();
    let params: Vec<String> = params
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    candidates::one(
        &format!("{}?{}", arm.policy, params.join("&")),
        &ready.engine,
    )
}

/// The part of a recording that an experiment would have run in, ms as in the trace.
#[derive(Clone, Copy)]
struct Span {
    from_ms: u64,
    to_ms: u64,
}

impl Span {
    /// What is left of a recording after the first `past` of it.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times of a trace are far below 2^53 ms, and the share is from 0 to 0.9"
    )]
    fn of(trace: &Trace, past: f64) -> Self {
        let at = |event: Option<&TraceEvent>| event.map_or(0, |event| event.at_ms);
        let (first_ms, to_ms) = (at(trace.events.first()), at(trace.events.last()));
        let before = to_ms.saturating_sub(first_ms) as f64 * past;
        Self {
            from_ms: first_ms.saturating_add(before as u64),
            to_ms,
        }
    }
}

fn users(trace: &Trace, span: Span, tally: &ReplayTally) -> RecordedUsers {
    let exposed = tally.exposed.iter().map(|it: &Exposed| RecordedUser {
        after_hours: hours(span.from_ms, it.trigger_ms),
        seen_after_hours: hours(span.from_ms, it.known_ms),
        hours: hours(it.trigger_ms, span.to_ms),
        tally: counted(&it.since),
        past: Some(UserPast {
            hours: hours(it.known_ms, it.trigger_ms),
            tally: counted(&it.before),
        }),
    });
    RecordedUsers {
        users: trace.users.len() as u64,
        hours: hours(span.from_ms, span.to_ms),
        exposed: exposed.collect(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times of a trace are far below 2^53 ms"
)]
fn hours(from_ms: u64, to_ms: u64) -> f64 {
    to_ms.saturating_sub(from_ms) as f64 / 3_600_000.0
}

/// As an experiment counts. A replay lets nobody wait, and every victim could have answered.
fn counted(counts: &UserCounts) -> ExposureTally {
    ExposureTally {
        decisions: counts.decisions,
        fallbacks: counts.faults,
        evictions: counts.evictions,
        echoed: counts.live_kills,
        silent: counts.evictions.saturating_sub(counts.live_kills),
        returned: counts.regret,
        attempts: counts.attempts,
        blocked: counts.blocked,
        runs: counts.decisions,
        freed_nothing: counts.freed_nothing,
        ..ExposureTally::default()
    }
}

fn print(
    plan: &ExperimentPlan,
    control: &ReplayCandidate,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    writeln!(
        out,
        "{}: from {} users in {:.1} h, of whom {} needed room; {} ranked",
        plan.name,
        units::thousands(plan.recorded_users),
        plan.recorded_hours,
        units::thousands(plan.recorded_exposed),
        control.name,
    )?;
    writeln!(
        out,
        "{:<15} {:>10} {:>12} {:>9} {:>12} {:>7}",
        "metric", "recorded", "to show", "by past", "users", "days"
    )?;
    for it in &plan.metrics {
        writeln!(
            out,
            "{:<15} {:>10} {:>12} {:>9} {:>12} {:>7}",
            it.metric.name(),
            number(it.value),
            to_show(it),
            format!("{:.0} %", it.variance_removed * 100.0),
            whole(it.users),
            it.days.map_or("–".to_owned(), |days| format!("{days:.1}")),
        )?;
    }
    let primary = plan.metrics.first().map_or("", |it| it.metric.name());
    writeln!(
        out,
        "\n{:>5} {:>12}  smallest effect in {primary}",
        "days", "users"
    )?;
    for it in &plan.days {
        let share = it.detectable_share;
        let share = share.map_or_else(String::new, |share| format!(" ({:.0} %)", share * 100.0));
        let effect = it.detectable.map_or("too few users".to_owned(), |effect| {
            format!("{effect:.4}{share}")
        });
        writeln!(
            out,
            "{:>5} {:>12}  {effect}",
            it.days,
            whole(Some(it.users.floor()))
        )?;
    }
    let (tests, each) = (plan.metrics.len(), plan.power_each * 100.0);
    let power = plan.power * 100.0;
    match (plan.users_needed, plan.days_needed) {
        (Some(_), Some(days)) => writeln!(
            out,
            "\nA promotion takes {} exposed users in both arms, which is {days:.1} days (power {power:.0} %: each of {tests} tests with {each:.1} %).",
            whole(plan.users_needed)
        )?,
        (Some(_), None) => writeln!(
            out,
            "\nA promotion takes {} exposed users in both arms, and so many do not come.",
            whole(plan.users_needed)
        )?,
        (None, _) => writeln!(out, "\nNo number of users leads to a promotion.")?,
    }
    for note in &plan.notes {
        writeln!(out, "- {note}")?;
    }
    Ok(())
}

fn to_show(it: &MetricPlan) -> String {
    match (it.margin, it.difference) {
        (Some(margin), _) => format!("< +{margin}"),
        (None, Some(difference)) => format!("-{difference:.4}"),
        (None, None) => "–".to_owned(),
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.4}"))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "users are not below zero, and what is beyond 2^64 saturates"
)]
fn whole(users: Option<f64>) -> String {
    users.map_or("–".to_owned(), |users| units::thousands(users as u64))
}
