//! Levers of two nodes on registries without a network.

mod values;

use std::time::Duration;

use super::*;
use crate::levers::RevocationTarget;
use crate::levers::tests::{Bench, order, user};
use wastegate::registry::Entrance;
use wastegate_cluster::ledger::Leases;
use wastegate_cluster::local::LocalLedger;
use wastegate_cluster::shared::SharedDocument as _;
use wastegate_core::types::{Clock, Secret, TokenFacts};

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
