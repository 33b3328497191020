//! Levers of two nodes: as values in any order, and on registries without a network.

use std::time::Duration;

use proptest::prelude::*;

use super::document::LeverDocument;
use super::lever::{CommonLever, LIFTED_MAX};
use super::*;
use crate::levers::table::LeverTerms;
use crate::levers::tests::{Bench, order, user};
use crate::levers::{LEVERS_MAX, RevocationTarget};
use crate::rollout::Actor;
use wastegate::registry::Entrance;
use wastegate_cluster::ledger::Leases;
use wastegate_cluster::local::LocalLedger;
use wastegate_cluster::shared::SharedDocument as _;
use wastegate_core::types::{Clock, Secret, TokenFacts};

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
        let theirs = std::mem::take(engine).at(now);
        self.table = self.table.following(&theirs, now).table;
        let on_top = theirs.with(&LeverDocument::of(&self.table), now);
        assert_eq!(on_top.left_out, 0);
        *engine = on_top.document;
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
    let on_top = full.with(&own, 3);
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
    let on_top = LeverDocument::default().with(&own, 3);
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

/// A node with a registry.
struct Node {
    bench: Bench,
    levers: Arc<Levers>,
    everywhere: Arc<Everywhere>,
}

impl Node {
    fn new(name: &str, engine: &Arc<LocalLedger>, folder: Option<&std::path::Path>) -> Self {
        Self::of(Bench::new(), name, engine, folder)
    }

    fn of(
        bench: Bench,
        name: &str,
        engine: &Arc<LocalLedger>,
        folder: Option<&std::path::Path>,
    ) -> Self {
        let levers = bench.levers_of(folder, Some(name));
        let everywhere = everywhere(engine, &levers, "a secret of sixteen");
        Self {
            bench,
            levers,
            everywhere,
        }
    }

    async fn look(&self) {
        self.everywhere.look().await.unwrap();
    }

    /// Goes on with another engine, which has nothing.
    fn at(&mut self, engine: &Arc<LocalLedger>) {
        self.everywhere = everywhere(engine, &self.levers, "a secret of sixteen");
    }

    fn is_blocked(&self, name: &str) -> bool {
        self.bench.registry.blocked(&user(name)).is_some()
    }
}

fn everywhere(engine: &Arc<LocalLedger>, levers: &Arc<Levers>, secret: &str) -> Arc<Everywhere> {
    let seal = LeverSeal::new(&Secret::new(secret.to_owned()));
    Everywhere::new(engine.clone(), seal, levers.clone())
}

fn engine() -> Arc<LocalLedger> {
    LocalLedger::new(Clock::manual(), Leases::default())
}

#[tokio::test]
async fn what_is_set_on_one_node_acts_on_the_other_and_its_audit_log_says_from_where() {
    let engine = engine();
    let (a, b) = (Node::new("a", &engine, None), Node::new("b", &engine, None));
    let held = b.bench.enter("ann", "k");
    assert!(matches!(held, Entrance::Open(_)));
    a.levers
        .block(&user("ann"), order("spam", Some(600)))
        .unwrap();
    a.levers
        .limit(&user("bob"), 7, order("campaign", None))
        .unwrap();
    let token = RevocationTarget::Token("stolen".to_owned());
    a.levers
        .revoke(token.clone(), None, order("phone", None))
        .unwrap();
    a.everywhere.tell().await.unwrap();
    b.look().await;
    assert!(matches!(b.bench.enter("ann", "l"), Entrance::Blocked(_)));
    assert_eq!(b.bench.registry.held(&user("ann")), 0, "it was evicted");
    assert_eq!(b.bench.limit("bob"), 7);
    let facts = TokenFacts {
        id: Some("stolen".into()),
        issued_unix_ms: None,
    };
    assert!(b.bench.registry.is_revoked(&user("eve"), &facts));
    let entries = b.bench.audit.recent(0, 10);
    let lines: Vec<_> = entries
        .iter()
        .map(|entry| (entry.note.what.name(), entry.note.reason.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (
                "user-blocked",
                "1 managers evicted, blocked for 600 s: spam"
            ),
            ("limit-set", "7 managers: campaign"),
            (
                "tokens-revoked",
                "token/stolen, 0 connections closed: phone"
            ),
        ]
    );
    for entry in &entries {
        assert_eq!(entry.by.as_str(), "cluster (olga (in this process), on a)");
    }
    let terms = b.levers.of(&user("ann")).block.unwrap();
    assert_eq!(terms.node.as_deref(), Some("a"));

    // The other way round, and nothing is written twice.
    b.levers
        .unblock(&user("ann"), order("sorry", None))
        .unwrap();
    b.levers.clear_limit(&user("bob"), order("", None)).unwrap();
    b.levers.allow(&token, order("", None)).unwrap();
    b.look().await;
    a.look().await;
    assert!(!a.is_blocked("ann") && !b.is_blocked("ann"));
    assert_eq!((a.bench.limit("bob"), a.levers.all().len()), (2, 0));
    assert!(!a.bench.registry.is_revoked(&user("eve"), &facts));
    let words: Vec<_> = a
        .bench
        .written()
        .into_iter()
        .map(|(_, what)| what)
        .collect();
    let own = ["user-blocked", "limit-set", "tokens-revoked"];
    let theirs = ["user-unblocked", "limit-cleared", "tokens-allowed"];
    assert_eq!(words, [own, theirs].concat());
    a.look().await;
    assert_eq!(a.bench.written().len(), 6);
    drop(held);
}

#[tokio::test]
async fn an_end_comes_on_every_node_once() {
    let engine = engine();
    let (a, b) = (Node::new("a", &engine, None), Node::new("b", &engine, None));
    a.levers.block(&user("ann"), order("spam", None)).unwrap();
    a.look().await;
    b.look().await;
    // A block with an end in the place of one without: no node that slept through it has the first again.
    b.levers
        .block(&user("ann"), order("spam", Some(60)))
        .unwrap();
    b.look().await;
    a.bench.clock.advance(Duration::from_secs(61));
    b.bench.clock.advance(Duration::from_secs(61));
    b.levers.expire();
    b.look().await;
    assert!(!b.is_blocked("ann"));
    a.look().await;
    assert!(!a.is_blocked("ann"));
    b.look().await;
    assert!(!b.is_blocked("ann"));
    let last = a.bench.written().pop();
    assert_eq!(last, Some(("ann".to_owned(), "block-expired")));
}

#[tokio::test]
async fn an_engine_that_lost_everything_has_it_again_and_so_has_a_node_that_starts() {
    let (first, second) = (engine(), engine());
    let folder = tempfile::tempdir().unwrap();
    let mut a = Node::new("a", &first, None);
    let b = Node::new("b", &first, Some(folder.path()));
    a.levers.block(&user("ann"), order("spam", None)).unwrap();
    a.levers
        .limit(&user("eve"), 9, order("campaign", None))
        .unwrap();
    a.look().await;
    b.look().await;
    // One more is set, and one is taken back, while the engine is away and b is down.
    drop(b);
    a.levers.block(&user("bob"), order("spam", None)).unwrap();
    a.levers.clear_limit(&user("eve"), order("", None)).unwrap();
    let b = Node::new("b", &second, Some(folder.path()));
    assert!(b.is_blocked("ann"), "the file has it");
    assert_eq!(b.bench.limit("eve"), 9, "it has not heard of the end");
    b.look().await;
    a.at(&second);
    a.look().await;
    b.look().await;
    for node in [&a, &b] {
        assert!(node.is_blocked("ann") && node.is_blocked("bob"));
        assert_eq!(node.bench.limit("eve"), 2);
    }
    // What b was told is in its file, also that something was taken back.
    drop(b);
    let third = self::engine();
    let b = Node::new("b", &third, Some(folder.path()));
    assert!(b.is_blocked("bob"));
    b.look().await;
    let old = Node::new("c", &third, None);
    old.look().await;
    assert!(old.is_blocked("bob") && old.levers.all().lifted().len() == 1);
}

#[tokio::test]
async fn a_node_with_another_secret_says_so_and_writes_nothing() {
    let engine = engine();
    let a = Node::new("a", &engine, None);
    let mut b = Node::new("b", &engine, None);
    a.levers.block(&user("ann"), order("spam", None)).unwrap();
    a.look().await;
    b.everywhere = everywhere(&engine, &b.levers, "another secret of it");
    b.levers.block(&user("bob"), order("spam", None)).unwrap();
    let problem = EverywhereError::OtherSecret(1);
    for _ in 0..2 {
        assert_eq!(b.everywhere.tell().await.unwrap_err(), problem);
        assert_eq!(b.everywhere.problem(), Some(problem.clone()));
    }
    a.look().await;
    assert!(b.is_blocked("bob") && !b.is_blocked("ann") && !a.is_blocked("bob"));
    let document = engine.document(DOCUMENT).await.unwrap().unwrap();
    assert_eq!(document.number, 1);
    let text = String::from_utf8_lossy(&document.text).into_owned();
    assert!(!text.contains("ann") && !text.contains("spam"), "{text}");
}
