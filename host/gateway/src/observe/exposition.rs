//! The two text formats in which metrics leave: OpenMetrics, and Prometheus' own text format from before it.
//!
//! A scraper that asks for OpenMetrics gets it, exemplars included. Everything else, `curl` and `promtool`
//! among it, gets the older format, which all of them read.

use std::fmt::Write as _;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0, with exemplars.
    OpenMetrics,
    /// Prometheus' text format 0.0.4, which has no exemplars.
    Text,
}

/// The media type by which a scraper asks for OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text";

impl Exposition {
    /// What a client wants that sends these `Accept` headers: OpenMetrics where it is named. Every scraper that
    /// names it prefers it, so weights are not compared; but a weight of nothing refuses it (RFC 9110, section
    /// 12.4.2).
    #[must_use]
    pub fn wanted<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let mut ranges = accept.into_iter().flat_map(|header| header.split(','));
        let named = ranges.any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
            kind.eq_ignore_ascii_case(OPEN_METRICS) && weight > 0.0
        });
        if named { Self::OpenMetrics } else { Self::Text }
    }

    /// For the `Content-Type` header.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// OpenMetrics in the older format: there the name of a counter's family ends in `_total` too, and there are
/// neither units, exemplars, the type `info` nor an end mark.
pub(super) fn classic(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    // The help of a family comes before its type, which decides the family's name.
    let mut help = None;
    for line in open.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map(|(_, help)| help);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "unknown"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            // Writing to a text does not fail.
            if let Some(help) = help.take() {
                let _ = writeln!(text, "# HELP {name}{suffix} {help}");
            }
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(without_exemplar(line));
            text.push('\n');
        }
    }
    text
}

/// A sample without what comes behind its value. Values of labels are in quotes and may hold anything.
fn without_exemplar(sample: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    let end = sample.char_indices().find(|(_, letter)| {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '#' if !quoted => return true,
            _ => {}
        }
        false
    });
    let end = end.map_or(sample.len(), |(end, _)| end);
    sample.get(..end).unwrap_or(sample).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_scrapers_that_name_it() {
        for (accept, expected) in [
            (vec![], Exposition::Text),
            (vec!["*/*"], Exposition::Text),
            (
                vec!["text/plain;version=0.0.4;q=0.3,*/*;q=0.1"],
                Exposition::Text,
            ),
            (
                vec!["application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"],
                Exposition::OpenMetrics,
            ),
            (
                vec![
                    "text/plain",
                    "Application/OpenMetrics-Text; version=0.0.1; q=0.2",
                ],
                Exposition::OpenMetrics,
            ),
            (
                vec!["application/openmetrics-text;q=0, */*"],
                Exposition::Text,
            ),
        ] {
            let wanted = Exposition::wanted(accept.iter().copied());
            assert_eq!(wanted, expected, "{accept:?}");
        }
    }

    #[test]
    fn the_older_format_has_other_names_of_families_and_no_exemplars() {
        let open = "# HELP a_calls Calls.\n# TYPE a_calls counter\n\
                    a_calls_total{to=\"ws://b/\\\" # {\"} 3\n\
                    # HELP a_s_seconds Time.\n# TYPE a_s_seconds histogram\n# UNIT a_s_seconds seconds\n\
                    a_s_seconds_bucket{le=\"1.0\"} 2 # {decision_id=\"7\"} 0.5\n\
                    # HELP a_build Build.\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n# EOF\n";
        let expected = "# HELP a_calls_total Calls.\n# TYPE a_calls_total counter\n\
                        a_calls_total{to=\"ws://b/\\\" # {\"} 3\n\
                        # HELP a_s_seconds Time.\n# TYPE a_s_seconds histogram\n\
                        a_s_seconds_bucket{le=\"1.0\"} 2\n\
                        # HELP a_build_info Build.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n";
        assert_eq!(classic(open), expected);
    }
}
