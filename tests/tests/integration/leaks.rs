//! Promise 7: however connections end, everything comes back to where it was.
//!
//! The storm ends thousands of connections in every way there is, round after round. What is
//! counted: managers, users, queues, cleanups, watchers, pressure levels, tasks, places among the
//! node's connections, gauges, and the server's sockets as the kernel lists them (so that other
//! tests of this process do not matter; `cli` counts the descriptors of a process of its own).

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use wastegate::manager::{Application, Manager, ManagerEnd, Message, Peer};
use wastegate::observe::PressureThresholds;
use wastegate_tests::harness::program::{python, script};
use wastegate_tests::harness::{Client, Program, Server, Setup, until};

/// Rounds of the storm; each is some 400 connections.
const ROUNDS: usize = 6;
/// Connections that the node may hold.
const PLACES: usize = 400;

/// An echo that panics when it is told to: in a message, when somebody comes, and at the end.
struct Fragile;

impl Application for Fragile {
    fn attached(&self, manager: &Arc<Manager>, _: &Peer) {
        assert!(
            !manager.key.as_str().starts_with("no-entry"),
            "as it was told to"
        );
    }

    async fn message(&self, manager: &Arc<Manager>, from: Peer, message: Message) {
        assert!(
            message != Message::Text("panic".into()),
            "as it was told to"
        );
        // A client that is gone hears nothing.
        let _ = manager.send(from.connection, message);
    }

    fn ended(&self, manager: &Arc<Manager>, _: ManagerEnd) {
        assert!(
            !manager.key.as_str().starts_with("no-exit"),
            "as it was told to"
        );
    }
}

fn fragile() -> Setup {
    let levels = [0.4, 0.6, 0.8, 0.9];
    Setup::new()
        .limit(10)
        .short_goodbyes()
        .application(Fragile)
        .with(|config| {
            let stabilise = Duration::from_millis(50);
            config.observe.alerts.pressure =
                PressureThresholds::new(levels, 0.05, stabilise).unwrap();
            config.limits.connections_total = PLACES;
            config.manager.reconnect_grace = Duration::from_millis(100);
            config.manager.attach_grace = Duration::from_millis(500);
            config.cleanup.sweep_interval = Duration::from_millis(50);
            config.gateway.header_timeout = Duration::from_millis(300);
            config.admission.queue_length_max = 4;
            config.admission.queue_wait = Duration::from_millis(400);
        })
}

/// So many clients over ten users.
async fn crowd(server: &Server, name: &str, count: usize) -> Vec<Client> {
    let place = |number: usize| (format!("{name}{}", number % 10), format!("{name}-{number}"));
    let places: Vec<(String, String)> = (0..count).map(place).collect();
    join_all(places.iter().map(|(user, key)| server.enter(user, key))).await
}

/// The server's sockets that somebody still has open, the listener included.
fn sockets(server: &Server) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", server.address.port());
    let open = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1).is_some_and(|local| local.ends_with(&port)) && fields.get(9) != Some(&"0")
    };
    table.lines().skip(1).filter(open).count()
}

async fn saw_goodbye(server: &Server) {
    join_all(
        crowd(server, "polite", 60)
            .await
            .into_iter()
            .map(Client::leave),
    )
    .await;
    join_all(
        crowd(server, "away", 20)
            .await
            .into_iter()
            .map(|client| client.leave_with(1001)),
    )
    .await;
}

async fn cut_off(server: &Server) {
    join_all(
        crowd(server, "reset", 60)
            .await
            .into_iter()
            .map(Client::vanish),
    )
    .await;
    // Dropped in the middle of a message, and while ours are on their way.
    let clients = crowd(server, "dropped", 40).await;
    for client in &clients {
        client.say(&"x".repeat(50_000)).await;
    }
    drop(clients);
}

async fn panicked(server: &Server) {
    let mut clients = crowd(server, "victim", 30).await;
    for client in &clients {
        client.say("panic").await;
    }
    for client in &mut clients {
        assert_eq!(client.closed().await, 1011);
    }
    let keys: Vec<String> = (0..10).map(|number| format!("no-entry{number}")).collect();
    for client in join_all(keys.iter().map(|key| server.dial("door", key).connect())).await {
        assert_eq!(client.unwrap().closed().await, 1011);
    }
    let keys: Vec<String> = (0..10).map(|number| format!("no-exit{number}")).collect();
    let clients = join_all(keys.iter().map(|key| server.enter("exit", key))).await;
    join_all(clients.into_iter().map(Client::leave)).await;
}

/// Returns how many were evicted or told that there is no place.
async fn evicted_or_refused(server: &Server) -> (usize, usize) {
    let mut clients = crowd(server, "full", 100).await;
    // Some are silent, and have to be cut off.
    for client in clients.iter().step_by(7) {
        client.silence().await;
    }
    let users: Vec<String> = (0..10).map(|number| format!("full{number}")).collect();
    let over = users
        .iter()
        .flat_map(|user| (0..3).map(move |n| (user, format!("over{n}"))));
    let over: Vec<(&String, String)> = over.collect();
    let answers = join_all(
        over.iter()
            .map(|(user, key)| server.dial(user, key).connect()),
    )
    .await;
    let refused = answers.iter().filter(|answer| answer.is_err()).count();
    let there = |client: &&mut Client| server.manager(&client.user, &client.key).is_none();
    (clients.iter_mut().filter(there).count(), refused)
}

async fn cancelled(server: &Server) {
    join_all((0..40).map(async |number| {
        let dial = server.dial("half", &format!("h{number}"));
        let mut stream = dial.tcp().await;
        let request = dial.request();
        let (whole, half) = (request.as_bytes(), request.len() / 2);
        match number % 3 {
            // Gone before the answer, in the middle of the request, and before a word.
            0 => stream.write_all(whole).await.unwrap(),
            1 => stream.write_all(&whole[..half]).await.unwrap(),
            _ => {}
        }
    }))
    .await;
    // Half a request, and then nothing: the server has to end it.
    let mut silent = Vec::new();
    for _ in 0..20 {
        let mut stream = server.dial("half", "silent").tcp().await;
        stream
            .write_all(b"GET /ws?user=half HTTP/1.1\r\nho")
            .await
            .unwrap();
        silent.push(stream);
    }
    for stream in silent {
        until("a silent head to be given up", || {
            let mut byte = [0];
            !matches!(stream.try_read(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        })
        .await;
    }
}

async fn killed(server: &Server) {
    let url = format!("ws://{}/ws", server.address);
    let arguments = [script("hold.py").into_os_string(), url.into(), "50".into()];
    let mut holder = Program::start(python(), &arguments);
    assert_eq!(holder.line().await, "holding");
    assert!(server.registry.total() >= 50);
    holder.kill();
}

/// Everything is as it was after the start.
async fn quiet(server: &Server, tasks: usize) {
    until("managers to go", || server.registry.total() == 0).await;
    until("tasks to end", || server.tasks.running() <= tasks).await;
    until("sockets to close", || sockets(server) == 1).await;
    until("pressure to fall", || {
        server.cleaner.pressure().users().is_empty()
    })
    .await;
    assert_eq!(server.registry.users(), []);
    assert_eq!(server.admission.queued(), 0);
    assert_eq!(server.cleaner.running(), 0);
    assert_eq!(server.registry.watched(), 0);
    let stats = server.stats().await;
    for gauge in [
        "managers",
        "users",
        "connections",
        "queued",
        "queued_bytes",
        "zombies",
    ] {
        assert_eq!(stats[gauge], 0, "{gauge}");
    }
    assert_eq!(server.metric("wastegate_registry_managers").await, 0.0);
}

/// Two storms and what is left after each; returns how many were evicted and refused.
async fn storms(server: &Server) -> (usize, usize) {
    server.enter("warm", "up").await.leave().await;
    until("the first to be gone", || server.registry.total() == 0).await;
    // Listeners and background workers; what lingers of the warm-up may be counted.
    let tasks = server.tasks.running();
    let mut ends = (0, 0);
    for _ in 0..ROUNDS {
        tokio::join!(saw_goodbye(server), cut_off(server));
        panicked(server).await;
        let (evicted, refused) = evicted_or_refused(server).await;
        ends = (ends.0 + evicted, ends.1 + refused);
        cancelled(server).await;
    }
    killed(server).await;
    quiet(server, tasks).await;

    // Every place can be taken again, and not one more.
    let per_user = 10;
    let users: Vec<String> = (0..PLACES / per_user)
        .map(|number| format!("after{number}"))
        .collect();
    let clients = join_all(users.iter().map(|user| server.fill(user, per_user))).await;
    assert_eq!(server.registry.total() as usize, PLACES);
    let refused = server.refused("one", "more").await;
    assert_eq!(refused.kind(), (503, "connection-limit".to_owned()));
    join_all(clients.into_iter().flatten().map(Client::leave)).await;
    quiet(server, tasks).await;
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_connections_end_everything_comes_back() {
    let server = fragile().start().await;
    let (evicted, refused) = storms(&server).await;
    assert_eq!(
        (evicted, refused),
        (ROUNDS * 30, 0),
        "force makes room for everybody"
    );
    assert!(server.stop().await.drained);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_connections_are_refused_everything_comes_back() {
    let server = fragile().without_force().start().await;
    let (_, refused) = storms(&server).await;
    assert!(refused > ROUNDS, "{refused} refused");
    assert!(server.stop().await.drained);
}
