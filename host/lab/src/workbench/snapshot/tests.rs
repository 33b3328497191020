//! The form, what follows from it, and that the order of its rows does not matter.

use proptest::prelude::*;

use super::*;
use crate::workbench::ask;
use crate::workbench::testing::{any_snapshot, defaults, shipped_policy, snapshot};

#[test]
fn everything_but_rows_has_a_default() {
    let found = snapshot(r#"{ "rows": [ { "idle-ms": 5 } ] }"#);
    assert_eq!((found.tier, found.scope), (Tier::Force, Scope::User));
    assert_eq!(
        (
            found.needed,
            found.limit,
            found.held,
            found.now_ms,
            found.seed
        ),
        (1, 20, 20, 1_000_000, 0)
    );
    let many = format!(r#"{{ "rows": [{}] }}"#, ["{}"; 30].join(","));
    assert_eq!((snapshot(&many).limit, snapshot(&many).held), (30, 30));
}

#[test]
fn codes_are_words_or_numbers_and_null_is_unknown() {
    let words = snapshot(
        r#"{ "rows": [ { "health": "half-open", "protection": "pinned", "taken-over": true,
                         "visibility": "visible", "device-class": "mobile", "phi": null } ] }"#,
    );
    let numbers = snapshot(
        r#"{ "rows": [ { "health": 5, "protection": 2, "taken-over": 1,
                         "visibility": 1.0, "device-class": 2 } ] }"#,
    );
    assert_eq!(words.to_json(), numbers.to_json());
    assert!(words.rows[0].signals[Signal::Phi].is_nan());
}

/// What the guard goes by, where the file says nothing else.
#[test]
fn the_facts_follow_from_the_signals() {
    let facts = |row: &str| {
        let text = format!(r#"{{ "rows": [ {row} ] }}"#);
        let row = snapshot(&text).row(0).unwrap();
        (
            row.standing,
            row.health,
            row.taken_over,
            row.class().map(|class| class.name()),
        )
    };
    let attached = Standing::Attached;
    let cases = [
        ("{}", (attached, Health::Unknown, false, Some("responsive"))),
        (
            r#"{ "health": "dead" }"#,
            (attached, Health::Dead, false, Some("dead")),
        ),
        (
            r#"{ "taken-over": 1 }"#,
            (attached, Health::Unknown, true, Some("taken-over")),
        ),
        (
            r#"{ "detached-ms": 29000 }"#,
            (Standing::Detached, Health::Unknown, false, Some("detached")),
        ),
        (
            r#"{ "detached-ms": 31000 }"#,
            (Standing::Expired, Health::Unknown, false, Some("expired")),
        ),
        (
            r#"{ "connections": 0 }"#,
            (Standing::Detached, Health::Unknown, false, Some("detached")),
        ),
        (
            r#"{ "detached-ms": 99000, "standing": "detached" }"#,
            (Standing::Detached, Health::Unknown, false, Some("detached")),
        ),
        (
            r#"{ "standing": "newborn", "health": "alive" }"#,
            (Standing::Newborn, Health::Alive, false, None),
        ),
    ];
    for (row, expected) in cases {
        assert_eq!(facts(row), expected, "{row}");
    }
}

#[test]
fn the_question_is_what_the_tier_allows_least_recently_active_first() {
    let found = snapshot(
        r#"{ "tier": "aggressive", "needed": 2, "rows": [
            { "key": "answers", "idle-ms": 900 },
            { "key": "silent", "idle-ms": 10, "health": "half-open" },
            { "key": "dead", "idle-ms": 20, "health": "dead" },
            { "key": "pinned", "idle-ms": 30, "health": "dead", "protection": "pinned" } ] }"#,
    );
    let question = found.question(&TierTable::default());
    let keys: Vec<&str> = question.rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, ["dead", "silent"]);
    assert_eq!(question.most, 2, "needed and one in reserve, of two");
    let places: Vec<u64> = question.rows.iter().map(|row| row.manager.raw()).collect();
    assert_eq!(places, [2, 1]);
    let as_asked = RecordedSnapshot {
        as_asked: true,
        most: Some(3),
        ..found
    };
    let question = as_asked.question(&TierTable::default());
    assert_eq!(
        (question.rows.len(), question.most),
        (4, 3),
        "as a server asked it"
    );
    assert_eq!(question.rows[0].key.as_str(), "answers", "and in its order");
}

/// What a policy is asked, and by which rows, without their places in the file.
fn asked(snapshot: &RecordedSnapshot) -> Vec<String> {
    let question = snapshot.question(&TierTable::default());
    let named = |row: &Row| {
        let place = usize::try_from(row.manager.raw()).unwrap();
        snapshot.rows[place].key.clone()
    };
    question
        .rows
        .iter()
        .map(|row| format!("{:?} {:?} {:?}", named(row), row.standing, row.signals))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What is written is read back as the same, and written the same again.
    #[test]
    fn round_trip(written in any_snapshot()) {
        let text = written.to_json();
        let read = snapshot(&text);
        prop_assert_eq!(read.to_json(), text);
        prop_assert_eq!(asked(&read), asked(&written));
        prop_assert_eq!((read.as_asked, read.most), (written.as_asked, written.most));
    }

    /// Another order of the rows is another set of places and nothing else.
    #[test]
    fn the_order_of_rows_does_not_matter(
        (snapshot, order) in any_snapshot().prop_flat_map(|mut snapshot| {
            snapshot.as_asked = false;
            let order: Vec<usize> = (0..snapshot.rows.len()).collect();
            (Just(snapshot), Just(order).prop_shuffle())
        }),
    ) {
        let moved = RecordedSnapshot {
            rows: order.iter().map(|place| snapshot.rows[*place].clone()).collect(),
            ..snapshot.clone()
        };
        prop_assert_eq!(asked(&moved), asked(&snapshot));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// The same for whom a real policy has the host take: by name, they are the same.
    #[test]
    fn moved_rows_have_the_same_victims(
        (snapshot, order) in any_snapshot().prop_flat_map(|mut snapshot| {
            snapshot.as_asked = false;
            for (place, row) in snapshot.rows.iter_mut().enumerate() {
                row.key = Some(format!("k{place}"));
            }
            let order: Vec<usize> = (0..snapshot.rows.len()).collect();
            (Just(snapshot), Just(order).prop_shuffle())
        }),
    ) {
        thread_local! {
            static POLICY: std::sync::Arc<wastegate_engine::policy::Program> = shipped_policy("qos-lexicographic");
        }
        let program = POLICY.with(Clone::clone);
        let moved = RecordedSnapshot {
            rows: order.iter().map(|place| snapshot.rows[*place].clone()).collect(),
            ..snapshot.clone()
        };
        let victims = |snapshot: &RecordedSnapshot| -> Vec<String> {
            let asked = ask::ask(&program, &defaults(&program), snapshot);
            asked.victims().into_iter().map(|place| snapshot.label(place)).collect()
        };
        prop_assert_eq!(victims(&moved), victims(&snapshot));
    }
}
