//! Intervals on an axis. Places are in percent of the width, so a picture is as wide as there is room, and its text
//! stays as large as all text.

use std::fmt::Write as _;

use super::escape;
use wastegate_core::types::units::plain;

/// What is left free at both ends of an axis, of its length.
const MARGIN: f64 = 0.06;
/// Steps of an axis, about.
const STEPS: f64 = 4.0;
/// The shortest axis; below it numbers have too few digits to be told apart.
const LENGTH_MIN: f64 = 1e-290;
/// Marks of an axis at the most, whatever its numbers are.
const MARKS_MAX: usize = 9;

/// An axis from somewhere to somewhere, with zero on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    from: f64,
    to: f64,
}

impl Scale {
    /// One that has zero and all of these on it; none where one is not finite, or all are zero.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (mut from, mut to) = (0.0_f64, 0.0_f64);
        for value in values {
            if !value.is_finite() {
                return None;
            }
            (from, to) = (from.min(value), to.max(value));
        }
        let free = (to - from) * MARGIN;
        let scale = Self {
            from: from - free,
            to: to + free,
        };
        let length = scale.to - scale.from;
        (length >= LENGTH_MIN && length.is_finite()).then_some(scale)
    }

    /// Where a value is, percent of the width; what is beyond an end is at the end.
    fn x(self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from) * 100.0).clamp(0.0, 100.0)
    }

    /// The values of the marks: multiples of a round step, zero among them.
    fn marks(self) -> Vec<f64> {
        let step = round((self.to - self.from) / STEPS);
        let first = (self.from / step).ceil();
        let marks = (0_u8..).map(|at| (first + f64::from(at)) * step);
        let marks = marks.take_while(|mark| *mark <= self.to).take(MARKS_MAX);
        // No negative zero.
        marks.map(|mark| mark + 0.0).collect()
    }

    /// An interval with its middle, above the line of zero and, dashed, what is allowed. `shown` is for readers that
    /// do not see it.
    #[must_use]
    pub fn interval(
        self,
        [low, middle, high]: [f64; 3],
        allowed: Option<f64>,
        shown: &str,
    ) -> String {
        let mut drawn = format!(
            "<svg class=\"interval\" role=\"img\" aria-label=\"{}\">{}",
            escape(shown),
            self.zero()
        );
        if let Some(allowed) = allowed {
            let x = self.x(allowed);
            let _ = write!(
                drawn,
                "<line class=\"allowed\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"100%\"/>"
            );
        }
        let class = match (low > 0.0, high < 0.0) {
            (true, _) => " more",
            (_, true) => " less",
            _ => "",
        };
        let (from, to, middle) = (self.x(low), self.x(high), self.x(middle));
        // Writing to a string cannot fail, here and above.
        let _ = write!(
            drawn,
            "<line class=\"span{class}\" x1=\"{from:.2}%\" x2=\"{to:.2}%\" y1=\"50%\" y2=\"50%\"/>\
             <line class=\"end{class}\" x1=\"{from:.2}%\" x2=\"{from:.2}%\" y1=\"25%\" y2=\"75%\"/>\
             <line class=\"end{class}\" x1=\"{to:.2}%\" x2=\"{to:.2}%\" y1=\"25%\" y2=\"75%\"/>\
             <circle class=\"middle{class}\" cx=\"{middle:.2}%\" cy=\"50%\" r=\"4\"/></svg>"
        );
        drawn
    }

    /// The place of an interval that is not known: the line of zero alone.
    #[must_use]
    pub fn nothing(self) -> String {
        format!(
            "<svg class=\"interval\" aria-hidden=\"true\">{}</svg>",
            self.zero()
        )
    }

    fn zero(self) -> String {
        let x = self.x(0.0);
        format!("<line class=\"zero\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"100%\"/>")
    }

    /// The axis, with its marks.
    #[must_use]
    pub fn axis(self) -> String {
        let mut drawn = "<svg class=\"axis\" aria-hidden=\"true\"><line x1=\"0\" x2=\"100%\" y1=\"0.5\" y2=\"0.5\"/>".to_owned();
        for mark in self.marks() {
            let x = self.x(mark);
            let _ = write!(
                drawn,
                "<line x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"5\"/><text x=\"{x:.2}%\" y=\"18\" text-anchor=\"middle\">{}</text>",
                plain(mark).replace('-', "−")
            );
        }
        drawn + "</svg>"
    }
}

/// The nearest of 1, 2 and 5 times a power of ten that is not below it.
fn round(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter();
    let round = times
        .map(|times| times * power)
        .find(|round| *round >= step);
    round.unwrap_or(step)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every place in percent that is in a picture.
    fn places(drawn: &str) -> Vec<f64> {
        let marks = [" x=\"", " x1=\"", " x2=\"", " cx=\""];
        let parts = marks.iter().flat_map(|mark| drawn.split(mark).skip(1));
        let texts = parts.filter_map(|part| part.split('"').next()?.strip_suffix('%'));
        texts.map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn an_axis_has_round_marks_and_zero() {
        let scale = Scale::of([-0.37, 1.2]).unwrap();
        assert_eq!(scale.marks(), [0.0, 0.5, 1.0]);
        let axis = scale.axis();
        assert!(axis.contains(">0<") && axis.contains(">0.5<"), "{axis}");
        assert!(Scale::of([-3.0]).unwrap().axis().contains(">−2<"));
        for none in [vec![], vec![0.0], vec![1.0, f64::NAN], vec![f64::INFINITY]] {
            assert_eq!(Scale::of(none), None);
        }
    }

    #[test]
    fn what_is_beyond_zero_is_told_apart() {
        let scale = Scale::of([-2.0, 2.0]).unwrap();
        for (interval, class) in [
            ([-2.0, -1.0, -0.5], "span less"),
            ([0.5, 1.0, 2.0], "span more"),
            ([-1.0, 0.0, 1.0], "span\""),
        ] {
            let drawn = scale.interval(interval, Some(1.0), "<said>");
            assert!(
                drawn.contains(class)
                    && drawn.contains("allowed")
                    && drawn.contains("&lt;said&gt;"),
                "{drawn}"
            );
        }
    }

    proptest! {
        #[test]
        fn everything_is_within_the_picture(
            values in prop::collection::vec(prop::num::f64::ANY, 1..9),
            interval in [prop::num::f64::NORMAL, prop::num::f64::NORMAL, prop::num::f64::NORMAL],
        ) {
            let Some(scale) = Scale::of(values) else {
                return Ok(());
            };
            let drawn = scale.interval(interval, Some(interval[0]), "<x>") + &scale.axis() + &scale.nothing();
            prop_assert!(!drawn.contains("<x>") && !drawn.contains("NaN"), "{}", drawn);
            prop_assert!(scale.marks().len() <= MARKS_MAX);
            for place in places(&drawn) {
                prop_assert!((0.0..=100.0).contains(&place), "{}", place);
            }
        }
    }
}
