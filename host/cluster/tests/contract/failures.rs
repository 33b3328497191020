//! Real engines that fail: stopped, killed, replaced, emptied, failed over; and a Redis Cluster.

use std::sync::Arc;
use std::time::Duration;

use wastegate_cluster::ledger::{
    Beat, BeatAnswer, BeatMode, BeatVerdict, EnterAnswer, EnterAsk, Guarded, Leases, Ledger,
    LedgerBudgets, LedgerError, Membership, NodeName, NodeNote, ReassertCause,
};
use wastegate_cluster::redis::{EngineAddress, RedisLedger, RedisSettings, StepForm};
use wastegate_core::types::{Clock, Secret};

use crate::bench::{epoch, key, life, publication, user};
use crate::engine::{Engine, Kind, ports, settings, until};

/// What an admission may take in all: a call that takes its budget leaves the rest to other steps.
const PATIENCE: Duration = Duration::from_secs(2);
/// After that moment of an engine's clock nothing is late.
const NEVER_MS: u64 = 1 << 47;

fn beat(mode: BeatMode) -> Beat {
    Beat {
        name: NodeName::new("a").unwrap(),
        epoch: epoch(1),
        mode,
        dead_after: Duration::from_secs(6),
        note: NodeNote::default(),
    }
}

fn asking(manager: u64, name: &str, limit: u32) -> EnterAsk {
    EnterAsk {
        key: key(name),
        life: life(1, manager),
        limit,
        not_after_ms: NEVER_MS,
        dead: Arc::default(),
        victims: vec![],
    }
}

async fn enters(ledger: &dyn Ledger, manager: u64, name: &str) -> bool {
    let entered = ledger.enter(user("ann"), &asking(manager, name, 9)).await;
    matches!(entered.map(|it| it.answer), Ok(EnterAnswer::Entered { .. }))
}

async fn held(ledger: &dyn Ledger) -> usize {
    let read = ledger.read(user("ann"), 9, &[]).await;
    read.unwrap().answer.entries.len()
}

async fn say(ledger: &dyn Ledger, mode: BeatMode) -> BeatAnswer {
    ledger.beat(&beat(mode)).await.unwrap().answer
}

#[tokio::test]
async fn the_clock_is_the_engines_and_what_is_not_published_is_gone_without_a_call() {
    let engine = Engine::start(Kind::Redis).await;
    let leases = Leases {
        provisional: Duration::from_millis(100),
        full: Duration::from_millis(200),
    };
    let ledger = RedisLedger::new(&RedisSettings {
        leases,
        ..engine.settings(StepForm::Best)
    })
    .unwrap();
    assert!(enters(&*ledger, 1, "a").await && held(&*ledger).await == 1);
    assert!(ledger.has_functions());
    let time: (u64, u64) = engine.ask(&["TIME"]).await.unwrap();
    let now_ms = ledger.read(user("ann"), 9, &[]).await.unwrap().now_ms;
    assert!(
        (time.0 * 1_000..time.0 * 1_000 + 60_000).contains(&now_ms),
        "{time:?} {now_ms}"
    );
    until("nothing is left of the user", async || {
        engine.ask::<u64>(&["DBSIZE"]).await.unwrap() == 0
    })
    .await;
}

#[tokio::test]
async fn an_engine_that_forgets_the_library_gets_it_again() {
    for (form, forget) in [(StepForm::Best, "FUNCTION"), (StepForm::Scripts, "SCRIPT")] {
        let engine = Engine::start(Kind::Redis).await;
        let ledger = RedisLedger::new(&engine.settings(form)).unwrap();
        assert!(enters(&*ledger, 1, "a").await);
        engine.ask::<()>(&[forget, "FLUSH"]).await.unwrap();
        assert!(enters(&*ledger, 2, "b").await && held(&*ledger).await == 2);
    }
}

#[tokio::test]
async fn a_user_that_may_load_no_functions_gets_scripts() {
    let engine = Engine::start(Kind::Redis).await;
    let rule = [
        "ACL",
        "SETUSER",
        "gw",
        "on",
        ">secret",
        "~*",
        "&*",
        "+@all",
        "-function",
    ];
    engine.ask::<()>(&rule).await.unwrap();
    let socket = engine.address().reveal().to_owned();
    let address = Secret::new(format!("{socket}?user=gw&pass=secret"));
    let ledger =
        RedisLedger::new(&settings(EngineAddress::Server(address), StepForm::Best)).unwrap();
    assert!(enters(&*ledger, 1, "a").await);
    assert!(!ledger.has_functions());
}

/// Everything that an admission may wait for ends in its budget, and the breaker closes by a beat alone.
#[tokio::test]
async fn an_engine_that_hangs_costs_an_admission_its_budget_and_then_nothing() {
    let engine = Engine::start(Kind::Redis).await;
    let ledger = RedisLedger::new(&engine.settings(StepForm::Best)).unwrap();
    let budgets = LedgerBudgets::default();
    let guarded = Guarded::new(ledger.clone(), budgets);
    say(&*ledger, BeatMode::Start).await;
    assert!(enters(&*ledger, 1, "a").await);
    engine.signal("STOP");
    let clock = Clock::system();
    let ask = asking(2, "b", 9);
    for _ in 0..3 {
        let begin = clock.now();
        let asked = guarded.enter(user("ann"), &ask).await.unwrap_err();
        assert_eq!(asked, LedgerError::TimedOut(budgets.admission));
        assert!(asked.may_have_happened());
        let took = clock.now().since(begin);
        assert!(took >= budgets.admission && took < PATIENCE, "{took:?}");
    }
    assert!(guarded.is_open());
    let asked = guarded.enter(user("ann"), &ask).await.unwrap_err();
    assert_eq!(
        (asked.may_have_happened(), asked),
        (false, LedgerError::BreakerOpen)
    );
    assert!(
        guarded.beat(&beat(BeatMode::Live)).await.is_err(),
        "a beat is tried, and fails too"
    );
    engine.signal("CONT");
    until("a beat is answered", async || {
        guarded.beat(&beat(BeatMode::Live)).await.is_ok()
    })
    .await;
    assert!(!guarded.is_open());
    // What was given up was carried out meanwhile. It is taken back, and would run out by itself.
    assert_eq!(held(&*ledger).await, 2);
    ledger.leave(user("ann"), ask.key, ask.life).await.unwrap();
    assert_eq!(held(&*ledger).await, 1);
}

#[tokio::test]
async fn a_gateway_starts_without_its_engine_and_finds_it_when_it_comes() {
    let [port] = ports();
    let address = Secret::new(format!("redis://127.0.0.1:{port}"));
    let address = EngineAddress::Server(address);
    let ledger = RedisLedger::new(&settings(address, StepForm::Best)).unwrap();
    let guarded = Guarded::new(ledger.clone(), LedgerBudgets::default());
    assert!(guarded.beat(&beat(BeatMode::Start)).await.is_err() && guarded.is_open());
    let _engine = Engine::on_port(Kind::Redis, port, &[]).await;
    until("the engine is found", async || {
        guarded.beat(&beat(BeatMode::Start)).await.is_ok()
    })
    .await;
    assert!(enters(&*ledger, 1, "a").await);
}

#[tokio::test]
async fn an_engine_that_was_killed_is_found_to_be_another_and_has_lost_what_it_had() {
    let mut engine = Engine::start(Kind::Redis).await;
    let ledger = RedisLedger::new(&engine.settings(StepForm::Best)).unwrap();
    let clock = Clock::system();
    let name = NodeName::new("a").unwrap();
    let mut node = Membership::new(name, epoch(1), Duration::from_secs(6), NodeNote::default());
    let mut news = Vec::new();
    for round in 0..3 {
        if round == 2 {
            engine.restart().await;
            until("a beat is answered", async || {
                ledger.beat(&node.beat()).await.is_ok()
            })
            .await;
        }
        let sent = clock.now();
        let answer = ledger.beat(&node.beat()).await.unwrap();
        news.push(node.answered(answer, sent, clock.now(), epoch(2)).reassert);
        assert!(node.is_live(clock.now()));
        if round == 0 {
            assert!(enters(&*ledger, 1, "a").await);
        }
    }
    assert_eq!(news, [None, None, Some(ReassertCause::EngineReplaced)]);
    let lost = ledger
        .publish(
            user("ann"),
            epoch(1),
            &[publication(key("a"), life(1, 1).manager)],
        )
        .await;
    assert_eq!(lost.unwrap().answer.lost, [key("a")]);
}

/// A primary is killed, and its replica takes over with another address, which Sentinels know.
#[tokio::test]
async fn a_failover_by_sentinel_is_followed() {
    let [primary_port, replica_port, sentinel_port] = ports();
    let mut primary = Engine::on_port(Kind::Redis, primary_port, &[]).await;
    let of = format!("127.0.0.1 {primary_port}");
    let replica = Engine::on_port(Kind::Redis, replica_port, &["--replicaof", &of]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sentinel.conf");
    let rules = format!(
        "port {sentinel_port}\nbind 127.0.0.1\nsentinel monitor svc 127.0.0.1 {primary_port} 1\n\
         sentinel down-after-milliseconds svc 500\nsentinel failover-timeout svc 5000\n"
    );
    std::fs::write(&file, rules).unwrap();
    let sentinel = Engine::sentinel(file.to_str().unwrap(), sentinel_port).await;
    until("the replica is in step and known", async || {
        let role: redis::Value = replica.ask(&["ROLE"]).await.unwrap();
        let known: Vec<redis::Value> = sentinel
            .ask(&["SENTINEL", "replicas", "svc"])
            .await
            .unwrap();
        format!("{role:?}").contains("connected") && !known.is_empty()
    })
    .await;
    let address = EngineAddress::Sentinel {
        sentinels: vec![sentinel.address()],
        service: "svc".to_owned(),
        servers: Secret::new("redis://none"),
    };
    let ledger = RedisLedger::new(&settings(address, StepForm::Best)).unwrap();
    let before = say(&*ledger, BeatMode::Start).await;
    assert!(enters(&*ledger, 1, "a").await);
    until("the replica has it", async || {
        replica.ask::<u64>(&["DBSIZE"]).await.unwrap() == 2
    })
    .await;
    primary.kill();
    until("the new primary answers", async || {
        ledger.beat(&beat(BeatMode::Live)).await.is_ok()
    })
    .await;
    let after = say(&*ledger, BeatMode::Live).await;
    assert_eq!(
        after.verdict,
        BeatVerdict::Known,
        "what was in step is not lost"
    );
    assert_ne!(
        after.run, before.run,
        "another process may have lost something"
    );
    assert_eq!(held(&*ledger).await, 1);
}

/// Every step keeps to one hash slot, and each server gets the library.
#[tokio::test]
async fn a_redis_cluster_holds_the_ledger_in_parts() {
    let mut engines = Vec::new();
    let ports = ports::<3>();
    for port in ports {
        engines.push(Engine::on_port(Kind::Redis, port, &["--cluster-enabled", "yes"]).await);
    }
    let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
    for (engine, (first, last)) in engines.iter().zip(slots) {
        engine
            .ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", first, last])
            .await
            .unwrap();
        engine
            .ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &ports[0].to_string()])
            .await
            .unwrap();
    }
    for engine in &engines {
        until("the cluster stands", async || {
            engine
                .ask::<String>(&["CLUSTER", "INFO"])
                .await
                .unwrap()
                .contains("cluster_state:ok")
                && engine
                    .ask::<String>(&["CLUSTER", "NODES"])
                    .await
                    .unwrap()
                    .lines()
                    .count()
                    == 3
        })
        .await;
    }
    for form in [StepForm::Best, StepForm::Scripts] {
        let nodes = engines.iter().map(Engine::address).collect();
        let mut settings = settings(EngineAddress::Cluster(nodes), form);
        settings.prefix = format!("{form:?}");
        let ledger = RedisLedger::new(&settings).unwrap();
        say(&*ledger, BeatMode::Start).await;
        for name in 0..40 {
            let user = user(&format!("user {name}"));
            let ask = asking(name, "a", 1);
            assert!(ledger.enter(user, &ask).await.is_ok());
            let parts = [publication(ask.key, ask.life.manager)];
            assert_eq!(
                ledger
                    .publish(user, ask.life.epoch, &parts)
                    .await
                    .unwrap()
                    .answer
                    .lost,
                []
            );
            let full = ledger
                .enter(user, &asking(99, "b", 1))
                .await
                .unwrap()
                .answer;
            assert!(matches!(full, EnterAnswer::Full { .. }));
        }
        assert_eq!(ledger.has_functions(), form == StepForm::Best);
    }
    for engine in &engines {
        assert!(
            engine.ask::<u64>(&["DBSIZE"]).await.unwrap() > 10,
            "users are on every server"
        );
    }
}
