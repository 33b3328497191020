//! The outcome of a replay as a table, as JSON and as CSV.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::reproduced::Reproduced;
use crate::cli::policy::table::Table;
use wastegate_lab::replay::tally::{HEADLINE, HORIZON_NAMES, regret_ratio, share};
use wastegate_lab::replay::{ReplayCandidate, ReplayTally, Rules, StrategyComparison};
use wastegate_lab::trace::LoadedTrace;
use wastegate_lab::workbench::units;

/// One strategy's outcome.
pub(super) struct Result<'a> {
    pub(super) candidate: &'a ReplayCandidate,
    pub(super) tally: ReplayTally,
    /// By the wall clock.
    pub(super) took: Duration,
}

/// All of them.
pub(super) struct Report<'a> {
    pub(super) loaded: &'a LoadedTrace,
    pub(super) rules: &'a Rules,
    pub(super) reproduced: &'a Reproduced,
    /// None where there is nothing to compare.
    pub(super) comparison: Option<StrategyComparison>,
    pub(super) results: Vec<Result<'a>>,
}

/// Misses of LRU and of the oracle, where both were run.
pub(super) struct Scale {
    pub(super) lru: u64,
    pub(super) oracle: u64,
}

impl Report<'_> {
    pub(super) fn scale(&self) -> Option<Scale> {
        let misses = |is: &dyn Fn(&ReplayCandidate) -> bool| {
            let mut results = self.results.iter();
            let found = results.find(|result| is(result.candidate));
            found.map(|result| result.tally.reopen_misses)
        };
        Some(Scale {
            lru: misses(&ReplayCandidate::is_lru)?,
            oracle: misses(&ReplayCandidate::is_oracle)?,
        })
    }

    pub(super) fn decisions(&self) -> u64 {
        let decisions = self.results.iter().map(|result| result.tally.decisions);
        decisions.sum()
    }

    /// As a table for people.
    pub(super) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let trace = &self.loaded.trace;
        writeln!(
            out,
            "{} events of {} users with {} managers; at most {} managers to a user",
            units::thousands(trace.events.len() as u64),
            units::thousands(trace.users.len() as u64),
            units::thousands(trace.sessions.len() as u64),
            units::thousands(self.rules.limit.into()),
        )?;
        self.warn(out)?;
        if self.decisions() == 0 {
            return writeln!(
                out,
                "No decision was needed: no user ever wanted more than {}. Lower `--cap` to see one.",
                self.rules.limit
            );
        }
        writeln!(out, "{}", self.verdict())?;
        let scale = self.scale();
        let mut head = vec!["strategy", "evictions", "reopen-misses"];
        let regrets = HORIZON_NAMES.map(|name| format!("regret {name}"));
        head.extend(regrets.iter().map(String::as_str));
        if scale.is_some() {
            head.push("of LRU to oracle");
        }
        head.extend([
            "thrash",
            "live kills",
            "blocked",
            "fairness",
            "faults",
            "fuel a call",
        ]);
        let mut table = Table::new(head);
        for Result {
            candidate, tally, ..
        } in &self.results
        {
            let count = |count: u64| units::thousands(count);
            let mut cells = vec![
                candidate.name.clone(),
                count(tally.evictions),
                count(tally.reopen_misses),
            ];
            cells.extend((0..HORIZON_NAMES.len()).map(|at| percent(tally.regret_rate(at))));
            if let Some(scale) = &scale {
                let ratio = regret_ratio(tally.reopen_misses, scale.lru, scale.oracle);
                cells.push(ratio.map_or("no headroom".to_owned(), |ratio| format!("{ratio:.3}")));
            }
            cells.extend([
                count(tally.thrash),
                percent(share(tally.live_kills, tally.evictions)),
                count(tally.blocked),
                tally
                    .fairness()
                    .map_or("-".to_owned(), |jain| format!("{jain:.3}")),
                count(tally.faults),
                tally
                    .fuel
                    .checked_div(tally.decisions)
                    .filter(|fuel| *fuel > 0)
                    .map_or("-".to_owned(), count),
            ]);
            table.row(cells);
        }
        table.write("", out)?;
        self.differences(out)?;
        if self
            .results
            .iter()
            .any(|result| result.candidate.is_oracle())
        {
            writeln!(
                out,
                "The oracle knows the future: a bound for reopen-misses where every manager costs the same\n\
                 and nobody is protected, elsewhere a clairvoyant reference and no more."
            )?;
        }
        for Result {
            candidate,
            tally,
            took,
        } in &self.results
        {
            writeln!(
                out,
                "{}: {} decisions in {}, {} a second",
                candidate.name,
                units::thousands(tally.decisions),
                units::milliseconds(took.as_secs_f64() * 1e3),
                units::thousands(per_second(tally.decisions, *took)),
            )?;
        }
        Ok(())
    }

    /// What is missing of the trace.
    pub(super) fn warn(&self, out: &mut dyn Write) -> io::Result<()> {
        let LoadedTrace {
            dropped, cut_off, ..
        } = self.loaded;
        if *dropped > 0 {
            let dropped = units::thousands(*dropped);
            writeln!(
                out,
                "The recorder had to drop {dropped} events: what follows is about the rest."
            )?;
        }
        for (path, line) in cut_off {
            let path = path.display();
            writeln!(
                out,
                "{path}:{line} was cut off in the middle and is left out."
            )?;
        }
        Ok(())
    }

    /// The summary as JSON.
    pub(super) fn json(&self) -> Value {
        let trace = &self.loaded.trace;
        let scale = self.scale();
        let policies: Vec<Value> = self
            .results
            .iter()
            .map(|result| one(result, scale.as_ref()))
            .collect();
        let cut_off: Vec<Value> = self
            .loaded
            .cut_off
            .iter()
            .map(|(path, line)| json!({ "file": path, "line": line }))
            .collect();
        json!({
            "activity": {
                "events": trace.events.len(),
                "users": trace.users.len(),
                "managers": trace.sessions.len(),
                "from_ms": trace.events.first().map(|event| event.at_ms),
                "to_ms": trace.events.last().map(|event| event.at_ms),
                "dropped": self.loaded.dropped,
                "cut_off": cut_off,
            },
            "fidelity": self.reproduced.json(),
            "cap": self.rules.limit,
            "seed": self.rules.seed,
            "decision_needed": self.decisions() > 0,
            "comparison": self.json_comparison(),
            "policies": policies,
        })
    }

    /// A line for each strategy.
    pub(super) fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let regrets = HORIZON_NAMES.map(|name| format!("regret_{name}")).join(",");
        writeln!(
            out,
            "policy,attempts,decisions,evictions,reopen_misses,{regrets},thrash,ping_pong,live_kills,\
             blocked,blocked_users,freed_nothing,fairness,faults,fuel"
        )?;
        for Result {
            candidate, tally, ..
        } in &self.results
        {
            let regrets = tally.regret.map(|count| count.to_string()).join(",");
            let fairness = tally
                .fairness()
                .map_or(String::new(), |jain| jain.to_string());
            writeln!(
                out,
                "{},{},{},{},{},{regrets},{},{},{},{},{},{},{fairness},{},{}",
                quoted(&candidate.name),
                tally.attempts,
                tally.decisions,
                tally.evictions,
                tally.reopen_misses,
                tally.thrash,
                tally.ping_pong,
                tally.live_kills,
                tally.blocked,
                tally.blocked_users,
                tally.freed_nothing,
                tally.faults,
                tally.fuel,
            )?;
        }
        Ok(())
    }
}

fn one(result: &Result<'_>, scale: Option<&Scale>) -> Value {
    let Result {
        candidate,
        tally,
        took,
    } = result;
    let about = candidate.about();
    let by_name = |value: &dyn Fn(usize) -> Value| -> Map<String, Value> {
        let names = HORIZON_NAMES.iter().enumerate();
        names
            .map(|(at, name)| ((*name).to_owned(), value(at)))
            .collect()
    };
    let ratio = scale.and_then(|s| regret_ratio(tally.reopen_misses, s.lru, s.oracle));
    json!({
        "name": candidate.name,
        "version": about.version,
        "digest": about.digest,
        "attempts": tally.attempts,
        "decisions": tally.decisions,
        "evictions": tally.evictions,
        "reopen_misses": tally.reopen_misses,
        "regret": by_name(&|at| json!(tally.regret.get(at))),
        "regret_rate": by_name(&|at| json!(tally.regret_rate(at))),
        "ratio": ratio,
        "headroom": scale.map(|s| s.lru != s.oracle),
        "thrash": tally.thrash,
        "ping_pong": tally.ping_pong,
        "live_kills": tally.live_kills,
        "zombies": { "taken": tally.zombies.0, "dead": tally.zombies.1 },
        "blocked": tally.blocked,
        "blocked_users": tally.blocked_users,
        "freed_nothing": tally.freed_nothing,
        "fairness": tally.fairness(),
        "device_gap": tally.device_gap(),
        "triggered_users": tally.per_user.len(),
        "faults": tally.faults,
        "fuel": tally.fuel,
        "headline": HORIZON_NAMES.get(HEADLINE),
        "measured": {
            "took_ms": took.as_secs_f64() * 1e3,
            "decisions_per_second": per_second(tally.decisions, *took),
        },
    })
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate to look at"
)]
fn per_second(decisions: u64, took: Duration) -> u64 {
    (decisions as f64 / took.as_secs_f64().max(1e-9)) as u64
}

pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.2} %", share * 100.0))
}

/// A cell of CSV.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
