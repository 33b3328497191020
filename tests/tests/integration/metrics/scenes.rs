//! Gateways that make room, refuse, ask policies, write journals and stop, for their metrics.

use std::time::Duration;

use wastegate::observe::config::JournalConfig;
use wastegate::tasks::Tasks;
use wastegate_core::decision::Hold;
use wastegate_core::types::{SplitMix64, Tier};
use wastegate_engine::policy::{Params, Pick};
use wastegate_tests::guests::guest;
use wastegate_tests::harness::{Setup, http, until, until_async};

use super::movement::Seen;
use crate::sleepers::{AWAKE, asleep};
use crate::tiers::inactive;

/// One more than the limit, who displaces one that answers, which comes back. Both journals rotate.
pub(super) async fn making_room(seen: &mut Seen) {
    let folder = tempfile::tempdir().unwrap();
    let journal = |name: &str| {
        let mut journal = JournalConfig::at(folder.path().join(name));
        journal.rotate_bytes = 200.try_into().unwrap();
        Some(journal)
    };
    let server = Setup::new()
        .limit(3)
        .policy("lru")
        .short_goodbyes()
        .with(|config| {
            config.observe.decisions = journal("decisions.jsonl");
            config.observe.activity = journal("activity.jsonl");
        })
        .start()
        .await;
    seen.look(&server).await;
    let mut clients = server.fill("ann", 3).await;
    clients.push(server.enter("ann", "k4").await);
    assert_eq!(clients.remove(0).closed().await, 4_501);
    clients.push(server.enter("ann", "k1").await);
    for (series, least) in [
        ("wastegate_cleanup_forced_responsive_total", 2.0),
        ("wastegate_quality_victims_total{victim=\"alive\"}", 1.0),
        ("wastegate_decisions_rotations_total", 1.0),
        ("wastegate_activity_rotations_total", 1.0),
    ] {
        until_async(format!("{series} to be {least}"), async || {
            server.metric(series).await >= least
        })
        .await;
    }
    // What the access line says of a connection is what was counted as it passed.
    let counted = "wastegate_connection_payload_bytes_total{mode=\"embedded\",direction=\"in\"}";
    assert_eq!(server.metric(counted).await, 3.0 * "first".len() as f64);
    seen.look(&server).await;
}

/// A limit at which nothing may be evicted.
pub(super) async fn refusing(seen: &mut Seen) {
    let server = Setup::new()
        .limit(2)
        .without_force()
        .with(|config| {
            config.limits.managers_total = 7;
            config.limits.connections_total = 100;
        })
        .start()
        .await;
    seen.look(&server).await;
    let _clients = server.fill("ann", 2).await;
    server.refused("ann", "third").await;
    seen.look(&server).await;
}

/// A client that was displaced and may not displace another one.
pub(super) async fn holding_back(seen: &mut Seen) {
    let server = Setup::new()
        .limit(2)
        .short_goodbyes()
        .with(|config| {
            config.cleanup.force_per_user_max = 20;
            config.cleanup.displaced = Hold {
                first: Duration::from_secs(60),
                max: Duration::from_secs(600),
            };
        })
        .start()
        .await;
    seen.look(&server).await;
    let mut clients = server.fill("ann", 2).await;
    clients.push(server.enter("ann", "third").await);
    assert_eq!(clients.remove(0).closed().await, 4_501);
    let refusal = server.refused("ann", "k1").await;
    assert_eq!(refusal.kind(), (429, "displaced".to_owned()));
    seen.look(&server).await;
}

/// A client in the queue.
pub(super) async fn waiting(seen: &mut Seen) {
    let server = Setup::new()
        .limit(1)
        .without_force()
        .with(|config| config.admission.queue_length_max = 2)
        .start()
        .await;
    seen.look(&server).await;
    let _holder = server.enter("ann", "holder").await;
    let _waiting = server
        .dial("ann", "next")
        .notices()
        .connect()
        .await
        .unwrap();
    until("a client to wait", || server.admission.queued() == 1).await;
    seen.look(&server).await;
}

/// Policies that trap until they are quarantined, that propose nonsense, that propose nobody, and that log
/// without end.
pub(super) async fn sick_policies(seen: &mut Seen) {
    let server = asleep(1.0)
        .with(|config| config.policy.breaker.cool_down = Duration::from_millis(50))
        .start()
        .await;
    seen.look(&server).await;
    let _old = server.fill("ann", AWAKE).await;
    let mut kept = Vec::new();
    for number in 0..4 {
        kept.push(server.enter("ann", &format!("new{number}")).await);
    }
    seen.look(&server).await;
    until_async("a trial", async || {
        kept.push(server.enter("ann", &format!("again{}", kept.len())).await);
        let failed = r#"wastegate_policy_trials_total{result="failed"}"#;
        server.metric(failed).await >= 1.0
    })
    .await;
    seen.look(&server).await;

    let server = asleep(5.0).start().await;
    seen.look(&server).await;
    let _old = server.fill("ann", AWAKE).await;
    let _new = server.enter("ann", "new").await;
    // A decision is counted once it is complete, the ends of its victims included.
    until_async("a rejected choice", async || {
        let text = server.get("/metrics").await.body;
        let mut counts = text
            .lines()
            .filter(|line| line.starts_with("wastegate_cleanup_struck_total{"));
        counts.any(|line| !line.ends_with(" 0"))
    })
    .await;
    seen.look(&server).await;

    let silent = Setup::new().limit(4).policy_bytes(guest("silent"));
    let server = silent.start().await;
    seen.look(&server).await;
    inactive(&server, 4).await;
    let _new = server.enter("ann", "new").await;
    seen.look(&server).await;

    let server = Setup::new()
        .limit(3)
        .policy_bytes(guest("log-flood"))
        .only(&[Tier::Force], 0)
        .start()
        .await;
    seen.look(&server).await;
    let _old = server.fill("ann", 3).await;
    let _new = server.enter("ann", "new").await;
    seen.look(&server).await;
}

/// Another policy is made active.
pub(super) async fn another_policy(seen: &mut Seen) {
    let server = Setup::new().start().await;
    seen.look(&server).await;
    let pick = Pick::Shipped("hyperbolic".to_owned());
    let activated = server.catalog.activate_async(pick, Params::new()).await;
    activated.unwrap();
    seen.look(&server).await;
}

/// A manager that is asked at random.
pub(super) async fn auditing(seen: &mut Seen) {
    let server = Setup::new()
        .with(|config| config.health.audit_per_hour = 1.0)
        .start()
        .await;
    seen.look(&server).await;
    let _clients = server.fill("ann", 2).await;
    let mut lots = SplitMix64::new(1);
    let asked = server.auditor.once(&mut lots, Duration::from_secs(3_600));
    asked.await;
    seen.look(&server).await;
}

/// Journals whose disk is full and whose queue holds one line. One after the other: two may not write to one file.
pub(super) async fn journals_without_room(seen: &mut Seen) {
    for name in ["decisions", "activity"] {
        let mut journal = JournalConfig::at("/dev/full");
        journal.queue_lines_max = 1.try_into().unwrap();
        let server = Setup::new()
            .limit(1)
            .short_goodbyes()
            .with(|config| match name {
                "decisions" => config.observe.decisions = Some(journal),
                _ => config.observe.activity = Some(journal),
            })
            .start()
            .await;
        seen.look(&server).await;
        let mut clients = Vec::new();
        for what in ["dropped", "errors"] {
            let series = format!("wastegate_{name}_{what}_total");
            until_async(format!("{series} to move"), async || {
                let key = format!("k{}", clients.len());
                clients.push(server.enter("ann", &key).await);
                server.metric(&series).await > 0.0
            })
            .await;
        }
        seen.look(&server).await;
        drop(clients);
        server.stop().await;
    }
}

/// A server that is about to stop and still has a client.
pub(super) async fn stopping(seen: &mut Seen) {
    let server = Setup::new()
        .with(|config| config.gateway.drain_readyz = Duration::from_secs(2))
        .start()
        .await;
    seen.look(&server).await;
    let client = server.enter("ann", "k").await;
    let admin = server.admin;
    let stopping = Tasks::new().spawn("stop", server.stop());
    until_async("the drain to show", async || {
        let text = http::ask(admin, "GET", "/metrics", None).await.body;
        seen.note(&text);
        text.lines().any(|line| line == "wastegate_draining 1")
    })
    .await;
    client.vanish().await;
    assert!(stopping.await.unwrap().drained);
}
