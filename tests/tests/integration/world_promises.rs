//! The promises at the limit, as clients and backends of other people meet them: every limit makes room
//! first, rotation ends, and nothing that answers is evicted before its successor's backend has answered.

use std::time::Duration;

use futures_util::future::join_all;
use wastegate_core::types::EvictionCause;
use wastegate_tests::harness::{Dial, End, Setup, until, within};

use crate::knock::knock;
use crate::moody::{Backend, Mood};

const EVICTED_ALIVE: &str = "wastegate_cleanup_forced_responsive_total";

/// Eight connections without a key are eight managers; the dead ones go when a ninth needs room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w03_what_names_no_key_is_let_in_beside_the_dead() {
    let backend = Backend::start().await;
    let server = backend
        .in_front()
        .limit(8)
        .impatient()
        .without_force()
        .start()
        .await;
    let mut dead = Vec::new();
    for _ in 0..8 {
        // They read nothing, and so answer nothing.
        dead.push(knock(server.address, "/ws?user=ann", &[]).await.unwrap());
    }
    server.holds("ann", 8).await;
    let live = within("a ninth to be let in", async {
        loop {
            if let Ok(live) = knock(server.address, "/ws?user=ann", &[]).await {
                return live;
            }
        }
    });
    drop(live.await);
    drop(dead);
}

/// Eight dead connections of one key do not keep the ninth out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w04_dead_connections_of_a_manager_make_room() {
    let backend = Backend::start().await;
    let server = backend.in_front().impatient().start().await;
    let dead = join_all((0..8).map(|_| server.enter("ann", "k1"))).await;
    for client in &dead {
        client.silence().await;
    }
    let mut live = within("a ninth to be let in", async {
        loop {
            if let Ok(live) = server.dial("ann", "k1").connect().await {
                return live;
            }
        }
    })
    .await;
    live.echo("in").await;
    assert_eq!(server.held("ann"), 1);
}

/// A dead connection beside a live one leaves by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w04_a_dead_connection_leaves_its_manager() {
    let setup = Setup::new().impatient();
    let server = setup
        .with(|config| config.cleanup.sweep_interval = Duration::from_millis(100))
        .start()
        .await;
    let dead = server.enter("ann", "k1").await;
    let mut live = server.enter("ann", "k1").await;
    dead.silence().await;
    until("the dead connection to leave", || {
        server.manager("ann", "k1").unwrap().ports().len() == 1
    })
    .await;
    live.echo("here").await;
}

/// A manager that is dead for long goes at any occupancy, as one whose peer is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_the_known_dead_leave_at_any_occupancy() {
    let setup = Setup::new().impatient().with(|config| {
        config.cleanup.sweep_interval = Duration::from_millis(100);
        config.cleanup.dead_for = Duration::from_millis(500);
    });
    let server = setup.start().await;
    let dead = server.enter("ann", "dead").await;
    let mut live = server.enter("ann", "live").await;
    dead.silence().await;
    server.holds("ann", 1).await;
    assert_eq!(server.keys("ann"), ["live"]);
    live.echo("here").await;
}

/// Full of live connections: refused over HTTP with what there is to know, and the backend is not asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w06_a_full_manager_refuses_over_http_before_the_backend_is_asked() {
    let backend = Backend::start().await;
    let server = backend.in_front().start().await;
    let live = join_all((0..8).map(|_| server.enter("ann", "k1"))).await;
    let asked = backend.asked();
    let refusal = server.refused("ann", "k1").await;
    assert_eq!(refusal.kind(), (429, "manager-connections".to_owned()));
    let said = refusal.json();
    assert_eq!(
        (&said["user"], &said["limit"], &said["held"]),
        (&"ann".into(), &8.into(), &8.into())
    );
    assert!(refusal.reply.header("retry-after").is_some());
    assert_eq!(backend.asked(), asked);
    // Its own device's older connection gives way in any case.
    let again = Dial::to(server.address, "ann", "k1").device(&live[0].device);
    let mut again = again.connect().await.unwrap();
    again.echo("in").await;
}

async fn newcomers_cost_nobody(mood: Mood, count: usize) {
    let backend = Backend::start().await;
    let server = backend.in_front().start().await;
    let mut live = server.fill("ann", 20).await;
    backend.mood.send_replace(mood);
    let newcomers = (0..count).map(|number| {
        let dial = server.dial("ann", &format!("new-{number}"));
        async move { dial.connect().await }
    });
    for answer in join_all(newcomers).await {
        let refusal = answer.expect_err("its backend takes nobody");
        assert!((500..600).contains(&refusal.reply.status), "{refusal:?}");
    }
    assert_eq!(server.held("ann"), 20);
    for client in &mut live {
        client.echo("still here").await;
    }
    assert!(server.metric(EVICTED_ALIVE).await < 1.0);
}

/// A backend that takes no connection any more: nobody who is live goes for newcomers it will not take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w13_a_backend_that_closes_costs_nobody_a_place() {
    newcomers_cost_nobody(Mood::Closes, 5).await;
}

/// The same, answering 503, with a crowd of newcomers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w14_a_backend_that_is_busy_costs_nobody_a_place() {
    newcomers_cost_nobody(Mood::Busy, 20).await;
}

/// Where the backend does answer, the newcomer gets its place, and exactly one goes for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w13_a_promise_is_kept_once_the_backend_has_answered() {
    let backend = Backend::start().await;
    let server = backend.in_front().limit(3).start().await;
    let mut live = server.fill("ann", 3).await;
    let mut newcomer = server.enter("ann", "new").await;
    newcomer.echo("in").await;
    let end = live.remove(0).ended().await;
    assert!(matches!(end, End::Closed { code: 4_501, .. }), "{end:?}");
    for client in &mut live {
        client.echo("still here").await;
    }
    assert_eq!(server.held("ann"), 3);
}

/// A device that comes and goes does not shut out its owner's other devices behind the same address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w15_a_flapping_device_does_not_shut_out_the_others() {
    let setup = Setup::new().with(|config| config.gateway.caps.per_address_per_s_max = 0);
    let server = setup
        .with(|config| config.gateway.flap.lives_max = 5)
        .start()
        .await;
    let flapping = || server.dial("ann", "flapping").device("bad");
    within("the device to be told to stay away", async {
        loop {
            match flapping().connect().await {
                Ok(client) => client.vanish().await,
                Err(refusal) => return assert_eq!(refusal.kind(), (429, "flapping".to_owned())),
            }
        }
    })
    .await;
    let mut tab = server.enter("ann", "tab").await;
    tab.echo("in").await;
}

/// A refusal names each tier once, however often it looked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w83_a_refusal_names_each_tier_once() {
    let server = Setup::new().limit(1).without_force().start().await;
    let _live = server.fill("ann", 1).await;
    let said = server.refused("ann", "other").await.json();
    let tiers: Vec<&str> = said["tiers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tier| tier["tier"].as_str().unwrap())
        .collect();
    assert_eq!(tiers, ["conservative", "moderate", "aggressive"]);
}

/// Evictions and connections for one key at once: what is let in with 101 stays, or is evicted as itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_what_was_let_in_is_not_sent_away_for_an_eviction_beside_it() {
    let backend = Backend::start().await;
    let server = backend.in_front().start().await;
    let evicting = async {
        for _ in 0..150 {
            if let Some(manager) = server.manager("ann", "k1") {
                let cause = EvictionCause::Requested;
                let (user, key) = (&manager.user, &manager.key);
                server
                    .registry
                    .evict(user, key, manager.id, cause, |_| true);
            }
            tokio::task::yield_now().await;
        }
    };
    let connecting = async {
        let mut ended = Vec::new();
        for _ in 0..150 {
            let client = server.dial("ann", "k1").connect().await.unwrap();
            ended.push(client.leave().await);
        }
        ended
    };
    let ((), ended) = tokio::join!(evicting, connecting);
    let sent_away = |end: &&End| matches!(end, End::Closed { code: 4_000, .. });
    assert_eq!(ended.iter().filter(sent_away).count(), 0, "{ended:?}");
    server.holds("ann", 0).await;
}
