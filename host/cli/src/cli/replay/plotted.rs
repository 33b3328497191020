//! The outcome of a replay as a page with plots.

use std::fmt::Write as _;

use super::summary::{Report, Result, percent};
use wastegate_control::page::{END, bars, begin, escape, intervals};
use wastegate_lab::replay::tally::{HORIZON_NAMES, regret_ratio, share};
use wastegate_lab::workbench::units::thousands;

impl Report<'_> {
    /// For a browser.
    pub(super) fn html(&self) -> String {
        let trace = &self.loaded.trace;
        let mut page = begin("Replay: what strategies would have done");
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            page,
            "<p>{} events of {} users with {} managers; at most {} managers to a user; seed {}.</p>",
            thousands(trace.events.len() as u64),
            thousands(trace.users.len() as u64),
            thousands(trace.sessions.len() as u64),
            self.rules.limit,
            self.rules.seed
        );
        let mut text = Vec::new();
        // A vector takes everything.
        let _ = self.reproduced.print(trace, &mut text);
        let _ = self.warn(&mut text);
        for line in String::from_utf8_lossy(&text)
            .lines()
            .filter(|line| !line.is_empty())
        {
            let _ = write!(page, "<p>{}</p>", escape(line));
        }
        if self.decisions() == 0 {
            let _ = write!(
                page,
                "<p>No decision was needed: no user ever wanted more than {}.</p>{END}",
                self.rules.limit
            );
            return page;
        }
        let _ = write!(page, "<p class=\"verdict\">{}</p>", escape(&self.verdict()));
        self.plots(&mut page);
        self.table(&mut page);
        page.push_str(
            "<h2>How to read this</h2><p class=\"note\">Less is better everywhere. Each user's change from one strategy to the other is one value; a difference is noise where the interval of their mean reaches zero, or where few users have one. A reopen-miss is an admission of a key that had been lost by eviction; \
             regret is the share of victims that were wanted again within the time. The oracle knows the future: a bound for reopen-misses where every \
             manager costs the same and nobody is protected, elsewhere a clairvoyant reference. Activity is taken as given: nobody gives up here because of an eviction.</p>",
        );
        page.push_str(END);
        page
    }

    #[expect(clippy::cast_precision_loss, reason = "counts to look at")]
    fn plots(&self, page: &mut String) {
        let misses = self.results.iter().map(
            |Result {
                 candidate, tally, ..
             }| {
                let misses = tally.reopen_misses;
                (candidate.name.as_str(), misses as f64, thousands(misses))
            },
        );
        let _ = write!(
            page,
            "<h2>Reopen-misses</h2>{}",
            bars(&misses.collect::<Vec<_>>())
        );
        let Some(comparison) = &self.comparison else {
            return;
        };
        let changes = comparison.changes.iter().zip(self.rows(comparison));
        let drawn = changes.filter_map(|(change, [name, mean, interval, _, is])| {
            let it = change.mean?;
            let shown = format!("{mean} ({interval}): {is}");
            Some((name, [it.low, it.mean, it.high], shown))
        });
        let _ = write!(
            page,
            "<h2>{}</h2>{}",
            escape(&self.title(comparison)),
            intervals(&drawn.collect::<Vec<_>>())
        );
    }

    fn table(&self, page: &mut String) {
        let scale = self.scale();
        page.push_str(
            "<h2>Everything</h2><table><tr><th>Strategy</th><th>Evictions</th><th>Reopen-misses</th>",
        );
        for name in HORIZON_NAMES {
            let _ = write!(page, "<th>Regret {name}</th>");
        }
        page.push_str(
            "<th>Of LRU to oracle</th><th>Thrash</th><th>Live kills</th><th>Blocked</th><th>Fairness</th><th>Faults</th><th>Fuel a call</th></tr>",
        );
        for Result {
            candidate, tally, ..
        } in &self.results
        {
            let ratio = scale.as_ref().map(|scale| {
                let ratio = regret_ratio(tally.reopen_misses, scale.lru, scale.oracle);
                ratio.map_or_else(|| "no headroom".to_owned(), |ratio| format!("{ratio:.3}"))
            });
            let fuel = tally
                .fuel
                .checked_div(tally.decisions)
                .filter(|fuel| *fuel > 0);
            let mut cells = vec![thousands(tally.evictions), thousands(tally.reopen_misses)];
            cells.extend((0..HORIZON_NAMES.len()).map(|at| percent(tally.regret_rate(at))));
            cells.extend([
                ratio.unwrap_or_else(|| "–".to_owned()),
                thousands(tally.thrash),
                percent(share(tally.live_kills, tally.evictions)),
                thousands(tally.blocked),
                tally
                    .fairness()
                    .map_or_else(|| "–".to_owned(), |jain| format!("{jain:.3}")),
                thousands(tally.faults),
                fuel.map_or_else(|| "–".to_owned(), thousands),
            ]);
            let _ = write!(page, "<tr><td>{}</td>", escape(&candidate.name));
            for cell in cells {
                let _ = write!(page, "<td class=\"n\">{cell}</td>");
            }
            page.push_str("</tr>");
        }
        page.push_str("</table>");
    }
}
