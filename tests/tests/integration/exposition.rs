//! Reads what `/metrics` answers, in Prometheus' text format.

use std::collections::{BTreeMap, BTreeSet};

/// One metric of a scrape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MetricFamily {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) help: String,
    /// Names of samples with their labels, and their values.
    pub(crate) samples: Vec<(String, f64)>,
}

impl MetricFamily {
    /// The labels of its samples with their values; not the bounds of buckets.
    pub(crate) fn labels(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut labels = BTreeMap::<String, BTreeSet<String>>::new();
        for (sample, _) in &self.samples {
            let inner = sample.split_once('{').map_or("", |(_, inner)| inner);
            for pair in inner.trim_end_matches('}').split("\",") {
                if let Some((name, value)) =
                    pair.split_once("=\"").filter(|(name, _)| *name != "le")
                {
                    let value = value.trim_end_matches('"').to_owned();
                    labels.entry(name.to_owned()).or_default().insert(value);
                }
            }
        }
        labels
    }
}

/// The metrics of a scrape, in its order.
///
/// # Panics
/// If a sample has no family before it, or is there twice.
pub(crate) fn metric_families(text: &str) -> Vec<MetricFamily> {
    let mut families: Vec<MetricFamily> = Vec::new();
    let mut help = String::new();
    let mut known = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').unwrap().1.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            families.push(MetricFamily {
                name: name.to_owned(),
                kind: kind.to_owned(),
                help: std::mem::take(&mut help),
                samples: Vec::new(),
            });
        } else {
            assert!(!line.starts_with('#'), "{line}");
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(known.insert(sample.to_owned()), "{sample} is there twice");
            let family = families.last_mut().unwrap();
            let name = sample.split('{').next().unwrap();
            assert!(name.starts_with(&family.name), "{name} in {}", family.name);
            family
                .samples
                .push((sample.to_owned(), value.parse().unwrap()));
        }
    }
    families
}
