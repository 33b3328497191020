//! Pages for people: one file of HTML and SVG, without scripts and without anything from elsewhere, so
//! that it can be mailed and kept.
//!
//! Every text that came from outside goes through [`escape`]. Not here: what a page says.

mod moment;

pub use moment::{time_of_day, timestamp, utc};

/// What every page looks like.
pub const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}\
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}\
.verdict{padding:.8rem 1rem;border-left:.4rem solid #777;background:#f4f4f4;font-size:1.1rem}\
.rollback{border-color:#b00020}.hold{border-color:#b26a00}.promotable{border-color:#1b7f3b}\
.note{color:#555;font-size:.9rem}svg.interval{width:100%;height:2rem;display:block}svg.bars{width:100%;height:auto;display:block}";

/// The beginning of a page; it ends with [`END`].
#[must_use]
pub fn begin(title: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>"
    )
}

/// The end of a page.
pub const END: &str = "</body></html>\n";

/// A text as HTML shows it, in elements and in quoted attributes.
#[must_use]
pub fn escape(text: &str) -> String {
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

/// Horizontal bars, one a name, each with its value in words; the longest fills the width. Nothing
/// where no value is above zero.
#[must_use]
pub fn bars(rows: &[(&str, f64, String)]) -> String {
    /// Of a bar and the gap below it, and where bars begin and end.
    const ROW: f64 = 26.0;
    const FROM: f64 = 210.0;
    const TO: f64 = 640.0;
    let most = rows
        .iter()
        .map(|(_, value, _)| *value)
        .filter(|value| value.is_finite());
    let most = most.fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    let mut drawn = String::new();
    let mut y = 0.0;
    for (name, value, shown) in rows {
        let width = if value.is_finite() {
            (value / most).max(0.0) * (TO - FROM)
        } else {
            0.0
        };
        let (name, shown, text_y) = (escape(name), escape(shown), y + 16.0);
        drawn.push_str(&format!(
            "<text x=\"{:.0}\" y=\"{text_y:.0}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{FROM:.0}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"20\" fill=\"#3465a4\"/>\
             <text x=\"{:.1}\" y=\"{text_y:.0}\">{shown}</text>",
            FROM - 8.0,
            FROM + width + 8.0
        ));
        y += ROW;
    }
    format!(
        "<svg class=\"bars\" viewBox=\"0 0 760 {y:.0}\" role=\"img\" font-size=\"14\" font-family=\"system-ui,sans-serif\">{drawn}</svg>"
    )
}

/// Intervals as horizontal lines on one scale, each with its middle, its name and its value in words; a
/// vertical line marks zero. Nothing where no interval is finite or all are zero.
#[must_use]
pub fn intervals(rows: &[(String, [f64; 3], String)]) -> String {
    /// From one interval to the next, and where the scale begins and ends.
    const ROW: f64 = 40.0;
    const FROM: f64 = 210.0;
    const TO: f64 = 740.0;
    let finite: Vec<_> = rows
        .iter()
        .filter(|(_, values, _)| values.iter().all(|value| value.is_finite()))
        .collect();
    let ends = finite.iter().flat_map(|(_, values, _)| values);
    let reach = ends.map(|value| value.abs()).fold(0.0, f64::max);
    if reach <= 0.0 {
        return String::new();
    }
    let zero = f64::midpoint(FROM, TO);
    let x = |value: f64| zero + value / reach * (TO - zero);
    let (mut drawn, mut y) = (String::new(), 0.0);
    for (name, [low, middle, high], shown) in finite {
        let (name, shown, text_y, line_y) = (escape(name), escape(shown), y + 16.0, y + 28.0);
        drawn.push_str(&format!(
            "<text x=\"{:.0}\" y=\"{line_y:.0}\" text-anchor=\"end\">{name}</text>\
             <text x=\"{FROM:.0}\" y=\"{text_y:.0}\" fill=\"#555\">{shown}</text>\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{line_y:.0}\" y2=\"{line_y:.0}\" stroke=\"#3465a4\" stroke-width=\"3\"/>\
             <circle cx=\"{:.1}\" cy=\"{line_y:.0}\" r=\"5\" fill=\"#3465a4\"/>",
            FROM - 8.0,
            x(*low),
            x(*high),
            x(*middle)
        ));
        y += ROW;
    }
    format!(
        "<svg class=\"bars\" viewBox=\"0 0 760 {y:.0}\" role=\"img\" font-size=\"14\" font-family=\"system-ui,sans-serif\">\
         <line x1=\"{zero:.0}\" x2=\"{zero:.0}\" y1=\"0\" y2=\"{y:.0}\" stroke=\"#999\"/>{drawn}</svg>"
    )
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

        #[test]
        fn bars_stay_within_their_picture(values in prop::collection::vec(prop::num::f64::ANY, 0..9)) {
            let rows: Vec<_> = values.iter().map(|value| ("<a>", *value, value.to_string())).collect();
            let drawn = bars(&rows);
            prop_assert!(!drawn.contains("<a>"));
            for width in drawn.split(" width=\"").skip(1) {
                let width: f64 = width.split('"').next().unwrap().parse().unwrap();
                prop_assert!((0.0..=430.0).contains(&width), "{}", width);
            }
        }

        #[test]
        fn intervals_stay_within_their_picture(
            values in prop::collection::vec([prop::num::f64::ANY, prop::num::f64::ANY, prop::num::f64::ANY], 0..9),
        ) {
            let rows: Vec<_> = values
                .iter()
                .map(|value| ("<a>".to_owned(), *value, value[0].to_string()))
                .collect();
            let drawn = intervals(&rows);
            prop_assert!(!drawn.contains("<a>") && !drawn.contains("NaN"));
            for mark in [" x1=\"", " x2=\"", " cx=\""] {
                for end in drawn.split(mark).skip(1) {
                    let x: f64 = end.split('"').next().unwrap().parse().unwrap();
                    prop_assert!((210.0..=740.0).contains(&x), "{}", x);
                }
            }
        }
    }
}
