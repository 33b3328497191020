//! Harm is ordered as it says, and two policies part where they do, for the reason that there is.

use std::fs;

use proptest::prelude::*;

use super::harm::{Harm, of_all, of_row};
use super::*;
use crate::workbench::testing::{any_manager, defaults, shipped_policy, snapshot};
use wastegate_core::decision::Class;
use wastegate_core::types::Protection;

fn one_row(manager: crate::workbench::snapshot::RecordedManager) -> RecordedSnapshot {
    let mut found = snapshot(r#"{ "rows": [] }"#);
    found.rows.push(manager);
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// What answers is worse to evict than what does not, whatever else; what is protected than
    /// what is not, of the same kind; and then the more recent.
    #[test]
    fn harm_is_ordered_by_its_components((a, b) in (any_manager(), any_manager())) {
        let rows = [a, b].map(one_row);
        let facts = rows.each_ref().map(|snapshot| snapshot.row(0).unwrap());
        let harms = facts.each_ref().map(Harm::of);
        let [a, b] = harms;
        for (harm, row) in harms.iter().zip(&facts) {
            prop_assert!((0.0..=7.0).contains(&harm.total()));
            prop_assert_eq!(harm.responsive, row.class() == Some(Class::Responsive));
            if row.class().is_some_and(Class::is_gone) {
                prop_assert_eq!(harm.total(), 0.0, "nobody is left to be harmed");
            } else {
                prop_assert_eq!(harm.protected, row.protection != Protection::Evictable);
            }
        }
        let key = |harm: Harm| (harm.responsive, harm.protected);
        match key(a).cmp(&key(b)) {
            std::cmp::Ordering::Greater => prop_assert!(a.total() >= b.total()),
            std::cmp::Ordering::Less => prop_assert!(a.total() <= b.total()),
            std::cmp::Ordering::Equal => {
                prop_assert_eq!(a.total() > b.total(), a.recency > b.recency);
            }
        }
    }

    /// Idle for longer is never worse to evict, everything else being equal.
    #[test]
    fn harm_falls_with_idle_time(manager in any_manager(), idle in 0.0..1e9_f64, longer in 0.0..1e9_f64) {
        let at = |idle| {
            let mut manager = manager.clone();
            manager.signals[Signal::IdleMs] = idle;
            of_all(&one_row(manager), &[0])
        };
        prop_assert!(at(idle + longer) <= at(idle));
    }
}

const PARTED: &str = r#"{ "rows": [
    { "key": "old-and-busy", "age-ms": 900000, "idle-ms": 10, "health": "alive", "protection": "protected" },
    { "key": "new-and-idle", "age-ms": 9000, "idle-ms": 8000, "health": "alive" },
    { "key": "between", "age-ms": 50000, "idle-ms": 500, "health": "alive" } ] }"#;
const AGREED: &str = r#"{ "rows": [
    { "key": "first", "age-ms": 900000, "idle-ms": 900 },
    { "key": "second", "age-ms": 9000, "idle-ms": 8 } ] }"#;

/// Compares `fifo` with `lru` over a folder of these files.
fn compared(files: &[(&str, &[u8])]) -> Result<PolicyDiff, FileError> {
    compared_with(files, Unrecorded::Noted)
}

fn compared_with(files: &[(&str, &[u8])], unrecorded: Unrecorded) -> Result<PolicyDiff, FileError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let programs = ["fifo", "lru"].map(shipped_policy);
    let params = programs.each_ref().map(|program| defaults(program));
    let [a, b] = [0, 1].map(|place: usize| DiffSubject {
        program: &programs[place],
        params: &params[place],
    });
    let paths = paths(&[folder.path().to_owned()])?;
    compare([a, b], &paths, unrecorded, 10)
}

#[test]
fn policies_part_where_their_signals_disagree() {
    let files: [(&str, &[u8]); 2] = [("a.json", AGREED.as_bytes()), ("b.json", PARTED.as_bytes())];
    let found = compared(&files).unwrap();
    assert_eq!(
        (found.snapshots, found.identical, found.disagreed),
        (2, 1, 1)
    );
    let disagreement = &found.worst[0];
    // At force the guard takes the protected one only after the others, so `fifo` gets its next.
    let taken = |rows: &[usize]| disagreement.snapshot.label(rows[0]);
    assert_eq!(
        (taken(&disagreement.only_a), taken(&disagreement.only_b)),
        ("between".to_owned(), "new-and-idle".to_owned())
    );
    assert!(disagreement.harm > 0.0, "it was more recently active");
    let signals: Vec<Signal> = disagreement
        .because
        .iter()
        .map(|because| because.signal)
        .collect();
    assert!(
        signals.contains(&Signal::AgeMs) && signals.contains(&Signal::IdleMs),
        "{signals:?}"
    );
    assert_eq!(disagreement.because[0].apart, 0.5);
}

#[test]
fn the_worst_come_first_and_a_swap_turns_the_sign() {
    let recent = PARTED.replace("\"idle-ms\": 500", "\"idle-ms\": 20");
    let files: [(&str, &[u8]); 2] = [("a.json", PARTED.as_bytes()), ("b.json", recent.as_bytes())];
    let found = compared(&files).unwrap();
    assert_eq!(found.disagreed, 2);
    let harms: Vec<f64> = found
        .worst
        .iter()
        .map(|disagreement| disagreement.harm)
        .collect();
    assert!(harms[0] > harms[1], "{harms:?}");
    assert!(found.worst[0].name.ends_with("b.json"));
    for disagreement in &found.worst {
        let [a, b] = [&disagreement.only_a, &disagreement.only_b]
            .map(|rows| of_all(&disagreement.snapshot, rows));
        assert_eq!(disagreement.harm, a - b);
        let (row_a, _) = disagreement.pair.unwrap();
        assert!(of_row(&disagreement.snapshot, row_a).unwrap().responsive);
    }
}

/// A journal as a server writes it, compressed, with its own marks in it.
#[test]
fn a_compressed_journal_is_read_line_by_line() {
    let line = include_str!("record.jsonl").trim_end();
    let text = format!("{line}\n{{\"dropped\":3}}\n{line}\n{{\"v\":1,\"id\":7,\"torn");
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    let found = compared(&[("decisions.1-1.ndjson.zst", &packed)]).unwrap();
    assert_eq!((found.snapshots, found.skipped), (2, 2));
    let [fifo, lru] = &found.unrecorded;
    assert_eq!(
        fifo.get(&Signal::AgeMs),
        Some(&2),
        "the policy of that time did not ask for it"
    );
    assert!(lru.is_empty(), "{lru:?}");
}

/// Decisions that hold only what `lru` reads say nothing of `fifo`.
#[test]
fn j15_decisions_that_lack_a_signal_are_left_out_where_that_is_asked() {
    let line = include_str!("record.jsonl").trim_end();
    let files: [(&str, &[u8]); 2] = [
        ("a.json", PARTED.as_bytes()),
        ("decisions.jsonl", line.as_bytes()),
    ];
    let found = compared_with(&files, Unrecorded::LeftOut).unwrap();
    assert_eq!((found.snapshots, found.disagreed), (1, 1));
    let [fifo, lru] = &found.lacking;
    assert_eq!((fifo.decisions, fifo.signals.get("age-ms")), (1, Some(&1)));
    assert_eq!(lru.decisions, 0);
    assert_eq!(fifo.refusal("fifo", found.snapshots), None);
    let found = compared_with(&files[1..], Unrecorded::LeftOut).unwrap();
    let [fifo, _] = &found.lacking;
    assert!(fifo.refusal("fifo", found.snapshots).is_some());
}

#[test]
fn an_activity_stream_is_told_apart_from_a_journal() {
    let line = br#"{"t_ms":1,"user":"a","key":"b","kind":"open"}"#;
    let report = compared(&[("activity.ndjson", line)])
        .unwrap_err()
        .to_string();
    assert!(
        report.contains("give the decision journal (`observe.decisions.path`"),
        "{report}"
    );
    assert!(
        report.contains("activity.ndjson:1:1: this is an activity stream"),
        "{report}"
    );
}
