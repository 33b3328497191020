//! Applications that embed the gateway: what they are called with, and the example.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use wastegate::manager::{Application, Manager, ManagerEnd, Message, Peer};
use wastegate::tasks::Tasks;
use wastegate_core::types::{CloseReason, ConnectionId};
use wastegate_tests::harness::{Setup, until, within};

use crate::knock::{closed, knock};

#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../../../host/gateway/examples/embed.rs"]
mod embed;

/// Writes down how it is called.
#[derive(Default)]
struct Witness {
    calls: Mutex<Vec<Call>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Call {
    Attached(ConnectionId),
    Detached(ConnectionId, CloseReason),
    Ended(CloseReason),
}

impl Application for Witness {
    fn attached(&self, _: &Arc<Manager>, peer: &Peer) {
        self.calls.lock().push(Call::Attached(peer.connection));
    }

    async fn message(&self, _: &Arc<Manager>, _: Peer, _: Message) {
        panic!("as the test asks")
    }

    fn detached(&self, _: &Arc<Manager>, peer: &Peer, reason: CloseReason) {
        self.calls
            .lock()
            .push(Call::Detached(peer.connection, reason));
    }

    fn ended(&self, _: &Arc<Manager>, end: ManagerEnd) {
        self.calls.lock().push(Call::Ended(end.reason));
    }
}

impl Witness {
    /// What was called since the last look, once that many managers have ended.
    async fn until_ended(&self, managers: usize) -> Vec<Call> {
        let ended = |call: &&Call| matches!(call, Call::Ended(_));
        until("managers to end", || {
            self.calls.lock().iter().filter(ended).count() == managers
        })
        .await;
        std::mem::take(&mut *self.calls.lock())
    }
}

/// However a manager ends, each of its connections is attached and detached once, and then it ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w78_each_connection_that_attached_is_detached_once_however_it_ends() {
    let witness = Arc::new(Witness::default());
    let setup = || Setup::new().short_goodbyes().application(witness.clone());
    let server = setup().limit(1).start().await;
    let enter = async |query: &str| {
        let target = format!("/ws?user=ann&{query}");
        let client = knock(server.address, &target, &[]).await.unwrap();
        let before = witness.calls.lock().len();
        let _ = before;
        client
    };
    let attached = AtomicUsize::new(0);
    let wait = async |connections: usize| {
        attached.fetch_add(connections, Ordering::Relaxed);
        until("the application to know", || {
            let calls = witness.calls.lock();
            calls
                .iter()
                .filter(|call| matches!(call, Call::Attached(_)))
                .count()
                >= connections
        })
        .await;
    };
    let check = |calls: Vec<Call>, connections: usize| {
        let of = |call: &Call| match call {
            Call::Attached(id) | Call::Detached(id, _) => Some(*id),
            Call::Ended(_) => None,
        };
        let ids: Vec<ConnectionId> = calls
            .iter()
            .filter(|call| matches!(call, Call::Attached(_)))
            .filter_map(of)
            .collect();
        assert_eq!(ids.len(), connections, "{calls:?}");
        for id in ids {
            let detached = calls
                .iter()
                .filter(|call| matches!(call, Call::Detached(it, _) if *it == id));
            assert_eq!(detached.count(), 1, "{calls:?}");
        }
        let last = calls.last().unwrap().clone();
        assert!(matches!(last, Call::Ended(_)), "{calls:?}");
        last
    };

    // By an operator, with two connections.
    let (_one, _two) = (enter("key=a").await, enter("key=a").await);
    wait(2).await;
    let path = "/v1/users/ann/managers/a/evict";
    assert_eq!(server.post(path, &json!({})).await.json()["evicted"], true);
    check(witness.until_ended(1).await, 2);

    // By a panic of the application.
    let mut client = enter("key=b").await;
    wait(1).await;
    client.send(Frame::text("panic")).await.unwrap();
    let last = check(witness.until_ended(1).await, 1);
    assert_eq!(last, Call::Ended(CloseReason::HandlerPanicked));
    closed(&mut client).await;

    // By a cleanup: the next client needs its place.
    let old = enter("key=c").await;
    wait(1).await;
    let reading = Tasks::new().spawn("client", old.for_each(async |_| {}));
    let _new = enter("key=d").await;
    until("the first to end", || {
        witness
            .calls
            .lock()
            .iter()
            .any(|call| matches!(call, Call::Ended(_)))
    })
    .await;
    within("the client", reading).await.unwrap();
    let calls = witness.calls.lock().clone();
    let detached = calls
        .iter()
        .filter(|call| matches!(call, Call::Detached(..)));
    assert_eq!(detached.count(), 1, "{calls:?}");

    // By the end of the server.
    server.stop().await;
    let calls = witness.until_ended(2).await;
    let count = |wanted: fn(&Call) -> bool| calls.iter().filter(|call| wanted(call)).count();
    assert_eq!(
        count(|call| matches!(call, Call::Attached(_))),
        2,
        "{calls:?}"
    );
    assert_eq!(
        count(|call| matches!(call, Call::Detached(..))),
        2,
        "{calls:?}"
    );
    assert!(attached.load(Ordering::Relaxed) > 0);
}

/// In the example, users of one room hear each other, and a second tab throws nobody out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w79_the_example_is_a_room_of_many_users() {
    let (embedded, routes) = embed::build().unwrap();
    embedded.start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    Tasks::new().spawn("embed", async move { axum::serve(listener, routes).await });
    let enter = async |user: &str| {
        let bearer = format!("Bearer {user}");
        let headers = [("authorization", bearer.as_str())];
        knock(address, "/chat/general", &headers).await.unwrap()
    };
    let (mut ann, mut tab, mut bob) = (enter("ann").await, enter("ann").await, enter("bob").await);
    let held = embedded.registry.clone();
    until("three connections", || {
        held.all()
            .iter()
            .map(|manager| manager.ports().len())
            .sum::<usize>()
            == 3
    })
    .await;
    assert_eq!(held.total(), 2, "ann's tabs are of one manager");
    // Who hears its own word is in the room.
    say_and_hear(&mut [&mut ann], "ann is here").await;
    say_and_hear(&mut [&mut tab], "her tab is here").await;
    say_and_hear(&mut [&mut bob], "bob is here").await;
    say_and_hear(&mut [&mut ann, &mut tab, &mut bob], "from ann").await;
    say_and_hear(&mut [&mut tab, &mut ann, &mut bob], "from her tab").await;
    say_and_hear(&mut [&mut bob, &mut ann, &mut tab], "from bob").await;

    // The limit is five rooms: of seven the quietest goes, and never the one that is pinned.
    let pin = b"POST /keep/general HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ann\r\nconnection: close\r\n\
content-length: 0\r\n\r\n";
    let pinned = wastegate_tests::harness::http::exchange(address, pin).await;
    assert_eq!(pinned.unwrap().status, 200);
    let mut rooms = Vec::new();
    for room in ["one", "two", "three", "four", "five", "six"] {
        let headers = [("authorization", "Bearer ann")];
        let entered = knock(address, &format!("/chat/{room}"), &headers).await;
        rooms.push(entered.unwrap());
        // The client has its 101 before its connection is attached, and a newborn manager is spared.
        until("its connection", || {
            let all = held.all();
            let mut there = all.iter().filter(|manager| manager.key.as_str() == room);
            there.any(|manager| !manager.ports().is_empty())
        })
        .await;
    }
    let of_ann: Vec<String> = held
        .all()
        .iter()
        .filter(|manager| manager.user.as_str() == "ann")
        .map(|manager| manager.key.as_str().to_owned())
        .collect();
    assert!(of_ann.contains(&"general".to_owned()), "{of_ann:?}");
    assert!(!of_ann.contains(&"one".to_owned()), "{of_ann:?}");

    // Who says `/leave` is evicted, and the room does not hear of it.
    bob.send(Frame::text("/leave")).await.unwrap();
    assert_eq!(closed(&mut bob).await, 4_003);
    embedded.stop().await;
}

/// The first says something, and all of them hear it, whatever else they hear before.
async fn say_and_hear(clients: &mut [&mut WebSocketStream<TcpStream>], said: &str) {
    if let Some(first) = clients.first_mut() {
        first.send(Frame::text(said)).await.unwrap();
    }
    for client in clients {
        let heard = async {
            loop {
                match client.next().await.unwrap().unwrap() {
                    Frame::Text(text) if text.as_str() == said => break,
                    Frame::Text(_) | Frame::Ping(_) | Frame::Pong(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        within("what was said", heard).await;
    }
}
