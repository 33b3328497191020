//! Snapshots and policies for the room's tests.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::snapshot::{RecordedManager, RecordedSnapshot};
use super::units;
use wastegate_core::decision::Standing;
use wastegate_core::types::{Clock, Scope, Signal, SignalRow, Tier};
use wastegate_engine::policy::{self, Engine, Program, load, shipped};

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(policy::Config::default(), Clock::system()).unwrap());

/// A policy that the host ships.
pub(super) fn shipped_policy(name: &str) -> Arc<Program> {
    load::program(&ENGINE, shipped::find(name).unwrap()).unwrap()
}

/// The defaults of a policy's parameters.
pub(super) fn defaults(program: &Program) -> Vec<f64> {
    let params = program.manifest().params(&Default::default());
    params.unwrap().to_vec()
}

/// A snapshot as it is written.
pub(super) fn snapshot(text: &str) -> RecordedSnapshot {
    serde_json::from_str(text).unwrap()
}

/// Any manager: each signal known or not, codes within their tables.
pub(super) fn any_manager() -> impl Strategy<Value = RecordedManager> {
    let value = |signal: &Signal| match units::words(*signal) {
        Some(words) => (0..words.len() as u8).prop_map(f64::from).boxed(),
        None => prop_oneof![(0_u32..50).prop_map(f64::from), 0.0..1e9_f64].boxed(),
    };
    let signals: Vec<_> = Signal::ALL
        .iter()
        .map(|signal| prop_oneof![Just(f64::NAN), value(signal)])
        .collect();
    let standing = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Standing::Expired)),
        1 => Just(Some(Standing::Newborn)),
    ];
    (signals, standing).prop_map(|(values, standing)| {
        let mut signals = SignalRow::default();
        for (&signal, value) in Signal::ALL.iter().zip(values) {
            signals[signal] = value;
        }
        RecordedManager {
            key: None,
            standing,
            signals,
        }
    })
}

/// Any snapshot; some of its rows have keys, each its own.
pub(super) fn any_snapshot() -> impl Strategy<Value = RecordedSnapshot> {
    let rows = prop::collection::vec((any_manager(), any::<bool>()), 0..12);
    let tier = prop::sample::select(Tier::ALL.to_vec());
    let scope = prop_oneof![Just(Scope::User), Just(Scope::Node)];
    let counts = (0_u32..6, 1_u32..40, 0_u32..40);
    let more = (any::<u64>(), any::<bool>(), prop::option::of(0_u32..6));
    (rows, tier, scope, counts, more).prop_map(
        |(rows, tier, scope, (needed, limit, held), (seed, as_asked, most))| RecordedSnapshot {
            tier,
            scope,
            needed,
            most,
            limit,
            held,
            now_ms: 2_000_000_000,
            seed,
            as_asked,
            rows: rows
                .into_iter()
                .enumerate()
                .map(|(place, (row, named))| RecordedManager {
                    key: named.then(|| format!("k{place}")),
                    ..row
                })
                .collect(),
        },
    )
}
