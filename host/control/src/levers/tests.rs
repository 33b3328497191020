//! Levers on a registry without a network.

use std::collections::BTreeMap;

use super::*;
use wastegate::health;
use wastegate::manager::{self, Application, Manager, Message, Peer, Surroundings};
use wastegate::observe::activity::ActivitySink;
use wastegate::registry::{Entrance, SlotLimits};
use wastegate::tasks::Tasks;
use wastegate_core::types::{ManagerKey, TokenFacts};

struct Silent;

impl Application for Silent {
    async fn message(&self, _: &Arc<Manager>, _: Peer, _: Message) {}
}

pub(super) struct Bench {
    pub(super) clock: Clock,
    pub(super) registry: Arc<Registry>,
    pub(super) audit: Arc<AuditLog>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let clock = Clock::manual();
        let limits = SlotLimits {
            managers_per_user: 2,
            ..SlotLimits::default()
        };
        let surroundings = Surroundings::new(
            clock.clone(),
            manager::Config::default(),
            Silent.into(),
            ActivitySink::disabled(),
        );
        let health = health::Config::default();
        Self {
            registry: Registry::new(limits, health, surroundings, Tasks::new()),
            audit: Arc::new(AuditLog::in_memory(clock.clone())),
            clock,
        }
    }

    fn levers(&self, folder: Option<&Path>) -> Arc<Levers> {
        self.levers_of(folder, None)
    }

    /// Those of a node of a cluster.
    pub(super) fn levers_of(&self, folder: Option<&Path>, node: Option<&str>) -> Arc<Levers> {
        let (registry, clock) = (self.registry.clone(), self.clock.clone());
        Levers::open(registry, self.audit.clone(), clock, folder, node)
    }

    pub(super) fn enter(&self, name: &str, key: &str) -> Entrance {
        let key = ManagerKey::new(key).unwrap();
        self.registry.enter(&user(name), &key, self.clock.now())
    }

    pub(super) fn limit(&self, name: &str) -> u32 {
        self.registry.own_limit(&user(name))
    }

    /// What the audit log has, as user and word.
    pub(super) fn written(&self) -> Vec<(String, &'static str)> {
        let entries = self.audit.recent(0, 100).into_iter();
        entries
            .map(|entry| (entry.note.user.unwrap_or_default(), entry.note.what.name()))
            .collect()
    }
}

pub(super) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(super) fn order(reason: &str, seconds: Option<u64>) -> LeverOrder {
    LeverOrder {
        by: Actor::operator(Some("olga"), None),
        reason: reason.to_owned(),
        lasting: seconds.map(Duration::from_secs),
    }
}

#[tokio::test]
async fn a_limit_goes_before_every_other_one_until_its_time_is_over() {
    let bench = Bench::new();
    let levers = bench.levers(None);
    let ann = user("ann");
    let set = levers.limit(&ann, 40, order("campaign", Some(60))).unwrap();
    assert_eq!(
        (set.is_durable, bench.limit("ann"), bench.limit("bob")),
        (false, 40, 2)
    );
    bench.registry.set_limit(&ann, Some(7));
    assert_eq!(bench.limit("ann"), 40, "the token has to wait");

    bench.clock.advance(Duration::from_millis(59_999));
    levers.expire();
    assert_eq!(bench.limit("ann"), 40);
    bench.clock.advance(Duration::from_millis(1));
    levers.expire();
    assert_eq!((bench.limit("ann"), levers.of(&ann).len()), (7, 0));
    let clear = levers.clear_limit(&ann, order("", None)).unwrap();
    assert!(!clear.is_new, "there is nothing to take back");
    let said = ["limit-set", "limit-expired"].map(|what| ("ann".to_owned(), what));
    assert_eq!(bench.written(), said);
}

#[tokio::test]
async fn a_blocked_user_is_evicted_and_kept_out_and_no_other_is() {
    let bench = Bench::new();
    let levers = bench.levers(None);
    let (ann, bob) = (user("ann"), user("bob"));
    let held: Vec<_> = [("ann", "a"), ("ann", "b"), ("bob", "a")]
        .map(|(name, key)| bench.enter(name, key))
        .into();
    let blocked = levers.block(&ann, order("spam", Some(600))).unwrap();
    assert_eq!(blocked.evicted, 2);
    let until = bench.clock.now().after(Duration::from_secs(600));
    assert!(
        matches!(bench.enter("ann", "c"), Entrance::Blocked(BlockTerm::Until(at)) if at == until)
    );
    assert!(matches!(bench.enter("bob", "b"), Entrance::Open(_)));
    assert_eq!(bench.registry.held(&bob), 1);

    levers.unblock(&ann, order("sorry", None)).unwrap();
    assert!(matches!(bench.enter("ann", "c"), Entrance::Open(_)));
    let evicted = levers.evict(&bob, order("test", None)).unwrap();
    assert_eq!((evicted, bench.registry.held(&bob)), (1, 0));
    drop(held);
    let words: Vec<_> = bench.written().into_iter().map(|(_, what)| what).collect();
    assert_eq!(words, ["user-blocked", "user-unblocked", "evicted"]);
}

#[tokio::test]
async fn what_is_set_survives_a_restart_and_what_is_over_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new();
    let levers = bench.levers(Some(folder.path()));
    let script = user("<script>\"ann\"</script>");
    let set = levers.limit(&script, 9, order("</b>", None)).unwrap();
    assert!(set.is_durable);
    levers.block(&user("bob"), order("spam", Some(60))).unwrap();
    levers.block(&user("eve"), order("spam", Some(5))).unwrap();
    bench.clock.advance(Duration::from_secs(10));

    let mut again = Bench::new();
    again.clock = bench.clock.clone();
    let opened = again.levers(Some(folder.path()));
    assert_eq!(again.registry.own_limit(&script), 9);
    assert!(matches!(again.enter("bob", "a"), Entrance::Blocked(_)));
    assert!(matches!(again.enter("eve", "a"), Entrance::Open(_)));
    assert_eq!(again.written(), [("eve".to_owned(), "block-expired")]);
    assert_eq!(opened.of(&script), set.levers);
}

#[tokio::test]
async fn revocations_survive_a_restart_until_their_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new();
    bench.clock.advance(Duration::from_secs(1));
    let levers = bench.levers(Some(folder.path()));
    let token = |id: &str, issued_unix_ms| TokenFacts {
        id: Some(id.into()),
        issued_unix_ms,
    };
    let (ann, bob) = (user("ann"), user("bob"));
    let now = bench.clock.unix_ms(bench.clock.now());
    let one = RevocationTarget::Token("a/b".to_owned());
    levers
        .revoke(one.clone(), None, order("leak", None))
        .unwrap();
    let of_ann = RevocationTarget::User(ann.clone());
    let set = levers
        .revoke(of_ann, None, order("phone", Some(60)))
        .unwrap();
    assert_eq!(set.levers.unwrap().issued_before_unix_ms, Some(now));

    let mut again = Bench::new();
    again.clock = bench.clock.clone();
    let opened = again.levers(Some(folder.path()));
    let revoked = |user: &UserId, token: &TokenFacts| again.registry.is_revoked(user, token);
    assert!(revoked(&bob, &token("a/b", Some(now))));
    assert!(revoked(&ann, &token("c", Some(now - 1))));
    assert!(!revoked(&ann, &token("c", Some(now))), "a new one");
    assert!(!revoked(&bob, &token("c", Some(now - 1))));
    bench.clock.advance(Duration::from_secs(61));
    opened.expire();
    assert!(!revoked(&ann, &token("c", Some(now - 1))));
    assert!(opened.allow(&one, order("", None)).unwrap().is_new);
    assert!(!revoked(&bob, &token("a/b", Some(now))));
    assert!(!opened.allow(&one, order("", None)).unwrap().is_new);
    let all = RevocationTarget::All;
    let day = bench.clock.unix_ms(bench.clock.now()) + 86_400_000;
    for (target, before, refused) in [
        (
            RevocationTarget::Token(String::new()),
            None,
            LeverError::TokenId,
        ),
        (one, Some(now), LeverError::BeforeOfOne),
        (all, Some(day), LeverError::Ahead),
    ] {
        let revoke = opened.revoke(target, before, order("why", None));
        assert_eq!(revoke.unwrap_err(), refused);
    }
    let words: Vec<_> = again.written().into_iter().map(|(_, what)| what).collect();
    assert_eq!(words, ["revocation-expired", "tokens-allowed"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_set_aside_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("levers.json");
    for text in ["{", r#"{"version": 2, "users": {}}"#] {
        std::fs::write(&path, text).unwrap();
        let bench = Bench::new();
        assert!(bench.levers(Some(folder.path())).all().is_empty());
        assert_eq!(bench.written(), [(String::new(), "fell-back")]);
        let aside = folder.path().join("levers.unreadable.json");
        assert_eq!(std::fs::read_to_string(aside).unwrap(), text);
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let bench = Bench::new();
    let levers = bench.levers(None);
    let ann = user("ann");
    let long = "x".repeat(REASON_BYTES_MAX + 1);
    for (refused, why) in [
        (
            levers.limit(&ann, 0, order("why", None)),
            LeverError::Managers { most: 100_000 },
        ),
        (
            levers.limit(&ann, 3, order(" ", None)),
            LeverError::NoReason,
        ),
        (
            levers.block(&ann, order(&long, None)),
            LeverError::ReasonTooLong,
        ),
        (
            levers.block(&ann, order("why", Some(0))),
            LeverError::Lasting,
        ),
        (
            levers.block(&ann, order("why", Some(u64::MAX))),
            LeverError::Lasting,
        ),
    ] {
        assert_eq!(refused.unwrap_err(), why);
    }
    assert!(levers.all().is_empty() && bench.written().is_empty());
}

#[test]
fn there_are_so_many_and_no_more() {
    let terms = order("why", None).terms(0).unwrap();
    let levers = UserLevers {
        limit: None,
        block: Some(terms.clone()),
        pins: BTreeMap::new(),
    };
    let users: BTreeMap<_, _> = (0..LEVERS_MAX)
        .map(|number| (user(&format!("u{number}")), levers.clone()))
        .collect();
    let table = LeverTable::new(None, users.into_iter(), Revocations::new());
    let block = |levers: &mut UserLevers| levers.block = Some(terms.clone());
    assert_eq!(
        table.with(&user("one-more"), block),
        Err(LeverError::TooMany)
    );
    assert!(table.with(&user("u0"), block).is_ok(), "it has one");
    let less = table.with(&user("u0"), |levers| levers.block = None);
    assert!(less.unwrap().with(&user("one-more"), block).is_ok());
}

#[tokio::test]
async fn levers_of_the_node_and_pins_end_and_survive() {
    let folder = tempfile::tempdir().unwrap();
    let (ann, key) = (user("ann"), ManagerKey::new("a").unwrap());
    {
        let bench = Bench::new();
        let levers = bench.levers(Some(folder.path()));
        let Entrance::Open(_permit) = bench.enter("ann", "a") else {
            panic!("there is room");
        };
        assert_eq!(
            levers.pin(&ann, &key, order("why", None)).unwrap_err(),
            LeverError::PinLasting
        );
        assert!(
            levers
                .pin(&ann, &key, order("show", Some(60)))
                .unwrap()
                .is_durable
        );
        assert!(levers.drain(order("kernel", Some(60))).unwrap().is_durable);
        assert!(matches!(bench.enter("bob", "a"), Entrance::Draining));
    }
    let bench = Bench::new();
    let levers = bench.levers(Some(folder.path()));
    assert!(matches!(bench.enter("bob", "a"), Entrance::Draining));
    let left = levers.all().drain().unwrap().until_unix_ms.unwrap();
    bench
        .clock
        .advance(Duration::from_millis(left - 1 - levers.unix_ms()));
    levers.expire();
    assert!(bench.registry.is_drained());
    bench.clock.advance(Duration::from_millis(1));
    levers.expire();
    assert!(!bench.registry.is_drained() && levers.all().is_empty());
    let Entrance::Open(permit) = bench.enter("ann", "a") else {
        panic!("it is drained no more");
    };
    let manager = permit.manager().unwrap();
    assert!(
        !manager.hints.is_pinned(bench.clock.now()),
        "that is over too"
    );
    let written = bench.written();
    let words: Vec<_> = written
        .iter()
        .map(|(user, what)| (&**user, *what))
        .collect();
    assert_eq!(words, [("", "drain-expired"), ("ann", "pin-expired")]);
}
