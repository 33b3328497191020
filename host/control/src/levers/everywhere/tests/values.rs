//! Levers of two nodes as values: in any order of changes and looks both end equal, and nothing is lost.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::levers::everywhere::document::LeverDocument;
use crate::levers::everywhere::lever::{CommonLever, LIFTED_MAX, LeverName, LeverSetting};
use crate::levers::table::{LeverTable, LeverTerms};
use crate::levers::tests::user;
use crate::levers::{LEVERS_MAX, RevocationTarget};
use crate::rollout::Actor;

/// A node without a registry, whose clock is wrong.
struct Pure {
    name: Arc<str>,
    table: LeverTable,
    ahead_ms: u64,
}

#[derive(Debug, Clone)]
enum Step {
    Set(usize, usize, Option<u64>),
    Lift(usize, usize),
    Look(usize),
    /// The engine has lost everything.
    Lose,
}

impl Pure {
    fn new(name: &str, ahead_ms: u64) -> Self {
        Self {
            name: name.into(),
            table: LeverTable::default(),
            ahead_ms,
        }
    }

    fn look(&mut self, engine: &mut LeverDocument, now: u64) {
        let now = now + self.ahead_ms;
        let theirs = engine.clone();
        let followed = self.table.following(&theirs.clone().at(now), now);
        self.table = followed.table;
        let on_top = theirs.with(LeverDocument::of(&self.table), now);
        assert_eq!(on_top.left_out, 0);
        if on_top.is_new {
            *engine = on_top.document;
        }
    }
}

fn names() -> [LeverName; 3] {
    let token = RevocationTarget::Token("a".to_owned());
    [
        LeverName::Block(user("ann")),
        LeverName::Limit(user("ann")),
        LeverName::Revoked(token),
    ]
}

fn setting(name: &LeverName, at: usize) -> LeverSetting {
    match name {
        LeverName::Block(_) => LeverSetting::Block,
        LeverName::Limit(_) => LeverSetting::Limit {
            managers: u32::try_from(at).unwrap(),
        },
        LeverName::Revoked(_) => LeverSetting::Revoked {
            issued_before_unix_ms: None,
        },
    }
}

fn terms(at: usize, set_unix_ms: u64, until_unix_ms: Option<u64>) -> LeverTerms {
    LeverTerms {
        by: Actor::operator(Some("olga"), None),
        reason: format!("change {at}"),
        set_unix_ms,
        until_unix_ms,
        node: None,
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (node, name) = (0..2_usize, 0..3_usize);
    let lasting = prop::option::of(1..5_000_u64);
    let step = prop_oneof![
        3 => (node.clone(), name.clone(), lasting).prop_map(|(a, b, c)| Step::Set(a, b, c)),
        2 => (node.clone(), name).prop_map(|(a, b)| Step::Lift(a, b)),
        3 => node.prop_map(Step::Look),
        1 => Just(Step::Lose),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #[test]
    fn both_nodes_end_equal_and_every_change_holds_or_a_later_one_does(
        steps in steps(),
        ahead in [0..3_000_u64, 0..3_000],
        pace in 1..500_u64,
    ) {
        let mut nodes = [Pure::new("a", ahead[0]), Pure::new("b", ahead[1])];
        let (mut engine, mut now) = (LeverDocument::default(), 1_000_000);
        let mut changes: Vec<(LeverName, CommonLever)> = Vec::new();
        for (at, step) in steps.into_iter().enumerate() {
            now += pace;
            let (node, name, set, lasting) = match step {
                Step::Look(node) => {
                    nodes[node].look(&mut engine, now);
                    continue;
                }
                Step::Lose => {
                    engine = LeverDocument::default();
                    continue;
                }
                Step::Set(node, name, lasting) => {
                    let name = names()[name].clone();
                    let set = setting(&name, at);
                    (node, name, set, lasting)
                }
                Step::Lift(node, name) => (node, names()[name].clone(), LeverSetting::Lifted, None),
            };
            let node = &mut nodes[node];
            let here = now + node.ahead_ms;
            let before = node.table.lever(&name);
            let terms = terms(at, here, lasting.map(|lasting| here + lasting));
            let changed = node.table.changed(name.clone(), set, terms, Some(&node.name)).unwrap();
            let after = changed.lever(&name);
            if after == before {
                // There was nothing to take back.
                continue;
            }
            let after = after.unwrap();
            if let Some(before) = before {
                prop_assert!(after.is_later_than(&before) && !before.is_later_than(&after));
            }
            node.table = changed;
            changes.push((name, after));
        }
        for node in [0, 1, 0, 1] {
            nodes[node].look(&mut engine, now);
        }
        // By then the time of all is over that had an end, on both.
        let end = now + 10_000;
        let has = |node: &Pure| LeverDocument::of(&node.table).at(end);
        prop_assert_eq!(has(&nodes[0]), has(&nodes[1]));
        prop_assert_eq!(&has(&nodes[0]), &engine.clone().at(end));
        for (name, change) in changes {
            let held = nodes[0].table.lever(&name).unwrap();
            let same = held.terms == change.terms;
            prop_assert!(same || held.is_later_than(&change), "{name}: {change:?} was lost to {held:?}");
        }
        // Nothing is left to write.
        for node in &mut nodes {
            let before = engine.clone();
            node.look(&mut engine, now);
            prop_assert_eq!(&before, &engine);
        }
    }
}

#[test]
fn what_is_written_is_read_again_and_what_makes_no_sense_is_not() {
    let mut table = LeverTable::default();
    let node: Arc<str> = "a".into();
    for (at, name) in names().into_iter().enumerate() {
        let set = setting(&name, at);
        let terms = terms(at, 1, Some(100));
        table = table.changed(name, set, terms, Some(&node)).unwrap();
    }
    let [block, ..] = names();
    table = table
        .changed(block, LeverSetting::Lifted, terms(9, 0, None), Some(&node))
        .unwrap();
    let document = LeverDocument::of(&table);
    assert_eq!(document.0.len(), 3);
    let text = document.to_bytes().unwrap();
    assert_eq!(LeverDocument::read(&text).unwrap(), document);
    let text = String::from_utf8(text).unwrap();
    for wrong in [
        text.replace("\"version\":1", "\"version\":2"),
        text.replace("limit/", "block/"),
        text.replace("limit/", "none/"),
        text.replace("\"set\":\"limit\"", "\"set\":\"block\""),
        text[1..].to_owned(),
    ] {
        assert!(LeverDocument::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn a_full_document_takes_what_frees_room_and_leaves_out_the_rest() {
    let block = |number: usize| LeverName::Block(user(&format!("u{number}")));
    let lever = |set, at| CommonLever {
        set,
        terms: LeverTerms {
            node: Some("a".into()),
            ..terms(0, at, None)
        },
    };
    let full = (0..LEVERS_MAX).map(|number| (block(number), lever(LeverSetting::Block, 1)));
    // So many have room with short reasons only.
    let mut full = LeverDocument(full.collect());
    for lever in full.0.values_mut() {
        lever.terms.reason = String::new();
        lever.terms.by = Actor::recorded("");
    }
    assert!(full.to_bytes().unwrap().len() < 1 << 20);
    let own = LeverDocument(
        [
            (block(LEVERS_MAX), lever(LeverSetting::Block, 2)),
            (block(LEVERS_MAX + 1), lever(LeverSetting::Block, 2)),
            (block(0), lever(LeverSetting::Lifted, 2)),
        ]
        .into(),
    );
    let on_top = full.with(own.clone(), 3);
    assert_eq!(on_top.left_out, 1);
    let has = |number: usize| on_top.document.0[&block(number)].set;
    assert_eq!(has(0), LeverSetting::Lifted);
    assert_eq!(has(LEVERS_MAX), LeverSetting::Block);

    // A node has room for as many as it has none of its own.
    let here = LeverTable::default().following(&on_top.document, 3);
    assert_eq!((here.table.len(), here.left_out), (LEVERS_MAX, 0));
    let here = here.table.following(&own, 3);
    assert_eq!((here.table.len(), here.left_out), (LEVERS_MAX, 1));

    // Bytes are bounded too.
    let long = |number: usize| {
        let mut lever = lever(LeverSetting::Block, 1);
        lever.terms.reason = "x".repeat(1_000);
        (block(number), lever)
    };
    let own = LeverDocument((0..2_000).map(long).collect());
    let on_top = LeverDocument::default().with(own, 3);
    let bytes = on_top.document.to_bytes().unwrap().len();
    assert!((1_000_000..=1 << 20).contains(&bytes), "{bytes}");
    assert_eq!(on_top.document.0.len() + on_top.left_out, 2_000);

    // What was taken back is forgotten, the oldest first.
    let lifts = (0..LIFTED_MAX + 5).map(|number| {
        let at = u64::try_from(number).unwrap();
        (block(number), lever(LeverSetting::Lifted, 100 + at))
    });
    let lifts = LeverDocument(lifts.collect()).at(10_000);
    assert_eq!(lifts.0.len(), LIFTED_MAX);
    assert!(!lifts.0.contains_key(&block(4)) && lifts.0.contains_key(&block(5)));
    let month = Duration::from_secs(32 * 24 * 60 * 60).as_millis();
    assert!(lifts.at(u64::try_from(month).unwrap()).0.is_empty());
}

#[test]
fn a_clock_that_is_ahead_ends_levers_on_its_node_only() {
    // By so much that what is over is known, and by so much that it is forgotten.
    ends_on_its_node_only(3_600_000);
    ends_on_its_node_only(366 * 24 * 3_600_000);
}

fn ends_on_its_node_only(ahead_ms: u64) {
    let (mut right, mut wrong) = (Pure::new("a", 0), Pure::new("b", ahead_ms));
    let mut engine = LeverDocument::default();
    let [block, limit, _] = names();
    let minute = terms(0, 1_000, Some(61_000));
    let table = &right.table;
    right.table = table
        .changed(
            block.clone(),
            LeverSetting::Block,
            minute,
            Some(&right.name),
        )
        .unwrap();
    right.look(&mut engine, 1_000);
    wrong.look(&mut engine, 1_000);
    let is_blocked = |node: &Pure| node.table.lever(&block).is_some_and(|it| it.is_set());
    assert!(is_blocked(&right) && !is_blocked(&wrong));
    // It writes something of its own.
    let forty = terms(1, 1_000 + wrong.ahead_ms, None);
    let set = LeverSetting::Limit { managers: 40 };
    wrong.table = wrong
        .table
        .changed(limit.clone(), set, forty, Some(&wrong.name))
        .unwrap();
    for _ in 0..2 {
        wrong.look(&mut engine, 2_000);
        right.look(&mut engine, 2_000);
    }
    assert!(is_blocked(&right) && engine.0.contains_key(&block));
    assert_eq!(right.table.lever(&limit).unwrap().set, set);
    // An engine that lost everything has it again from the other one, whoever comes first.
    engine = LeverDocument::default();
    wrong.look(&mut engine, 3_000);
    right.look(&mut engine, 3_000);
    assert!(is_blocked(&right) && engine.0[&block].is_set());
    // And then neither has anything to write.
    let before = engine.clone();
    wrong.look(&mut engine, 4_000);
    right.look(&mut engine, 4_000);
    assert_eq!(engine, before);
}
