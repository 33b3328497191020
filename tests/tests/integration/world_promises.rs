//! The promises at the limit, as clients and backends of other people meet them: every limit makes room
//! first, rotation ends, and nothing that answers is evicted before its successor's backend has answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use wastegate::decision::Hold;
use wastegate::manager::NoApplication;
use wastegate::types::{EvictionCause, Tasks};
use wastegate_tests::harness::{Client, Dial, End, Setup, until, within};

use crate::knock::knock;

const EVICTED_ALIVE: &str = "wastegate_cleanup_forced_responsive_total";

/// The rules that end rotation, as the product has them.
fn as_shipped(setup: Setup) -> Setup {
    setup.with(|config| {
        config.cleanup.force_per_user_max = 20;
        config.cleanup.displaced = Hold {
            first: Duration::from_secs(60),
            max: Duration::from_secs(600),
        };
        config.admission.takeovers_max = 5;
    })
}

async fn echo(stream: TcpStream) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        let is_data = message.is_text() || message.is_binary();
        if is_data && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// What a backend does with an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Echo,
    Busy,
    Closes,
}

/// A backend whose mood can be changed, and that counts what it is asked.
struct Backend {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    mood: watch::Sender<Mood>,
}

impl Backend {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<AtomicUsize>::default();
        let (mood, moods) = watch::channel(Mood::Echo);
        let count = asked.clone();
        Tasks::new().spawn("backend", async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let now = *moods.borrow();
                Tasks::new().spawn("backend", async move {
                    match now {
                        Mood::Echo => echo(stream).await,
                        Mood::Closes => {}
                        Mood::Busy => {
                            let busy = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n";
                            // The gateway may be gone by then.
                            let _ = stream.write_all(busy).await;
                        }
                    }
                });
            }
        });
        Self {
            address,
            asked,
            mood,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn in_front(&self) -> Setup {
        let upstream = format!("ws://{}", self.address);
        Setup::new()
            .short_goodbyes()
            .application(Arc::new(NoApplication))
            .with(|config| config.gateway.upstream = vec![upstream.parse().unwrap()])
    }
}

/// Clients that connect again after a pause whatever they are told, until it is over. How often each was
/// let in. The pause between two attempts is what these clients are like.
async fn hasty(dials: Vec<Dial>, pause: Duration, lasting: Duration) -> Vec<u32> {
    let run = |dial: Dial| async move {
        let let_in = AtomicU32::new(0);
        let reconnecting = async {
            loop {
                if let Ok(mut client) = dial.clone().connect().await {
                    let_in.fetch_add(1, Ordering::SeqCst);
                    client.ended().await;
                }
                tokio::time::sleep(pause).await;
            }
        };
        let _ = tokio::time::timeout(lasting, reconnecting).await;
        let_in.load(Ordering::SeqCst)
    };
    join_all(dials.into_iter().map(run)).await
}

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

/// Six live clients on five places, each of which comes back whatever it is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w09_w10_one_tab_too_many_does_not_rotate_the_others() {
    let server = as_shipped(Setup::new().limit(5).short_goodbyes())
        .start()
        .await;
    let dials = (0..6).map(|number| server.dial("ann", &format!("k{number}")));
    let (pause, lasting) = (Duration::from_millis(50), Duration::from_secs(4));
    let let_in = hasty(dials.collect(), pause, lasting).await;
    assert!(let_in.iter().sum::<u32>() <= 6, "{let_in:?}");
    assert!(server.metric(EVICTED_ALIVE).await <= 1.0);
}

/// What was displaced is told so, in a code that says not to come back by itself, and by when.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w09_the_sixth_is_told_why() {
    let server = as_shipped(Setup::new().limit(5).short_goodbyes())
        .start()
        .await;
    let mut clients = server.fill("ann", 5).await;
    let _sixth = server.enter("ann", "k6").await;
    assert_eq!(clients.remove(0).closed().await, 4_501);
    let mut waits = Vec::new();
    for _ in 0..3 {
        let refusal = server.refused("ann", "k1").await;
        assert_eq!(refusal.kind(), (429, "displaced".to_owned()));
        waits.push(refusal.json()["retry_after_ms"].as_u64().unwrap());
    }
    assert_eq!(waits, [5_000, 10_000, 20_000]);
    // A free slot is anybody's.
    clients.remove(0).leave().await;
    server.holds("ann", 4).await;
    server.enter("ann", "k1").await;
}

/// Twenty-one with all defaults: what is lent for a while is lent before anybody goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w10_temporary_slots_come_before_force() {
    let setup = as_shipped(Setup::new()).with(|config| config.limits.temporary_slots = 25);
    let server = setup.start().await;
    let mut clients = server.fill("ann", 21).await;
    for client in &mut clients {
        client.echo("here").await;
    }
    assert_eq!(server.held("ann"), 21);
    assert!(server.metric(EVICTED_ALIVE).await < 1.0);
}

/// Three tabs on two places that come back at once: the server ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w11_tabs_that_come_back_at_once_are_bounded_by_the_server() {
    let server = as_shipped(Setup::new().limit(2).short_goodbyes())
        .start()
        .await;
    let dials = (0..3).map(|number| server.dial("ann", &format!("k{number}")));
    let let_in = hasty(
        dials.collect(),
        Duration::from_millis(1),
        Duration::from_secs(3),
    )
    .await;
    assert!(let_in.iter().sum::<u32>() <= 4, "{let_in:?}");
}

/// The same with a new name at each attempt: the ration of the user ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w11_new_names_are_rationed() {
    let setup = as_shipped(Setup::new().limit(2).short_goodbyes());
    let server = setup
        .with(|config| config.cleanup.force_per_user_max = 4)
        .start()
        .await;
    let mut inside: Vec<Client> = Vec::new();
    let mut refused = 0;
    for number in 0..20 {
        match server.dial("ann", &format!("new-{number}")).connect().await {
            Ok(client) => inside.push(client),
            Err(refusal) => {
                assert_eq!(refusal.kind(), (429, "user-limit".to_owned()));
                let wait = refusal.json()["retry_after_ms"].as_u64().unwrap();
                assert!(wait > 60_000, "until the ration is there again: {wait}");
                refused += 1;
            }
        }
    }
    assert_eq!((inside.len(), refused), (6, 14));
}

/// Two clients of one device, each of which takes the place of the other: damped by the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w12_a_fight_for_one_device_is_damped() {
    let backend = Backend::start().await;
    let server = as_shipped(backend.in_front()).start().await;
    let dial = || server.dial("ann", "k1").device("phone");
    let dials = vec![dial(), dial()];
    let (pause, lasting) = (Duration::from_millis(1), Duration::from_secs(3));
    let let_in = hasty(dials, pause, lasting).await;
    // One that was there, five that are free, and one after each wait of 1 s and 2 s.
    assert!(let_in.iter().sum::<u32>() <= 8, "{let_in:?}");
    assert!(backend.asked() <= 8, "{}", backend.asked());
    // The one that is there is taken over once more at the most before the next wait.
    let mut there = Vec::new();
    let refusal = within("a refusal", async {
        loop {
            match dial().connect().await {
                Ok(client) => there.push(client),
                Err(refusal) => return refusal,
            }
        }
    });
    assert_eq!(refusal.await.kind(), (429, "device-contested".to_owned()));
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
