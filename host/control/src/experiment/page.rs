//! The report as a page for people: what was compared, on whom, what came out, in a sentence first.
//!
//! What a page looks like is `crate::page`'s.

mod curve;

use std::fmt::Write as _;

use super::definition::Definition;
use super::service::ExperimentView;
use super::verdict::{Comparison, ExperimentVerdict, MetricComparison, short};
use crate::page::{END, begin, escape, timestamp};
use wastegate_core::stats::ratio::Estimate;

/// The page of one experiment, as HTML.
#[must_use]
pub fn html(view: &ExperimentView) -> String {
    let mut page = begin(&format!("Experiment {}", view.name));
    if !view.definition.question.is_empty() {
        let _ = write!(page, "<p>{}</p>", escape(&view.definition.question));
    }
    // Writing to a string cannot fail, here and below.
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
    curve::write(&mut page, view);
    split(&mut page, view);
    let _ = write!(
        page,
        "<h2>How to read this</h2><p class=\"note\">A user counts from the first time that room had to be made for them in this phase; \
         everything that happened to them since counts, whoever ranked (intention to treat). Intervals are always-valid: they hold however often \
         this page is looked at, with an error of {} % in all, the relative change's too. Decisions are made on differences, and only \
         where enough users contribute. Numbers of users are for the same looks, at the power of the definition. \
         Of every number here, less is better.</p>{END}",
        short(view.definition.alpha * 100.0)
    );
    page
}

/// What is to be said in one sentence.
#[must_use]
pub fn sentence(view: &ExperimentView) -> String {
    use super::entry::ExperimentState;
    let arm = view.assessment.arm.as_deref().unwrap_or("an arm");
    match (view.state, view.assessment.verdict) {
        (ExperimentState::RolledBack, _) => format!(
            "Rolled back: everybody in it has the control. {}",
            view.reason
        ),
        (ExperimentState::Stopped, _) => format!("Stopped. {}", view.reason),
        (_, ExperimentVerdict::Rollback) if view.definition.holdout => {
            "All changes since it began do harm together: take back the one that does.".to_owned()
        }
        (_, ExperimentVerdict::Promotable) if view.definition.holdout => {
            "All changes since it began are better together, and no worse in anything guarded."
                .to_owned()
        }
        (_, ExperimentVerdict::Rollback) => {
            format!("Harm was found in `{arm}`; it is about to be rolled back.")
        }
        (_, ExperimentVerdict::Hold) => "Hold: the numbers cannot be trusted yet.".to_owned(),
        (_, ExperimentVerdict::Promotable) => {
            format!("`{arm}` may be promoted: it is better, and no worse in anything guarded.")
        }
        (_, ExperimentVerdict::Continue) => "Undecided: go on.".to_owned(),
    }
}

fn because(page: &mut String, view: &ExperimentView) {
    if view.assessment.because.is_empty() {
        return;
    }
    page.push_str("<ul>");
    for why in &view.assessment.because {
        let _ = write!(page, "<li>{}</li>", escape(why));
    }
    page.push_str("</ul>");
}

fn compared(page: &mut String, view: &ExperimentView) {
    let _ = write!(
        page,
        "<h2>What was compared</h2><p>Phase {} since {} UTC, seen {} UTC; at most {} managers a user; {}.</p>\
         <table><tr><th>Arm</th><th>Policy</th><th>Share</th><th>Exposed {}</th><th>Decisions</th><th>Completed by the built-in ranking</th></tr>",
        view.phase.number,
        timestamp(view.phase.unix_ms),
        timestamp(view.seen_unix_ms),
        view.phase.cap,
        who(&view.definition),
        view.definition.units()
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

fn who(definition: &Definition) -> String {
    if let (true, Some(held)) = (definition.holdout, definition.arms.first()) {
        return format!(
            "a holdout: {} % of users keep `{}`, and the others get the active policy and all experiments",
            short(held.weight.unwrap_or_default() * definition.coverage * 100.0),
            escape(&held.policy)
        );
    }
    definition.switchback.map_or_else(
        || format!("{} % of users take part", short(definition.coverage * 100.0)),
        |turns| {
            format!(
                "the whole node in turns of {} s, of which the first {} s do not count and one turn is one data point",
                turns.window_s, turns.washout_s
            )
        },
    )
}

fn compare(page: &mut String, view: &ExperimentView, comparison: &Comparison) {
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
            escape(&finding.about),
            value(finding.control),
            value(finding.treatment),
            interval(finding),
            relative(finding),
            more(finding)
        );
    }
    page.push_str("</table>");
    by_class(page, view, comparison);
}

/// Whom the effect meets, where more than one class was met.
fn by_class(page: &mut String, view: &ExperimentView, comparison: &Comparison) {
    if comparison.by_class.len() < 2 {
        return;
    }
    let _ = write!(
        page,
        "<h3>{} by device class</h3><table><tr><th>Class</th><th>Users</th><th>Control</th><th>Arm</th><th>Difference and its interval, all classes together</th><th>p (Holm)</th></tr>",
        view.definition.primary
    );
    for class in &comparison.by_class {
        let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), short);
        let [control, arm] = class.values.map(shown);
        let interval = class.difference.map_or_else(
            || "collecting".to_owned(),
            |it| {
                let text = format!(
                    "{} ({} to {})",
                    short(it.delta),
                    short(it.low),
                    short(it.high)
                );
                format!("{text}{}", picture(it.low, it.delta, it.high, None))
            },
        );
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{} + {}</td><td class=\"n\">{control}</td><td class=\"n\">{arm}</td><td>{interval}</td><td class=\"n\">{}</td></tr>",
            escape(&class.class),
            class.users[0],
            class.users[1],
            short(class.adjusted_p)
        );
    }
    page.push_str("</table>");
}

fn interval(finding: &MetricComparison) -> String {
    let Some(it) = finding.difference else {
        return if finding.is_empty {
            "nothing to count"
        } else {
            "collecting"
        }
        .to_owned();
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
        "<svg class=\"interval\" viewBox=\"0 0 200 20\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"interval\"><line x1=\"100\" x2=\"100\" y1=\"0\" y2=\"20\" stroke=\"#999\"/>{allowed}\
         <line x1=\"{:.2}\" x2=\"{:.2}\" y1=\"10\" y2=\"10\" stroke=\"#1a1a1a\" stroke-width=\"2\"/><circle cx=\"{:.2}\" cy=\"10\" r=\"3\"/></svg>",
        x(low),
        x(high),
        x(delta)
    )
}

fn relative(finding: &MetricComparison) -> String {
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

fn more(finding: &MetricComparison) -> String {
    let mut notes = Vec::new();
    if let Some(detectable) = finding.detectable {
        notes.push(format!("so many users show {}", short(detectable)));
    }
    if let Some(users) = finding.users_needed {
        let what = finding.margin.map_or_else(
            || "this difference".to_owned(),
            |margin| format!("that it is worse by less than {margin}"),
        );
        notes.push(format!("{users:.0} users in both arms to show {what}"));
    }
    if let (Some(worst), None) = (finding.worst, finding.difference) {
        notes.push(format!("worse by at most {}", short(worst)));
    }
    if finding.variance_removed > 0.0 {
        let removed = finding.variance_removed * 100.0;
        notes.push(format!(
            "{removed:.0} % of the variance is explained by what users did before, and taken away"
        ));
    }
    if notes.is_empty() {
        notes.push("users and events".to_owned());
    }
    notes.join("; ")
}

fn split(page: &mut String, view: &ExperimentView) {
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

const fn class(verdict: ExperimentVerdict) -> &'static str {
    match verdict {
        ExperimentVerdict::Rollback => "rollback",
        ExperimentVerdict::Hold => "hold",
        ExperimentVerdict::Continue => "continue",
        ExperimentVerdict::Promotable => "promotable",
    }
}
