//! The outcome of a replay as a page with plots.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::summary::{Report, Result, percent};
use wastegate_control::page::{
    END, Meaning, PageTable, Scale, begin, escape, pairs, prose, section,
};
use wastegate_lab::replay::paired::ChangeVerdict;
use wastegate_lab::replay::tally::{HORIZON_NAMES, regret_ratio, share};
use wastegate_lab::workbench::text::bytes;
use wastegate_lab::workbench::units::thousands;

/// Bytes of a file that are read at once for its digest.
const READ_BYTES: usize = 256 << 10;

/// A file that was replayed, so that a reader can tell whether another is the same.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    /// Its length and SHA-256; none of what is no file, such as a pipe: it was read once.
    whole: Option<(u64, String)>,
}

impl Input {
    /// Reads the file for its digest.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let path = path.to_owned();
        if !path.metadata()?.is_file() {
            return Ok(Self { path, whole: None });
        }
        let (mut file, mut sum) = (File::open(&path)?, Sha256::new());
        let (mut buffer, mut read) = (vec![0; READ_BYTES], 0);
        loop {
            let length = file.read(&mut buffer)?;
            let Some(part) = buffer.get(..length).filter(|part| !part.is_empty()) else {
                break;
            };
            sum.update(part);
            read += length as u64;
        }
        Ok(Self {
            path,
            whole: Some((read, format!("{:x}", sum.finalize()))),
        })
    }
}

impl Report<'_> {
    /// For a browser.
    pub(super) fn html(&self, inputs: &[Input]) -> String {
        let needed = self.decisions() > 0;
        let verdict = if needed {
            self.verdict()
        } else {
            format!(
                "No decision was needed: no user ever wanted more than {} managers.",
                self.rules.limit
            )
        };
        let mut page = begin("What strategies would have done", self.meaning(), &verdict);
        let trace = &self.loaded.trace;
        let mut text = Vec::new();
        // A vector takes everything.
        let _ = self.reproduced.print(trace, &mut text);
        let _ = self.warn(&mut text);
        let text = String::from_utf8_lossy(&text);
        for line in text.lines().filter(|line| !line.is_empty()) {
            page.push_str(&format!("<p class=\"lead\">{}</p>", prose(line)));
        }
        if needed {
            self.differences_drawn(&mut page);
            self.table(&mut page);
        }
        self.inputs(&mut page, inputs);
        if needed {
            page.push_str(&section("How to read this", READING));
        }
        page.push_str(END);
        page
    }

    fn meaning(&self) -> Meaning {
        if !self.reproduced.may_compare() {
            return Meaning::Bad;
        }
        let changes = self.comparison.iter().flat_map(|it| &it.changes);
        match changes
            .clone()
            .any(|change| change.verdict == ChangeVerdict::Less)
        {
            true => Meaning::Good,
            false => Meaning::Open,
        }
    }

    /// The differences with their intervals on one axis, the least first.
    fn differences_drawn(&self, page: &mut String) {
        let Some(comparison) = &self.comparison else {
            return;
        };
        let means = || comparison.changes.iter().filter_map(|change| change.mean);
        let Some(scale) = Scale::of(means().flat_map(|it| [it.low, it.mean, it.high])) else {
            return;
        };
        let mut rows: Vec<_> = comparison
            .changes
            .iter()
            .zip(self.rows(comparison))
            .collect();
        rows.sort_by(|(a, _), (b, _)| {
            let mean = |mean: Option<f64>| mean.unwrap_or(f64::INFINITY);
            mean(a.mean.map(|it| it.mean)).total_cmp(&mean(b.mean.map(|it| it.mean)))
        });
        let mut chart = "<div class=\"card chart\">".to_owned();
        for (change, [name, mean, interval, users, is]) in rows {
            let drawn = change.mean.map_or_else(
                || scale.nothing(),
                |it| {
                    let said = format!("{name}: {mean}, {interval}");
                    scale.interval([it.low, it.mean, it.high], None, &said)
                },
            );
            let said = match change.mean {
                Some(_) => format!("<b>{mean}</b> {is}<br>{interval}, {users} users"),
                None => is,
            };
            chart.push_str(&format!(
                "<div class=\"name\">{}</div><div class=\"line\">{drawn}</div><div class=\"said\">{}</div>",
                escape(&name),
                said.replace('-', "−")
            ));
        }
        chart.push_str(&format!(
            "<div class=\"foot-axis\">{}</div></div>",
            scale.axis()
        ));
        page.push_str(&section(&self.title(comparison), &chart));
    }

    /// Every figure, a row for each strategy: who had the fewest reopen-misses first.
    fn table(&self, page: &mut String) {
        let scale = self.scale();
        let regrets = HORIZON_NAMES.map(|name| format!("Regret {name}"));
        let mut head = vec![
            ("Strategy", false),
            ("Reopen-misses", true),
            ("Evictions", true),
        ];
        head.extend(regrets.iter().map(|name| (name.as_str(), true)));
        if scale.is_some() {
            head.push(("Of LRU to oracle", true));
        }
        let rest = [
            "Thrash",
            "Live kills",
            "Blocked",
            "Fairness",
            "Faults",
            "Fuel a call",
        ];
        head.extend(rest.map(|name| (name, true)));
        let mut results: Vec<&Result<'_>> = self.results.iter().collect();
        results.sort_by_key(|result| result.tally.reopen_misses);
        let most = results
            .iter()
            .map(|result| result.tally.reopen_misses)
            .max();
        let mut table = PageTable::new("Every figure of every strategy", &head);
        for Result {
            candidate, tally, ..
        } in results
        {
            let fuel = tally
                .fuel
                .checked_div(tally.decisions)
                .filter(|fuel| *fuel > 0);
            let misses = tally.reopen_misses;
            let mut cells = vec![
                escape(&candidate.name),
                format!("{}{}", thousands(misses), bar(misses, most.unwrap_or(0))),
                thousands(tally.evictions),
            ];
            cells.extend((0..HORIZON_NAMES.len()).map(|at| percent(tally.regret_rate(at))));
            if let Some(scale) = &scale {
                let ratio = regret_ratio(misses, scale.lru, scale.oracle);
                cells.push(
                    ratio.map_or_else(|| "no headroom".to_owned(), |ratio| format!("{ratio:.3}")),
                );
            }
            cells.extend([
                thousands(tally.thrash),
                percent(share(tally.live_kills, tally.evictions)),
                thousands(tally.blocked),
                tally
                    .fairness()
                    .map_or_else(|| "–".to_owned(), |jain| format!("{jain:.3}")),
                thousands(tally.faults),
                fuel.map_or_else(|| "–".to_owned(), thousands),
            ]);
            table.row(cells);
        }
        page.push_str(&section("Every figure", &table.html()));
    }

    /// What it was made of, so that it can be made again.
    fn inputs(&self, page: &mut String, inputs: &[Input]) {
        let trace = &self.loaded.trace;
        let digest = |sum: &str| format!("<span class=\"digest\">SHA-256 {}</span>", escape(sum));
        let files = inputs.iter().map(|Input { path, whole }| {
            let name = path.file_name().unwrap_or(path.as_os_str());
            let name = escape(&name.to_string_lossy());
            match whole {
                Some((length, sum)) => format!("{name}, {}<br>{}", bytes(*length), digest(sum)),
                None => name,
            }
        });
        let strategies = self.results.iter().map(|result| {
            let about = result.candidate.about();
            let sum = match about.digest.len() {
                64 => format!("<br>{}", digest(&about.digest)),
                _ => String::new(),
            };
            format!(
                "{} {}{sum}",
                escape(&result.candidate.name),
                escape(&about.version)
            )
        });
        let joined = |all: Vec<String>| all.join("<br>");
        let facts = pairs(&[
            ("Activity", joined(files.collect())),
            (
                "In it",
                format!(
                    "{} events of {} users with {} managers",
                    thousands(trace.events.len() as u64),
                    thousands(trace.users.len() as u64),
                    thousands(trace.sessions.len() as u64)
                ),
            ),
            ("Managers a user", format!("at most {}", self.rules.limit)),
            ("Seed", self.rules.seed.to_string()),
            ("Strategies", joined(strategies.collect())),
        ]);
        page.push_str(&section("What it was made of", &facts));
    }
}

/// What words and intervals mean.
const READING: &str = "<p class=\"reading\">Less is better everywhere: an interval below zero is green, one above it is red. Each user's change from one strategy \
     to the other is one value; a difference is noise where the interval of their mean reaches zero, or where few users have one.</p>\
     <p class=\"reading\">A reopen-miss is an admission of a key that had been lost by eviction; regret is the share of victims that were wanted \
     again within the time. The oracle knows the future: a bound for reopen-misses where every manager costs the same and nobody is protected, \
     elsewhere a clairvoyant reference. Activity is taken as given: nobody gives up here because of an eviction.</p>";

/// How much it is of the most, as a line.
#[expect(clippy::cast_precision_loss, reason = "counts to look at")]
fn bar(count: u64, most: u64) -> String {
    let share = count as f64 / most.max(1) as f64 * 100.0;
    format!("<span class=\"share\"><i style=\"width:{share:.1}%\"></i></span>")
}
