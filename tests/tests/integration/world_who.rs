//! Who is a manager, and whose: clients that name nothing, names from other places than the query,
//! users by address and by an application's session.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use wastegate::gateway::identity::Mode;
use wastegate::gateway::identity::session::Missing;
use wastegate::tasks::Tasks;
use wastegate_tests::harness::{Server, Setup, until};

use crate::behind::{backend, greeting, in_front_of};
use crate::knock::{knock, status};

/// A client that reads, and so answers pings; it ends when this is dropped.
struct Live(JoinHandle<()>);

impl Live {
    fn new(mut socket: WebSocketStream<TcpStream>) -> Self {
        Self(Tasks::new().spawn("client", async move {
            while let Some(Ok(_)) = socket.next().await {}
        }))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn gateway() -> Setup {
    in_front_of(&[format!("ws://{}", backend("a").await)])
}

/// So many at once, of whom all have to be let in.
async fn open(server: &Server, target: &str, clients: usize) -> Vec<Live> {
    let knocks = (0..clients).map(|_| knock(server.address, target, &[]));
    join_all(knocks)
        .await
        .into_iter()
        .map(|knocked| Live::new(knocked.unwrap()))
        .collect()
}

/// Where no key is named, each connection is a manager of its own, with a backend and without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w07_clients_without_a_key_are_managers_of_their_own() {
    for setup in [gateway().await, Setup::new()] {
        let server = setup.limit(20).start().await;
        let tabs = open(&server, "/ws?user=ann", 10).await;
        server.holds("ann", 10).await;
        let keys = server.keys("ann");
        assert!(
            keys.iter().all(|key| key.starts_with("unnamed-")),
            "{keys:?}"
        );
        // Nothing can come back to them, so they are given up with their connections.
        drop(tabs);
        server.holds("ann", 0).await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w08_the_limit_counts_connections_without_a_key() {
    for setup in [gateway().await, Setup::new()] {
        let server = setup.limit(3).without_force().start().await;
        let live = open(&server, "/ws?user=ann", 3).await;
        until("all to be attached", || {
            let all = server.registry.all();
            all.iter()
                .filter(|manager| manager.ports().len() == 1)
                .count()
                == 3
        })
        .await;
        for _ in 0..3 {
            let refused = knock(server.address, "/ws?user=ann", &[]).await;
            assert_eq!(status(refused), 429);
        }
        assert_eq!(server.held("ann"), 3);
        drop(live);
        server.stop().await;
    }
}

/// A device that has a name has a manager of that name, to which it comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w07_a_device_with_a_name_comes_back_to_its_own_manager() {
    let server = gateway().await.limit(20).start().await;
    let first = open(&server, "/ws?user=ann&device=phone", 1).await;
    let _second = open(&server, "/ws?user=ann&device=phone", 1).await;
    assert_eq!(server.keys("ann"), ["phone"]);
    drop(first);
    assert_eq!(server.held("ann"), 1);
    server.stop().await;
}

/// A name that the server makes up cannot be chosen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w07_names_that_the_server_makes_up_are_reserved() {
    for setup in [gateway().await, Setup::new()] {
        let server = setup.start().await;
        let _tab = open(&server, "/ws?user=ann", 1).await;
        until("a manager", || server.held("ann") == 1).await;
        let key = server.keys("ann").remove(0);
        for target in [
            format!("/ws?user=ann&key={key}"),
            format!("/ws?user=ann&device={key}"),
        ] {
            let (code, body) = knock(server.address, &target, &[]).await.unwrap_err();
            assert_eq!(code, 400);
            assert!(body.contains("reserved"), "{body}");
        }
        // Operators can name it.
        let path = format!("/v1/users/ann/managers/{key}/evict");
        let evicted = server.post(&path, &serde_json::json!({})).await.json();
        assert_eq!(evicted["evicted"], true);
        server.stop().await;
    }
}

/// A client that sends nothing at all is let in at once in development, as its address; what the
/// backend's own parameters say is no mistake, but an ambiguous user is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w07_a_client_that_says_nothing_works_in_front_of_a_backend() {
    let server = gateway().await.limit(20).start().await;
    let mut open = Vec::new();
    for target in [
        "/ws",
        "/ws?class=5&device-class=x",
        "/ws?key=a&key=b",
        "/ws?room=%ff&device=",
    ] {
        let knocked = knock(server.address, target, &[]).await;
        open.push(knocked.unwrap_or_else(|refused| panic!("{target}: {refused:?}")));
    }
    assert_eq!(server.held("127.0.0.1"), 4);
    let forwarded = [("x-forwarded-for", "203.0.113.9")];
    open.push(knock(server.address, "/ws", &forwarded).await.unwrap());
    assert_eq!(server.held("203.0.113.9"), 1);
    open.push(knock(server.address, "/ws?user=ann", &[]).await.unwrap());
    assert_eq!(server.held("ann"), 1);
    let twice = knock(server.address, "/ws?user=ann&user=bob", &[]).await;
    assert_eq!(status(twice), 400);
    server.stop().await;
}

/// Names come from where the operator says they are; what named a manager goes on to the backend.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w07_keys_and_devices_come_from_the_places_that_are_set() {
    let places = |places: &[&str]| places.iter().map(|place| place.parse().unwrap()).collect();
    let server = gateway()
        .await
        .with(|config| {
            config.identity.key = places(&["query:tab", "cookie:tab", "path:1"]);
            config.identity.device = places(&["header:x-client"]);
        })
        .start()
        .await;
    let host = server.address.to_string();
    let origin = format!("http://{host}");
    let mut open = Vec::new();
    for (user, target, headers, key) in [
        ("a", "/ws?user=a&tab=t", vec![("cookie", "tab=c")], "t"),
        ("b", "/ws?user=b&key=k", vec![("cookie", "x=1; tab=c")], "c"),
        ("c", "/ws?user=c", vec![("x-client", "phone")], "ws"),
    ] {
        let mut headers = headers;
        headers.push(("origin", origin.as_str()));
        let mut client = knock(server.address, target, &headers).await.unwrap();
        assert_eq!(greeting(&mut client).await, "a 127.0.0.1 http");
        assert_eq!(server.keys(user), [key]);
        open.push(client);
    }
    // The device of before comes again.
    let again = [("x-client", "phone"), ("origin", origin.as_str())];
    open.push(knock(server.address, "/ws?user=c", &again).await.unwrap());
    let manager = server.manager("c", "ws").unwrap();
    until("the old connection to be taken over", || {
        manager.ports().len() == 1
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w07_by_address_a_user_is_where_the_client_is() {
    let server = gateway()
        .await
        .with(|config| {
            config.identity.mode = Mode::Address;
            config
                .gateway
                .trusted_proxies
                .push("10.0.0.0/8".parse().unwrap());
        })
        .start()
        .await;
    let mut open = Vec::new();
    for (forwarded, user) in [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:9::9", "2001:db8:1:2::/64"),
        ("203.0.113.8, 10.1.1.1", "203.0.113.8"),
    ] {
        let headers = [("x-forwarded-for", forwarded)];
        // Who it says it is counts for nothing here.
        let client = knock(server.address, "/ws?user=root", &headers).await;
        open.push(client.unwrap());
        assert!(server.held(user) > 0, "{user}");
    }
    assert_eq!(
        (server.held("2001:db8:1:2::/64"), server.held("root")),
        (2, 0)
    );
    // A proxy that does not say for whom it speaks is not its clients.
    let headers = [("x-forwarded-for", "10.1.1.1")];
    let (code, body) = knock(server.address, "/ws", &headers).await.unwrap_err();
    assert_eq!(code, 403);
    assert!(body.contains("X-Forwarded-For"), "{body}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w07_an_applications_session_is_a_user_and_stays_secret() {
    let session = |missing| {
        move |config: &mut wastegate_cli::config::ProgramConfig| {
            config.identity.mode = Mode::Cookie;
            config.identity.cookie.name = "sessionid".to_owned();
            config.identity.cookie.missing = missing;
        }
    };
    let server = gateway().await.with(session(Missing::Refuse)).start().await;
    let origin = format!("http://{}", server.address);
    let with = |cookie| [("cookie", cookie), ("origin", origin.as_str())];
    let ask = async |cookie| knock(server.address, "/ws", &with(cookie)).await;
    let mut open = vec![
        ask("sessionid=s3cret-one").await.unwrap(),
        ask("a=b; sessionid=s3cret-one").await.unwrap(),
        ask("sessionid=s3cret-two").await.unwrap(),
    ];
    let mut users: Vec<u32> = Vec::new();
    let mut names = String::new();
    for (user, held) in server.registry.users() {
        users.push(held);
        names.push_str(user.as_str());
    }
    users.sort_unstable();
    assert_eq!(users, [1, 2]);
    assert!(
        names.contains("session-") && !names.contains("s3cret"),
        "{names}"
    );
    let (code, body) = ask("other=1").await.unwrap_err();
    assert_eq!(code, 401);
    assert!(body.contains("sessionid"), "{body}");
    assert_eq!(status(ask("sessionid=a; sessionid=b").await), 400);
    // A foreign page's script has the browser send the cookie, so its origin decides.
    let foreign = [
        ("cookie", "sessionid=s3cret-one"),
        ("origin", "https://evil.example"),
    ];
    assert_eq!(status(knock(server.address, "/ws", &foreign).await), 403);
    server.stop().await;

    let server = gateway()
        .await
        .with(session(Missing::Address))
        .start()
        .await;
    open.push(knock(server.address, "/ws", &[]).await.unwrap());
    assert_eq!(server.held("127.0.0.1"), 1);
    tokio::time::timeout(Duration::from_secs(10), server.stop())
        .await
        .unwrap();
}
