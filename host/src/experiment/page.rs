//! The report as a page for people: what was compared, on whom, what came out, in a sentence first.
//!
//! One file of HTML and SVG without scripts and without anything from elsewhere, so that it can be
//! mailed and kept. Every text that came from outside is escaped.

use std::fmt::Write as _;

use super::service::View;
use super::verdict::{Comparison, Finding, Verdict, short};
use crate::stats::ratio::Estimate;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}\
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}\
.verdict{padding:.8rem 1rem;border-left:.4rem solid #777;background:#f4f4f4;font-size:1.1rem}\
.rollback{border-color:#b00020}.hold{border-color:#b26a00}.promotable{border-color:#1b7f3b}\
.note{color:#555;font-size:.9rem}svg{width:100%;height:2rem;display:block}";

/// The page.
#[must_use]
pub fn html(view: &View) -> String {
    let mut page = String::new();
    let title = escape(&view.name);
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><h1>Experiment {title}</h1>"
    );
    if !view.definition.question.is_empty() {
        let _ = write!(page, "<p>{}</p>", escape(&view.definition.question));
    }
    let _ = write!(
        page,
        "<p class=\"verdict {}\">{}</p>",
        class(view.assessment.verdict),
        escape(&sentence(view))
    );
    because(&mut page, view);
    compared(&mut page, view);
    for comparison in &view.assessment.comparisons {
        compare(&mut page, view, comparison);
    }
    split(&mut page, view);
    let _ = writeln!(
        page,
        "<h2>How to read this</h2><p class=\"note\">A user counts from the first time that room had to be made for them in this phase; \
         everything that happened to them since counts, whoever ranked (intention to treat). Intervals are always-valid: they hold however often \
         this page is looked at, with an error of {} % in all. Decisions are made on differences; the relative change is for orientation. \
         Of every number here, less is better.</p></body></html>",
        short(view.definition.alpha * 100.0)
    );
    page
}

/// What is to be said in one sentence.
#[must_use]
pub fn sentence(view: &View) -> String {
    use super::entry::State;
    let arm = view.assessment.arm.as_deref().unwrap_or("an arm");
    match (view.state, view.assessment.verdict) {
        (State::RolledBack, _) => format!(
            "Rolled back: everybody in it has the control. {}",
            view.reason
        ),
        (State::Stopped, _) => format!("Stopped. {}", view.reason),
        (_, Verdict::Rollback) => {
            format!("Harm was found in `{arm}`; it is about to be rolled back.")
        }
        (_, Verdict::Hold) => "Hold: the numbers cannot be trusted yet.".to_owned(),
        (_, Verdict::Promotable) => {
            format!("`{arm}` may be promoted: it is better, and no worse in anything guarded.")
        }
        (_, Verdict::Continue) => "Undecided: go on.".to_owned(),
    }
}

fn because(page: &mut String, view: &View) {
    if view.assessment.because.is_empty() {
        return;
    }
    page.push_str("<ul>");
    for why in &view.assessment.because {
        let _ = write!(page, "<li>{}</li>", escape(why));
    }
    page.push_str("</ul>");
}

fn compared(page: &mut String, view: &View) {
    let _ = write!(
        page,
        "<h2>What was compared</h2><p>Phase {} since {} UTC, seen {} UTC; at most {} managers a user; {} % of users take part.</p>\
         <table><tr><th>Arm</th><th>Policy</th><th>Share</th><th>Exposed users</th><th>Decisions</th><th>Completed by the built-in ranking</th></tr>",
        view.phase.number,
        super::service::utc(view.phase.unix_ms),
        super::service::utc(view.seen_unix_ms),
        view.phase.cap,
        short(view.definition.coverage * 100.0)
    );
    for (at, (arm, key)) in view
        .assessment
        .users
        .iter()
        .zip(&view.phase.arms)
        .enumerate()
    {
        let control = if at == 0 { " (control)" } else { "" };
        let diluted = if arm.is_diluted {
            ", diluted: not compared"
        } else {
            ""
        };
        let digest: String = key.digest.chars().take(12).collect();
        let _ = write!(
            page,
            "<tr><td>{}{control}</td><td>{} {} <span class=\"note\">{}</span></td><td class=\"n\">{} %</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}{diluted}</td></tr>",
            escape(&arm.arm),
            escape(&key.policy),
            escape(&key.version),
            escape(&digest),
            short(arm.weight * 100.0),
            arm.users,
            arm.decisions,
            arm.fallbacks
        );
    }
    page.push_str("</table>");
}

fn compare(page: &mut String, view: &View, comparison: &Comparison) {
    let control = view
        .definition
        .arms
        .first()
        .map_or("", |arm| arm.name.as_str());
    let _ = write!(
        page,
        "<h2>{} against {}</h2><table><tr><th>Metric</th><th>Control</th><th>Arm</th><th>Difference and its interval</th><th>Relative</th><th>To know more</th></tr>",
        escape(&comparison.arm),
        escape(control)
    );
    for finding in &comparison.findings {
        let role = finding.margin.map_or_else(
            || "primary".to_owned(),
            |margin| format!("guardrail, may be worse by {margin}"),
        );
        let events = if finding.is_per_event {
            "; per event, which the arm may change itself"
        } else {
            ""
        };
        let _ = write!(
            page,
            "<tr><td><b>{}</b> <span class=\"note\">({role})</span><br><span class=\"note\">{}{events}</span></td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td><td class=\"note\">{}</td></tr>",
            finding.metric,
            escape(finding.about),
            value(finding.control),
            value(finding.treatment),
            interval(finding),
            relative(finding),
            more(finding)
        );
    }
    page.push_str("</table>");
}

fn interval(finding: &Finding) -> String {
    let Some(it) = finding.difference else {
        return "collecting".to_owned();
    };
    let text = format!(
        "{} ({} to {})",
        short(it.delta),
        short(it.low),
        short(it.high)
    );
    format!(
        "{text}{}",
        picture(it.low, it.delta, it.high, finding.margin)
    )
}

/// The interval as a line, zero as a mark, what is allowed as a dashed one.
fn picture(low: f64, delta: f64, high: f64, margin: Option<f64>) -> String {
    let reach = [low.abs(), high.abs(), margin.unwrap_or(0.0)]
        .into_iter()
        .fold(0.0, f64::max);
    if !(reach.is_finite() && reach > 0.0) {
        return String::new();
    }
    let x = |value: f64| 100.0 + value / reach * 95.0;
    let allowed = margin.map_or_else(String::new, |margin| {
        let at = x(margin);
        format!("<line x1=\"{at:.2}\" x2=\"{at:.2}\" y1=\"2\" y2=\"18\" stroke=\"#b26a00\" stroke-dasharray=\"2 2\"/>")
    });
    format!(
        "<svg viewBox=\"0 0 200 20\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"interval\"><line x1=\"100\" x2=\"100\" y1=\"0\" y2=\"20\" stroke=\"#999\"/>{allowed}\
         <line x1=\"{:.2}\" x2=\"{:.2}\" y1=\"10\" y2=\"10\" stroke=\"#1a1a1a\" stroke-width=\"2\"/><circle cx=\"{:.2}\" cy=\"10\" r=\"3\"/></svg>",
        x(low),
        x(high),
        x(delta)
    )
}

fn relative(finding: &Finding) -> String {
    finding.relative.map_or_else(
        || "not estimable".to_owned(),
        |it| {
            format!(
                "× {} ({} to {})",
                short(it.ratio),
                short(it.low),
                short(it.high)
            )
        },
    )
}

fn more(finding: &Finding) -> String {
    let mut said = Vec::new();
    if let Some(detectable) = finding.detectable {
        said.push(format!("so many users would show {}", short(detectable)));
    }
    if let Some(users) = finding.users_needed {
        said.push(format!("{users:.0} users an arm to see this difference"));
    }
    if said.is_empty() {
        said.push("users and events".to_owned());
    }
    said.join("; ")
}

fn split(page: &mut String, view: &View) {
    let split = &view.assessment.split;
    let fixed = split.fixed.map_or_else(String::new, |it| {
        format!(", at this look alone {}", short(it.p))
    });
    let _ = write!(
        page,
        "<h2>Whether it is sound</h2><p>Users fall into the arms by their shares: p = {} at all looks{fixed}. Users seen in two arms: {}. \
         Triggers of users who could not be taken in: {}.{}</p>",
        short(split.always_p),
        split.multiple,
        split.not_taken,
        if view.durable {
            ""
        } else {
            " Kept in memory only: a restart forgets it (`policy.rollout.state_dir`)."
        }
    );
}

fn value(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(|| "–".to_owned(), |estimate| short(estimate.value))
}

const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Rollback => "rollback",
        Verdict::Hold => "hold",
        Verdict::Continue => "continue",
        Verdict::Promotable => "promotable",
    }
}

/// A text as HTML shows it, in elements and in quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_becomes_markup(text in ".{0,40}") {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            let back = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"")
                .replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(back, text);
        }
    }
}
