//! The intervals of a phase over time, as pictures.

use std::fmt::Write as _;

use super::super::curve::{CurveInterval, CurvePoint};
use super::super::service::ExperimentView;
use super::super::verdict::short;
use crate::page::{escape, section};

/// The size of a picture, in its own units: it is stretched to the room that there is.
const SIZE: (f64, f64) = (600.0, 120.0);
/// Looks without which there is no curve.
const POINTS_MIN: usize = 2;

/// A look's time in hours since the phase began, and its interval.
type Point<'a> = (f64, &'a CurveInterval);

pub(super) fn write(page: &mut String, view: &ExperimentView) {
    let mut text = String::new();
    for comparison in &view.assessment.comparisons {
        for finding in &comparison.findings {
            let of = |it: &&CurveInterval| it.arm == comparison.arm && it.metric == finding.metric;
            let points: Vec<Point<'_>> = view
                .curve
                .iter()
                .filter_map(|point| Some((hours(view, point), point.intervals.iter().find(of)?)))
                .collect();
            if points.len() < POINTS_MIN {
                continue;
            }
            let _ = write!(
                text,
                "<div class=\"card curve\"><h3>{} of {}</h3>{}</div>",
                finding.metric,
                escape(&comparison.arm),
                picture(&points, finding.margin)
            );
        }
    }
    if !text.is_empty() {
        let about = "<p class=\"reading\">The difference to the control and its always-valid interval at each look that was kept: \
                     all of them hold together. Zero is the grey line, a margin the dashed one; what is beyond the picture is cut off.</p>";
        page.push_str(&section(
            "How the intervals became narrower",
            &format!("<div class=\"stack\">{about}<div class=\"curves\">{text}</div></div>"),
        ));
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 milliseconds are 285,000 years"
)]
fn hours(view: &ExperimentView, point: &CurvePoint) -> f64 {
    point.unix_ms.saturating_sub(view.phase.unix_ms) as f64 / 3_600_000.0
}

fn picture(points: &[Point<'_>], margin: Option<f64>) -> String {
    let (width, height) = SIZE;
    // The first intervals are so wide that nothing else would be seen.
    let late = points.iter().skip(points.len() / 2);
    let reach = late
        .map(|(_, it)| it.low.abs().max(it.high.abs()))
        .chain(margin)
        .fold(0.0, f64::max)
        * 1.25;
    let until = points.last().map_or(0.0, |(hours, _)| *hours);
    if !(reach > 0.0 && reach.is_finite() && until > 0.0) {
        return String::new();
    }
    let x = |hours: f64| hours / until * width;
    let y = |value: f64| height / 2.0 - (value / reach).clamp(-1.0, 1.0) * height / 2.0;
    let line = |of: &dyn Fn(&CurveInterval) -> f64| -> Vec<String> {
        let at = |(hours, it): &Point<'_>| format!("{:.1},{:.1}", x(*hours), y(of(it)));
        points.iter().map(at).collect()
    };
    let (high, mut low) = (line(&|it| it.high), line(&|it| it.low));
    low.reverse();
    let allowed = margin.map_or_else(String::new, |margin| {
        let at = y(margin);
        format!("<line class=\"allowed\" x1=\"0\" x2=\"{width}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>")
    });
    let zero = height / 2.0;
    let bound = short(reach);
    format!(
        "<p class=\"up\"><span>{bound}</span><span>0</span><span>−{bound}</span></p>\
         <svg viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"the interval over {until:.1} hours, from -{bound} to {bound}\">\
         <polygon class=\"band\" points=\"{} {}\"/><line class=\"zero\" x1=\"0\" x2=\"{width}\" y1=\"{zero}\" y2=\"{zero}\"/>{allowed}\
         <polyline class=\"course\" points=\"{}\"/></svg><p class=\"along\"><span>0 h</span><span>{until:.1} h</span></p>",
        high.join(" "),
        low.join(" "),
        line(&|it| it.delta).join(" ")
    )
}
