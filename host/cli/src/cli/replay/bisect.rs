//! `wastegate replay bisect`: the first decision at which two strategies take others, and what it led
//! to. After it their runs are different worlds, so it is the one that explains.

use std::io;
use std::process::ExitCode;

use super::{Input, candidates};
use crate::cli::Terminal;
use crate::cli::failure::Failure;
use crate::cli::policy::table::Table;
use crate::cli::trace::print_missing;
use wastegate_core::types::{Signal, Timestamp};
use wastegate_lab::replay::{Decision, Keep, Progress, Replay, ReplayCandidate};
use wastegate_lab::trace::{ByUser, Trace};
use wastegate_lab::workbench::units;

/// Arguments of `wastegate replay bisect`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The first strategy: a policy's file or name, or `builtin`.
    #[arg(value_name = "A")]
    a: String,
    /// The second strategy, given the same way.
    #[arg(value_name = "B")]
    b: String,
    #[command(flatten)]
    input: Input,
}

impl Args {
    pub(super) fn run(self, terminal: Terminal<'_>) -> Result<ExitCode, Failure> {
        let Terminal {
            environment,
            out,
            err,
        } = terminal;
        let ready = self.input.ready(environment, err)?;
        print_missing(&ready.loaded, err)?;
        let mut sides = Vec::new();
        for named in [&self.a, &self.b] {
            sides.push(candidates::one(named, &ready.engine)?);
        }
        let by_user = ByUser::new(&ready.loaded.trace);
        let replay = Replay::new(&by_user, &ready.rules, ready.threads)
            .map_err(|error| Failure::of(&error))?;
        ready.insist(&[], &replay, &by_user, true, err)?;
        let mut runs = Vec::new();
        for side in &sides {
            let outcome = replay.run(side, Keep::Decisions, &Progress::default());
            runs.push(outcome.map_err(|error| Failure::of(&error))?);
        }
        let ([a, b], [of_a, of_b]) = (sides.as_slice(), runs.as_slice()) else {
            return Ok(ExitCode::FAILURE);
        };
        let Some((user, place)) = first_difference(&of_a.decisions, &of_b.decisions) else {
            writeln!(
                out,
                "{} and {} take the same at each of {} decisions.",
                a.name,
                b.name,
                units::thousands(of_a.tally.decisions)
            )?;
            return Ok(ExitCode::SUCCESS);
        };
        let explained = [a, b].map(|side| replay.explain(user, side));
        let [Some(in_a), Some(in_b)] = [0, 1].map(|side| {
            let decisions = explained.get(side)?;
            decisions.get(place)
        }) else {
            writeln!(
                out,
                "One of them makes a decision there that the other does not."
            )?;
            return Ok(ExitCode::SUCCESS);
        };
        print(
            &replay,
            &ready.loaded.trace,
            [a, b],
            [in_a, in_b],
            place,
            out,
        )?;
        for (side, run) in sides.iter().zip(&runs) {
            let own = run.tally.per_user.iter().find(|own| own.user == user);
            let own = own.copied().unwrap_or_default();
            writeln!(
                out,
                "  {}: {} evictions of this user, {} of them regretted within 10 minutes, {} reopen-misses; over all {} reopen-misses",
                side.name,
                own.evictions,
                own.regrets,
                own.reopen_misses,
                units::thousands(run.tally.reopen_misses)
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The user and the number of the decision at which two runs part first, by time.
fn first_difference(a: &[Decision], b: &[Decision]) -> Option<(u32, usize)> {
    let users = |run: &[Decision]| -> std::collections::BTreeMap<u32, Vec<Decision>> {
        let mut users: std::collections::BTreeMap<u32, Vec<Decision>> = Default::default();
        for one in run {
            users.entry(one.user).or_default().push(one.clone());
        }
        users
    };
    let (a, b) = (users(a), users(b));
    let none = Vec::new();
    let difference = |user: u32| {
        let (a, b) = (a.get(&user).unwrap_or(&none), b.get(&user).unwrap_or(&none));
        let same = a.iter().zip(b).take_while(|(a, b)| a.is_same(b)).count();
        let at = [a.get(same), b.get(same)].into_iter().flatten();
        let at_ms = at.map(|one| one.at_ms).min()?;
        Some((at_ms, user, same))
    };
    let all = a.keys().chain(b.keys()).copied();
    all.filter_map(difference)
        .min()
        .map(|(_, user, place)| (user, place))
}

fn print(
    replay: &Replay<'_>,
    trace: &Trace,
    [a, b]: [&ReplayCandidate; 2],
    [in_a, in_b]: [&Decision; 2],
    place: usize,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let name = |session: u32| {
        let session = trace.sessions.get(session as usize);
        session.map_or("?", |session| &*session.key)
    };
    let user = trace
        .users
        .get(in_a.user as usize)
        .map_or("?", |user| &**user);
    writeln!(
        out,
        "{} and {} part first at decision {} of user {user}, {} ms into the trace, at tier {}{}.",
        a.name,
        b.name,
        place + 1,
        in_a.at_ms
            .saturating_sub(trace.events.first().map_or(0, |event| event.at_ms)),
        in_a.tier,
        in_a.wanted.map_or(String::new(), |wanted| format!(
            ", to let `{}` in",
            name(wanted)
        )),
    )?;
    let mut table = Table::new([
        "manager",
        "idle",
        "uses",
        "age",
        "wanted again after",
        "taken by",
    ]);
    let question = in_a.question.as_ref();
    let now = question.map_or(Timestamp::ZERO, |question| question.now);
    for row in question.iter().flat_map(|question| &question.rows) {
        let session = replay.session(in_a.user, &row.key);
        let takes = |one: &Decision| session.is_some_and(|at| one.victims.contains(&at));
        let by = match (takes(in_a), takes(in_b)) {
            (true, true) => "both".to_owned(),
            (true, false) => a.name.clone(),
            (false, true) => b.name.clone(),
            (false, false) => String::new(),
        };
        let next = session.and_then(|at| replay.next_wanted(in_a.user, at, now));
        let ms = |signal: Signal| units::readable(signal, row.signals[signal]);
        table.row(vec![
            session.map_or_else(|| row.key.to_string(), |at| name(at).to_owned()),
            ms(Signal::IdleMs),
            ms(Signal::ActivityCount),
            ms(Signal::AgeMs),
            next.map_or("never".to_owned(), |next| {
                units::readable(Signal::IdleMs, next.as_secs_f64() * 1e3)
            }),
            by,
        ]);
    }
    table.write("  ", out)?;
    writeln!(out, "What it led to:")
}
