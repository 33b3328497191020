//! The report as a page for people: what was compared, on whom, what came out, in a sentence first.
//!
//! What a page looks like is `crate::page`'s.

mod curve;

use std::fmt::Write as _;

use super::definition::Definition;
use super::service::ExperimentView;
use super::verdict::{Comparison, ExperimentVerdict, MetricComparison, short};
use crate::page::{END, Meaning, PageTable, Scale, begin, escape, pairs, prose, section, utc};
use wastegate_core::stats::ratio::Estimate;
use wastegate_core::types::units::thousands;

/// The page of one experiment, as HTML.
#[must_use]
pub fn html(view: &ExperimentView) -> String {
    let title = format!("Experiment {}", view.name);
    let mut page = begin(&title, meaning(view), &sentence(view));
    if !view.definition.question.is_empty() {
        let _ = write!(
            page,
            "<p class=\"lead\">{}</p>",
            escape(&view.definition.question)
        );
    }
    because(&mut page, view);
    for comparison in &view.assessment.comparisons {
        compare(&mut page, view, comparison);
    }
    compared(&mut page, view);
    curve::write(&mut page, view);
    sound(&mut page, view);
    page.push_str(&section(
        "How to read this",
        &format!(
            "<p class=\"reading\">A user counts from the first time that room had to be made for them in this phase; \
             everything that happened to them since counts, whoever ranked (intention to treat). Of every number here, less is better: \
             an interval below zero is green, one above it is red. The dashed line is what a guardrail may be worse by.</p>\
             <p class=\"reading\">Intervals are always-valid: they hold however often this page is looked at, with an error of {} % in all, \
             the relative change's too. Decisions are made on differences, and only where enough users contribute. Numbers of users are for \
             the same looks, at the power of the definition.</p>",
            short(view.definition.alpha * 100.0)
        ),
    ));
    page.push_str(END);
    page
}

/// How the sign of the verdict looks.
fn meaning(view: &ExperimentView) -> Meaning {
    use super::entry::ExperimentState;
    match (view.state, view.assessment.verdict) {
        (ExperimentState::RolledBack, _) | (_, ExperimentVerdict::Rollback) => Meaning::Bad,
        (_, ExperimentVerdict::Hold) => Meaning::Warn,
        (ExperimentState::Stopped, _) | (_, ExperimentVerdict::Continue) => Meaning::Open,
        (_, ExperimentVerdict::Promotable) => Meaning::Good,
    }
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
    page.push_str("<ul class=\"because\">");
    for why in &view.assessment.because {
        let _ = write!(page, "<li>{}</li>", prose(why));
    }
    page.push_str("</ul>");
}

fn compared(page: &mut String, view: &ExperimentView) {
    let units = format!("Exposed {}", view.definition.units());
    let head = [
        ("Arm", false),
        ("Policy", false),
        ("Share", true),
        (&*units, true),
        ("Decisions", true),
        ("Completed by the built-in ranking", true),
    ];
    let mut table = PageTable::new("What was compared", &head);
    let arms = view.assessment.users.iter().zip(&view.phase.arms);
    for (at, (arm, key)) in arms.enumerate() {
        let control = if at == 0 {
            " <span class=\"soft\">control</span>"
        } else {
            ""
        };
        let diluted = if arm.is_diluted {
            ", diluted: not compared"
        } else {
            ""
        };
        table.row([
            format!("{}{control}", escape(&arm.arm)),
            format!(
                "{} {}<br><span class=\"digest\">SHA-256 {}</span>",
                escape(&key.policy),
                escape(&key.version),
                escape(&key.digest)
            ),
            format!("{} %", short(arm.weight * 100.0)),
            thousands(arm.users),
            thousands(arm.decisions),
            format!("{}{diluted}", thousands(arm.fallbacks)),
        ]);
    }
    let facts = pairs(&[
        (
            "Phase",
            format!("{}, since {}", view.phase.number, utc(view.phase.unix_ms)),
        ),
        ("Seen", utc(view.seen_unix_ms)),
        ("Managers a user", format!("at most {}", view.phase.cap)),
        ("Who takes part", who(&view.definition)),
    ]);
    page.push_str(&section(
        "What was compared",
        &format!("<div class=\"stack\">{}{facts}</div>", table.html()),
    ));
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
    let arms = &view.definition.arms;
    let control = arms.first().map_or("", |arm| arm.name.as_str());
    let heading = format!("`{}` against `{control}`", comparison.arm);
    let head = [
        ("Metric", false),
        ("Control", true),
        ("Arm", true),
        ("Difference and its interval", false),
        ("Relative", false),
        ("To know more", false),
    ];
    let mut table = PageTable::new(&heading, &head);
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
        table.row([
            format!(
                "{} <span class=\"soft small\">{role}<br>{}{events}</span>",
                finding.metric,
                escape(&finding.about)
            ),
            value(finding.control),
            value(finding.treatment),
            interval(finding),
            relative(finding),
            format!("<span class=\"soft small\">{}</span>", more(finding)),
        ]);
    }
    page.push_str(&section(&heading, &table.html()));
    by_class(page, view, comparison);
}

/// Whom the effect meets, where more than one class was met.
fn by_class(page: &mut String, view: &ExperimentView, comparison: &Comparison) {
    if comparison.by_class.len() < 2 {
        return;
    }
    let heading = format!(
        "{} of `{}` by device class",
        view.definition.primary, comparison.arm
    );
    let head = [
        ("Class", false),
        ("Users", true),
        ("Control", true),
        ("Arm", true),
        ("Difference and its interval, all classes together", false),
        ("p (Holm)", true),
    ];
    // On one scale: classes are compared with each other.
    let differences = comparison
        .by_class
        .iter()
        .filter_map(|class| class.difference);
    let scale = Scale::of(differences.flat_map(|it| [it.low, it.delta, it.high]));
    let mut table = PageTable::new(&heading, &head);
    for class in &comparison.by_class {
        let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), short);
        let [control, arm] = class.values.map(shown);
        let difference = class.difference;
        table.row([
            escape(&class.class),
            format!("{} + {}", class.users[0], class.users[1]),
            control,
            arm,
            difference.map_or_else(
                || "collecting".to_owned(),
                |it| picture([it.low, it.delta, it.high], None, scale),
            ),
            short(class.adjusted_p),
        ]);
    }
    page.push_str(&section(&heading, &table.html()));
}

fn interval(finding: &MetricComparison) -> String {
    let Some(it) = finding.difference else {
        let why = if finding.is_empty {
            "nothing to count"
        } else {
            "collecting"
        };
        return why.to_owned();
    };
    let scale = Scale::of([it.low, it.delta, it.high, finding.margin.unwrap_or(0.0)]);
    picture([it.low, it.delta, it.high], finding.margin, scale)
}

/// The difference in numbers, and its interval on an axis where there is one.
fn picture(it: [f64; 3], margin: Option<f64>, scale: Option<Scale>) -> String {
    let [low, delta, high] = it.map(short);
    let text = minus(&format!("{delta} ({low} to {high})"));
    let drawn = scale.map_or_else(String::new, |scale| {
        scale.interval(it, margin, &text) + &scale.axis()
    });
    text + &drawn
}

/// With the sign for numbers below zero that is as wide as a plus.
fn minus(numbers: &str) -> String {
    numbers.replace('-', "−")
}

fn relative(finding: &MetricComparison) -> String {
    finding.relative.map_or_else(
        || "not estimable".to_owned(),
        |it| {
            let [ratio, low, high] = [it.ratio, it.low, it.high].map(short);
            minus(&format!("× {ratio} ({low} to {high})"))
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

fn sound(page: &mut String, view: &ExperimentView) {
    let split = &view.assessment.split;
    let fixed = split.fixed.map_or_else(String::new, |it| {
        format!(", at this look alone {}", short(it.p))
    });
    let mut facts = vec![
        (
            "Users fall into the arms by their shares",
            format!("p = {} at all looks{fixed}", short(split.always_p)),
        ),
        ("Users seen in two arms", split.multiple.to_string()),
        (
            "Triggers of users who could not be taken in",
            split.not_taken.to_string(),
        ),
    ];
    if !view.durable {
        let kept = "in memory only: a restart forgets it (<code>policy.rollout.state_dir</code>)";
        facts.push(("Kept", kept.to_owned()));
    }
    page.push_str(&section("Whether it is sound", &pairs(&facts)));
}

fn value(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(|| "–".to_owned(), |estimate| short(estimate.value))
}
