//! Every row is told once, with what the host really does.

use proptest::prelude::*;

use super::*;

use crate::workbench::testing::{any_snapshot, defaults, shipped_policy, snapshot};

thread_local! {
    static POLICIES: Vec<Arc<Program>> =
        ["lru", "qos-lexicographic", "scaled-idle-timeout"].map(shipped_policy).to_vec();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_row_is_told_once_and_who_goes_is_who_goes(
        snapshot in any_snapshot(),
        policy in 0_usize..3,
    ) {
        let program = POLICIES.with(|policies| policies[policy].clone());
        let asked = ask(&program, &defaults(&program), &snapshot);
        let entries = asked.entries(&snapshot);
        let mut rows: Vec<usize> = entries.iter().filter_map(|entry| entry.row).collect();
        rows.sort_unstable();
        prop_assert_eq!(rows, (0..snapshot.rows.len()).collect::<Vec<_>>());
        let goes = |entry: &&RankedRow| matches!(entry.outcome, RowOutcome::Taken | RowOutcome::ToppedUp);
        let mut gone: Vec<usize> = entries.iter().filter(goes).filter_map(|entry| entry.row).collect();
        let mut victims = asked.victims();
        gone.sort_unstable();
        victims.sort_unstable();
        prop_assert_eq!(gone, victims);
        for entry in &entries {
            let in_question = entry.row.is_some_and(|row| {
                asked.question.rows.iter().any(|each| each.manager.raw() == row as u64)
            });
            prop_assert_eq!(in_question, !matches!(entry.outcome, RowOutcome::NotAsked(_)));
            prop_assert_eq!(entry.place.is_some(), entry.row.is_some_and(|row| asked.ranking().contains(&row)));
        }
        // Asked again it is the same, whoever else is asked.
        let params = defaults(&program);
        let sides = [(&*program, params.as_slice()); 2];
        for again in ask_each(sides, &snapshot) {
            prop_assert_eq!(again.entries(&snapshot), entries.clone());
            prop_assert_eq!(again.answer.fuel, asked.answer.fuel);
        }
    }
}

fn entries_of(text: &str) -> Vec<(String, String)> {
    let snapshot = snapshot(text);
    let program = shipped_policy("lru");
    let entries = ask(&program, &[], &snapshot).entries(&snapshot);
    entries
        .iter()
        .map(|entry| {
            (
                snapshot.label(entry.row.unwrap()),
                entry.outcome.to_string(),
            )
        })
        .collect()
}

#[test]
fn each_fate_has_its_words() {
    let expect = |text: &str, expected: &[(&str, &str)]| {
        let found = entries_of(text);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(row, outcome)| (row.as_str(), outcome.as_str()))
            .collect();
        assert_eq!(found, expected);
    };
    expect(
        r#"{ "needed": 2, "rows": [
            { "key": "answers", "idle-ms": 9 }, { "key": "silent", "idle-ms": 7, "health": "half-open" },
            { "key": "held", "idle-ms": 8, "protection": "protected" }, { "key": "last", "idle-ms": 1 },
            { "key": "gone", "idle-ms": 2, "health": "dead", "protection": "pinned" } ] }"#,
        &[
            ("answers", "taken"),
            ("held", "kept: it is protected"),
            ("silent", "taken"),
            ("last", "not needed"),
            ("gone", "not asked: pinned"),
        ],
    );
    expect(
        r#"{ "needed": 1, "rows": [
            { "key": "answers", "idle-ms": 9 }, { "key": "silent", "idle-ms": 7, "health": "half-open" },
            { "key": "held", "idle-ms": 8, "health": "suspect", "protection": "protected" } ] }"#,
        &[
            ("answers", "kept: it still answers"),
            ("held", "kept: it is protected"),
            ("silent", "taken"),
        ],
    );
    expect(
        r#"{ "tier": "moderate", "rows": [
            { "key": "answers", "idle-ms": 9 }, { "key": "left", "idle-ms": 7, "detached-ms": 6 },
            { "key": "held", "detached-ms": 5, "protection": "protected" },
            { "key": "new", "standing": "newborn" } ] }"#,
        &[
            ("left", "taken"),
            ("answers", "not asked: `moderate` spares the responsive"),
            ("held", "not asked: protected at `moderate`"),
            ("new", "not asked: its client is still coming"),
        ],
    );
}

#[test]
fn captured_parameters_go_by_place_and_give_way_to_what_was_set() {
    let program = shipped_policy("scaled-idle-timeout");
    let names: Vec<&str> = program
        .manifest()
        .parameters
        .iter()
        .map(|known| known.name.as_str())
        .collect();
    let known = &program.manifest().parameters;
    let mut values = defaults(&program);
    values[0] = known[0].max;
    let none = BTreeMap::new();
    let captured = CaseParams::Captured(values.clone());
    assert_eq!(
        parameters(&program, &captured, &none).unwrap(),
        (values.clone(), false)
    );
    let set = BTreeMap::from([(names[0].to_owned(), known[0].min)]);
    assert_eq!(
        parameters(&program, &captured, &set).unwrap().0[0],
        known[0].min
    );
    for misfit in [vec![], vec![f64::INFINITY; values.len()]] {
        let misfit = CaseParams::Captured(misfit);
        assert_eq!(
            parameters(&program, &misfit, &none).unwrap(),
            (defaults(&program), true)
        );
    }
    let wrong = CaseParams::Named(BTreeMap::from([("no-such".to_owned(), 1.0)]));
    assert_eq!(parameters(&program, &wrong, &none).unwrap_err().len(), 1);
}
