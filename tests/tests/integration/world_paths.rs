//! Paths and hosts: what reaches which backend, and what is answered where no route leads anywhere.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use wastegate::gateway::identity::Mode;
use wastegate::gateway::route;
use wastegate::tasks::Tasks;
use wastegate_tests::harness::http::exchange;
use wastegate_tests::harness::{Program, Server, Setup, http, until_async};

use crate::behind::{greeting, in_front_of};
use crate::knock::{closed, echo, knock, over, status};

/// A server that says its name and the target that it was asked for, then echoes.
async fn backend(name: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Tasks::new().spawn("backend", async move {
        while let Ok((stream, _)) = listener.accept().await {
            Tasks::new().spawn("backend", serve(name, stream));
        }
    });
    format!("ws://{address}")
}

async fn serve(name: &'static str, stream: TcpStream) {
    let mut target = String::new();
    #[expect(clippy::result_large_err, reason = "it is what the library asks for")]
    let note = |request: &Request, response: Response| {
        target = request.uri().to_string();
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, note).await else {
        return;
    };
    let greeting = Message::text(format!("{name} {target}"));
    socket.send(greeting).await.unwrap_or_default();
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// Who answers a target, and what it was asked for.
async fn asked(server: &Server, host: &str, target: &str) -> String {
    let stream = TcpStream::connect(server.address).await.unwrap();
    match over(stream, host, target, &[]).await {
        Ok(mut client) => greeting(&mut client).await,
        Err((status, body)) => format!("{status} {body}"),
    }
}

/// A client that answers pings, as long as what is returned is not ended.
fn answering(
    mut client: tokio_tungstenite::WebSocketStream<TcpStream>,
) -> tokio::task::JoinHandle<()> {
    Tasks::new().spawn("client", async move {
        while let Some(Ok(_)) = client.next().await {}
    })
}

fn to(path: &str, host: Option<&str>, backend: &str) -> route::Config {
    route::Config {
        path: path.parse().unwrap(),
        host: host.map(|host| host.parse().unwrap()),
        upstream: vec![backend.parse().unwrap()],
        ..route::Config::default()
    }
}

fn with_routes(routes: Vec<route::Config>) -> Setup {
    in_front_of(&[]).with(|config| config.gateway.routes = routes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w50_paths_reach_the_backend_as_sent() {
    let server = in_front_of(&[backend("b").await]).start().await;
    for target in [
        "/ws/room/7?user=ann",
        "/ws/?user=ann",
        "//ws?user=ann",
        "/?user=ann",
        "/socket.io/?EIO=4&transport=websocket&user=ann",
        "/chat/general?user=ann",
        "/a%2Fb/%C3%A9/./..//c;d=1?user=ann&x=%20+&&y",
        "/cable?user=ann&x=?/",
        "/:id/*/{x}?user=ann",
    ] {
        let said = asked(&server, "chat.example", target).await;
        assert_eq!(said, format!("b {target}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w50_a_backend_with_a_path_is_asked_for_that_and_the_query() {
    let server = in_front_of(&[format!("{}/socket", backend("b").await)])
        .start()
        .await;
    let said = asked(&server, "h", "/anything?user=ann&room=7").await;
    assert_eq!(said, "b /socket?user=ann&room=7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w50_the_built_in_application_has_its_path_and_nothing_else_and_says_so() {
    let server = Setup::new().start().await;
    assert_eq!(
        status(knock(server.address, "/ws?user=ann", &[]).await),
        101
    );
    for target in ["/ws/", "/", "//ws", "/ws/x", "/WS"] {
        let (code, body) = knock(server.address, target, &[]).await.unwrap_err();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (code, &body["error"]),
            (404, &json!("not-found")),
            "{target}"
        );
        assert_eq!(body["listens_at"], json!(["/ws"]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w50_a_route_is_found_by_host_and_path_and_a_404_says_where_there_is_one() {
    let (one, two, three) = (
        backend("one").await,
        backend("two").await,
        backend("three").await,
    );
    let stripped = route::Config {
        strip_prefix: true,
        ..to("/api", None, &two)
    };
    let server = with_routes(vec![
        to("/chat", None, &one),
        stripped,
        to("/", Some("*.example"), &three),
    ])
    .start()
    .await;
    for (host, target, expected) in [
        ("h", "/chat?user=ann", "one /chat?user=ann"),
        ("h", "/chat/7/?user=ann", "one /chat/7/?user=ann"),
        ("h", "/api?user=ann", "two /?user=ann"),
        ("h", "/api//v1/%2F?user=ann", "two //v1/%2F?user=ann"),
        ("A.Example:8443", "/chat?user=ann", "three /chat?user=ann"),
    ] {
        assert_eq!(asked(&server, host, target).await, expected);
    }
    for (host, target) in [("h", "/chatter"), ("h", "/"), ("example", "/x")] {
        let said = asked(&server, host, target).await;
        let (code, body) = said.split_once(' ').unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        let places = json!(["*.example/", "/chat", "/api"]);
        assert_eq!((code, &body["listens_at"]), ("404", &places), "{body}");
    }
    // A request that is no upgrade is answered the same.
    let plain = b"GET /nowhere HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    let reply = exchange(server.address, plain).await.unwrap();
    assert_eq!(
        (reply.status, &reply.json()["error"]),
        (404, &json!("not-found"))
    );
    let seen = server.get("/v1/upstreams").await.json();
    let routes = seen["upstreams"].as_array().unwrap().iter();
    let routes: Vec<_> = routes.map(|it| it["route"].clone()).collect();
    assert_eq!(routes, ["*.example/", "/chat", "/api"]);
}

/// The upstream takes what no route takes; beneath its path only, where it has one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w50_what_no_route_takes_goes_to_the_upstream() {
    let (usual, chat) = (backend("usual").await, backend("chat").await);
    let server = in_front_of(&[usual])
        .with(|config| {
            config.gateway.path = Some("/app".parse().unwrap());
            config.gateway.routes = vec![to("/app/chat", None, &chat)];
        })
        .start()
        .await;
    assert_eq!(
        asked(&server, "h", "/app?user=a").await,
        "usual /app?user=a"
    );
    assert_eq!(
        asked(&server, "h", "/app/chat/x?user=a").await,
        "chat /app/chat/x?user=a"
    );
    assert!(asked(&server, "h", "/other").await.starts_with("404 "));
}

/// A user's managers count together on all routes but those with a limit of their own; a key is another
/// manager on another route.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w50_a_route_counts_apart_where_it_has_a_limit_of_its_own() {
    let (one, two, own) = (
        backend("one").await,
        backend("two").await,
        backend("own").await,
    );
    let limited = route::Config {
        managers_per_user: Some(1),
        ..to("/own", None, &own)
    };
    let server = with_routes(vec![
        to("/one", None, &one),
        to("/two", None, &two),
        limited,
    ])
    .limit(2)
    .without_force()
    .start()
    .await;
    let get_in = async |path: &str, key: &str| {
        let target = format!("{path}?user=ann&key={key}&device=d");
        knock(server.address, &target, &[]).await
    };
    let mut first = get_in("/one", "k").await.unwrap();
    let mut second = get_in("/two", "k").await.unwrap();
    assert!(greeting(&mut first).await.starts_with("one "));
    assert!(greeting(&mut second).await.starts_with("two "));
    // The same device and key elsewhere take nothing over.
    echo(&mut first, "still there").await;
    server.holds("ann", 2).await;
    let _answering = [answering(first), answering(second)];
    assert_eq!(status(get_in("/one", "other").await), 429);
    // And a route with a limit of its own has its own place, and one only.
    let mut third = get_in("/own", "k").await.unwrap();
    assert!(greeting(&mut third).await.starts_with("own "));
    let _third = answering(third);
    let (code, body) = get_in("/own", "more").await.unwrap_err();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((code, &body["limit"]), (429, &json!(1)), "{body}");
    assert_eq!(server.held("ann@@/own"), 1);
    assert_eq!(server.keys("ann"), ["k@@/one", "k@@/two"]);
    // No client can pretend to be of another route.
    let forged = "/one?user=ann%40%40/own&key=k&device=d";
    assert_eq!(status(knock(server.address, forged, &[]).await), 400);
    let held = server.get("/v1/users/ann%40%40%2Fown").await.json();
    assert_eq!((&held["held"], &held["limit"]), (&json!(1), &json!(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w50_a_route_has_its_own_sizes_and_its_own_proof_of_identity() {
    let (small, vouched) = (backend("small").await, backend("vouched").await);
    let server = with_routes(vec![
        route::Config {
            message_bytes_max: Some(1_000),
            ..to("/small", None, &small)
        },
        route::Config {
            identity: Some(Mode::Headers),
            ..to("/vouched", None, &vouched)
        },
    ])
    .with(|config| config.identity.headers.user = "x-user".to_owned())
    .start()
    .await;
    let mut client = knock(server.address, "/small?user=ann", &[]).await.unwrap();
    greeting(&mut client).await;
    echo(&mut client, &"x".repeat(1_000)).await;
    client.send(Message::text("x".repeat(1_001))).await.unwrap();
    assert_eq!(closed(&mut client).await, 1_009);
    // No name of a query counts there.
    let without = knock(server.address, "/vouched?user=ann", &[]).await;
    assert_eq!(status(without), 401);
    let with = knock(server.address, "/vouched", &[("x-user", "ann")]).await;
    assert_eq!(status(with), 101);
}

fn under_test() -> &'static str {
    env!("CARGO_BIN_EXE_wastegate-under-test")
}

/// What looks like a pattern is refused by both, with the same sentence; what is taken runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w51_a_path_that_is_checked_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |verb: &[&str], text: &str| {
        let file = folder.path().join("w.toml");
        std::fs::write(&file, text).unwrap();
        let file = file.display().to_string();
        let arguments = [verb, &["--config", &file]].concat();
        Program::start(under_test(), &arguments)
            .finish()
            .await
            .0
            .code()
    };
    let upstream = "upstream = \"ws://127.0.0.1:9\"";
    let serve = ["serve", "--listen", "127.0.0.1:0", "--admin", "off"];
    for path in [
        "/ws/*",
        "/ws/:id",
        "/*",
        "/ws/*rest",
        "/{id}",
        "/ws/{*rest}",
        "/%zz",
        "ws",
    ] {
        for text in [
            format!("[gateway]\npath = \"{path}\"\n"),
            format!("[gateway]\npath = \"{path}\"\n{upstream}\n"),
            format!("[[gateway.route]]\npath = \"{path}\"\n{upstream}\n"),
        ] {
            assert_eq!(run(&["config", "check"], &text).await, Some(78), "{text}");
            assert_eq!(run(&serve, &text).await, Some(78), "{text}");
        }
    }
    for path in ["/", "//", "/ws/", "/a:b", "/caf%C3%A9", "/a.b/~c;d=1"] {
        let text = format!("[gateway]\npath = \"{path}\"\n{upstream}\n");
        assert_eq!(run(&["config", "check"], &text).await, Some(0), "{text}");
        let file = folder.path().join("w.toml").display().to_string();
        let arguments = [&serve[..], &["--json", "--config", &file]].concat();
        let mut program = Program::start(under_test(), &arguments);
        let welcome: Value = serde_json::from_str(&program.line().await).unwrap();
        let address: SocketAddr = welcome["listen"].as_str().unwrap().parse().unwrap();
        // The backend is away, so what leads to it says so.
        let target = format!("{path}?user=ann");
        assert_eq!(status(knock(address, &target, &[]).await), 502, "{path}");
    }
}

/// Routes change with a SIGHUP, and what a backend holds is still counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w50_routes_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("w.toml");
    let (one, two) = (backend("one").await, backend("two").await);
    let route = |path: &str, backend: &str| {
        format!("[[gateway.route]]\npath = \"{path}\"\nupstream = [\"{backend}\"]\n")
    };
    std::fs::write(&file, route("/a", &one)).unwrap();
    let config = file.display().to_string();
    let arguments = [
        "serve",
        "--json",
        "--config",
        &config,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ];
    let mut program = Program::start(under_test(), &arguments);
    let welcome: Value = serde_json::from_str(&program.line().await).unwrap();
    let at = |name: &str| -> SocketAddr { welcome[name].as_str().unwrap().parse().unwrap() };
    let mut old = knock(at("listen"), "/a?user=ann", &[]).await.unwrap();
    assert_eq!(greeting(&mut old).await, "one /a?user=ann");

    std::fs::write(&file, route("/b", &two) + &route("/c", &one)).unwrap();
    program.signal("HUP");
    until_async("the new routes", async || {
        status(knock(at("listen"), "/b?user=ann", &[]).await) == 101
    })
    .await;
    assert_eq!(status(knock(at("listen"), "/a?user=ann", &[]).await), 404);
    echo(&mut old, "not touched").await;
    let seen = http::ask(at("admin"), "GET", "/v1/upstreams", None)
        .await
        .json();
    let upstreams = seen["upstreams"].as_array().unwrap();
    let at_c = upstreams.iter().find(|it| it["route"] == "/c").unwrap();
    assert_eq!(
        (&at_c["url"], &at_c["connections"]),
        (&json!(one), &json!(1))
    );
}
