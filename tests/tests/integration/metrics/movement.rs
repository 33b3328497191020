//! That every metric moves: scenes of real gateways provoke each, and what does not move is listed by name.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use wastegate_tests::harness::Server;

use super::{clusters, documented, scenes, services, strangers};
use crate::exposition::metric_families;

/// What no scene moves, and why.
const STILL: [(&str, &str); 5] = [
    ("wastegate_build_info", "it is 1 for ever"),
    (
        "process_max_fds",
        "a limit that a process sets once, when it starts",
    ),
    ("process_start_time_seconds", "a process starts once"),
    (
        "wastegate_gateway_upgrades_failed_total",
        "a connection has to end between the answer and its last byte, which no client can arrange",
    ),
    (
        "wastegate_cluster_dropped_total",
        "65,536 errands have to wait at once; a test of the room fills the queue",
    ),
];

/// Every value that a series had, by its name with its labels, by metric.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<String, BTreeMap<String, BTreeSet<u64>>>);

impl Seen {
    /// Scrapes a server.
    pub(super) async fn look(&mut self, server: &Server) {
        self.note(&server.get("/metrics").await.body);
    }

    /// Takes a scrape.
    pub(super) fn note(&mut self, text: &str) {
        for family in metric_families(text) {
            let series = self.0.entry(family.name).or_default();
            for (sample, value) in family.samples {
                series.entry(sample).or_default().insert(value.to_bits());
            }
        }
    }

    fn moved(&self) -> BTreeSet<&str> {
        let moved = self
            .0
            .iter()
            .filter(|(_, series)| series.values().any(|values| values.len() > 1));
        moved.map(|(name, _)| name.as_str()).collect()
    }
}

/// A scene, on the heap: the futures of all would not fit the stack of a test.
fn scene<'a, F: Future<Output = ()> + 'a>(
    begin: impl FnOnce(&'a mut Seen) -> F,
    seen: &'a mut Seen,
) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    Box::pin(begin(seen))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_moves() {
    let mut seen = Seen::default();
    scene(scenes::making_room, &mut seen).await;
    scene(scenes::refusing, &mut seen).await;
    scene(scenes::holding_back, &mut seen).await;
    scene(scenes::waiting, &mut seen).await;
    scene(scenes::sick_policies, &mut seen).await;
    scene(scenes::another_policy, &mut seen).await;
    scene(scenes::auditing, &mut seen).await;
    scene(scenes::journals_without_room, &mut seen).await;
    scene(scenes::stopping, &mut seen).await;
    scene(strangers::refused, &mut seen).await;
    scene(strangers::backends, &mut seen).await;
    scene(strangers::certificates, &mut seen).await;
    scene(strangers::keys, &mut seen).await;
    scene(services::webhooks, &mut seen).await;
    scene(services::over_budget, &mut seen).await;
    scene(services::collectors, &mut seen).await;
    scene(clusters::sharing, &mut seen).await;
    let documented = documented();
    let unknown: Vec<&String> = seen
        .0
        .keys()
        .filter(|name| !documented.contains(*name))
        .collect();
    assert!(unknown.is_empty(), "not in docs/metrics.md: {unknown:?}");
    let moved = seen.moved();
    let still: BTreeSet<&str> = documented.iter().map(String::as_str).collect();
    let still: BTreeSet<&str> = still.difference(&moved).copied().collect();
    let expected = STILL.iter().map(|(name, _)| *name).collect();
    assert_eq!(still, expected, "what does not move");
}
