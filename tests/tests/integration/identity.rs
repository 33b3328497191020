//! Who is let in, and as whom: tokens, a service that is asked, headers of proxies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use parking_lot::Mutex;
use serde_json::{Value, json};
use wastegate::gateway::identity::Mode;
use wastegate::gateway::identity::token::Source;
use wastegate::tasks::Tasks;
use wastegate_tests::harness::{Issuer, Server, Setup, until};

use crate::knock::{closed, echo, knock, status};

/// A service over HTTP on loopback.
async fn service(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Tasks::new().spawn("service", async move {
        axum::serve(listener, router).await.unwrap();
    });
    address
}

/// What is published, and how often it was asked for.
#[derive(Default)]
pub(crate) struct Published {
    pub(crate) keys: Mutex<Vec<Value>>,
    asked: AtomicU32,
}

pub(crate) async fn publisher(published: Arc<Published>) -> String {
    let answer = |State(published): State<Arc<Published>>| async move {
        published.asked.fetch_add(1, Ordering::Relaxed);
        axum::Json(json!({ "keys": *published.keys.lock() }))
    };
    let router = Router::new()
        .route("/keys", get(answer))
        .with_state(published);
    format!("http://{}/keys", service(router).await)
}

pub(crate) async fn by_tokens(url: String) -> Server {
    Setup::new()
        .limit(20)
        .short_goodbyes()
        .with(|config| {
            config.identity.mode = Mode::Jwt;
            config.identity.jwt.keys_url = Some(url);
            config.identity.jwt.keys_retry = Duration::from_millis(50);
            config.identity.token.sources = Source::ALL.to_vec();
            config.identity.expiry_grace = Duration::from_millis(200);
            config.identity.jwt.leeway = Duration::ZERO;
        })
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_says_who_wherever_it_is_and_nothing_else_does() {
    let published = Arc::new(Published::default());
    let issuer = Issuer::new("one");
    published.keys.lock().push(issuer.public());
    let server = by_tokens(publisher(published.clone()).await).await;
    let at = server.address;
    let ann = issuer.token(&json!({ "sub": "ann" }), 600.0);
    let bearer = format!("Bearer {ann}");
    let item = format!("wastegate.bearer.{ann}");
    let cookie = format!("theme=dark; token={ann}");

    let mut by_header = knock(at, "/ws?key=a&user=mallory", &[("authorization", &bearer)])
        .await
        .unwrap();
    echo(&mut by_header, "here").await;
    let origin = ("origin", "https://anywhere.example");
    let by_item = knock(
        at,
        "/ws?key=b",
        &[("sec-websocket-protocol", &item), origin],
    )
    .await;
    // The client library refuses an answer without a subprotocol that it offered, as browsers do.
    let ours = format!("{item}, wastegate.v1");
    assert!(by_item.is_err());
    let by_item = knock(
        at,
        "/ws?key=b",
        &[("sec-websocket-protocol", &ours), origin],
    )
    .await;
    let _by_item = by_item.unwrap();
    let _by_query = knock(at, &format!("/ws?token={ann}&key=c"), &[])
        .await
        .unwrap();
    until("three managers of ann", || server.held("ann") == 3).await;
    assert_eq!(server.held("mallory"), 0);

    // A cookie comes along with pages of other origins: those have to be of this host.
    let foreign = [("cookie", &*cookie), ("origin", "https://evil.example")];
    assert_eq!(status(knock(at, "/ws?key=d", &foreign).await), 403);
    assert_eq!(
        status(knock(at, "/ws?key=d", &[("cookie", &cookie)]).await),
        403
    );
    let here = format!("http://{at}");
    let own = [("cookie", &*cookie), ("origin", &here)];
    let _by_cookie = knock(at, "/ws?key=d", &own).await.unwrap();

    for (headers, why) in [
        (vec![], "a token is needed"),
        (vec![("authorization", "Bearer x.y.z")], "no JSON Web Token"),
    ] {
        let (code, body) = knock(at, "/ws?user=ann", &headers).await.unwrap_err();
        assert!(code == 401 && body.contains(why), "{code} {body}");
        assert!(!body.contains("x.y.z"), "{body}");
    }
    let old = format!("Bearer {}", issuer.token(&json!({ "sub": "ann" }), -1.0));
    let (code, body) = knock(at, "/ws", &[("authorization", &old)])
        .await
        .unwrap_err();
    assert!(code == 401 && body.contains("expired"), "{body}");
    assert_eq!(
        published.asked.load(Ordering::Relaxed),
        1,
        "the set is kept"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_published_anew_are_found_and_a_limit_of_a_token_holds() {
    let published = Arc::new(Published::default());
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    published.keys.lock().push(old.public());
    let server = by_tokens(publisher(published.clone()).await).await;
    let claims = json!({ "sub": "bob", "managers": 2, "priority": 7 });
    let bearer = |issuer: &Issuer| format!("Bearer {}", issuer.token(&claims, 600.0));
    let first = bearer(&old);
    let _first = knock(server.address, "/ws?key=a", &[("authorization", &first)])
        .await
        .unwrap();
    published.keys.lock().push(new.public());
    let second = bearer(&new);
    let knocked = async || {
        let headers = [("authorization", &*second)];
        knock(server.address, "/ws?key=b", &headers).await.ok()
    };
    // The set may have been asked for a moment ago, and is not asked for at every such token.
    let mut entered = None;
    while entered.is_none() {
        entered = knocked().await;
    }
    let reply = server.get("/v1/users/bob").await.json();
    assert_eq!((&reply["limit"], &reply["held"]), (&json!(2), &json!(2)));
    assert_eq!(reply["managers"][0]["signals"]["priority"], json!(7.0));
}

/// The connection ends with its token and the grace; a client with a new one comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_ends_with_its_token() {
    let published = Arc::new(Published::default());
    let issuer = Issuer::new("one");
    published.keys.lock().push(issuer.public());
    let server = by_tokens(publisher(published).await).await;
    let bearer = format!("Bearer {}", issuer.token(&json!({ "sub": "ann" }), 0.8));
    let mut client = knock(server.address, "/ws?key=a", &[("authorization", &bearer)])
        .await
        .unwrap();
    echo(&mut client, "in time").await;
    assert_eq!(closed(&mut client).await, 4_005);
}

/// Nobody is believed while keys cannot be had, and everybody again as soon as they can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_keys_nobody_is_let_in() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", nobody.local_addr().unwrap());
    drop(nobody);
    let server = by_tokens(url).await;
    let bearer = format!(
        "Bearer {}",
        Issuer::new("one").token(&json!({ "sub": "ann" }), 60.0)
    );
    let refused = knock(server.address, "/ws", &[("authorization", &bearer)]).await;
    assert_eq!(status(refused), 503);
    assert_eq!(server.held("ann"), 0);
}

#[derive(Default)]
struct Asked {
    times: AtomicU32,
    heads: Mutex<Vec<HeaderMap>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_asked_and_its_silence_is_no_yes() {
    let asked = Arc::new(Asked::default());
    let answer = |State(asked): State<Arc<Asked>>, headers: HeaderMap| async move {
        asked.times.fetch_add(1, Ordering::Relaxed);
        let token = headers
            .get("authorization")
            .map(|it| it.to_str().unwrap().to_owned());
        asked.heads.lock().push(headers);
        match token.as_deref() {
            Some("Bearer ann") => {
                let who =
                    json!({ "user": "ann", "class": "premium", "managers": 1, "device": "d" });
                (StatusCode::OK, who.to_string())
            }
            Some("Bearer odd") => (StatusCode::OK, "[]".to_owned()),
            Some("Bearer banned") => (StatusCode::FORBIDDEN, String::new()),
            Some("Bearer broken") => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
            Some("Bearer slow") => {
                std::future::pending::<()>().await;
                unreachable!("it never answers")
            }
            _ => (StatusCode::UNAUTHORIZED, String::new()),
        }
    };
    let router = Router::new()
        .route("/who", get(answer))
        .with_state(asked.clone());
    let url = format!("http://{}/who", service(router).await);
    let server = Setup::new()
        .with(|config| {
            config.identity.mode = Mode::Hook;
            config.identity.hook.url = Some(url);
            config.identity.hook.timeout = Duration::from_millis(300);
            config.identity.hook.headers = vec!["x-tenant".to_owned()];
        })
        .start()
        .await;
    let at = server.address;
    let headers = [
        ("authorization", "Bearer ann"),
        ("x-tenant", "blue"),
        ("x-secret", "no"),
    ];
    let mut ann = knock(at, "/ws?key=a", &headers).await.unwrap();
    echo(&mut ann, "here").await;
    let reply = server.get("/v1/users/ann").await.json();
    assert_eq!(reply["limit"], json!(1));
    let head = asked.heads.lock().first().cloned().unwrap();
    assert_eq!(
        (&head["x-tenant"], &head["x-original-uri"]),
        (&"blue".parse().unwrap(), &"/ws?key=a".parse().unwrap())
    );
    assert!(head.get("x-secret").is_none());
    // A page can make up a token, and have the browser send the cookie that the service goes by.
    let foreign = ("origin", "https://evil.example");
    let forged = [headers[0], ("cookie", "sid=1"), foreign];
    assert_eq!(status(knock(at, "/ws?key=b", &forged).await), 403);
    asked.times.fetch_sub(1, Ordering::Relaxed);
    // The same question has the same answer for a while; a no is asked for again.
    let again = knock(at, "/ws?key=a", &headers).await.unwrap();
    assert_eq!(asked.times.load(Ordering::Relaxed), 1);
    drop(again);
    for (token, expected) in [
        ("Bearer nobody", 401),
        ("Bearer nobody", 401),
        ("Bearer banned", 403),
        ("Bearer broken", 503),
        ("Bearer odd", 503),
        ("Bearer slow", 503),
    ] {
        assert_eq!(
            status(knock(at, "/ws", &[("authorization", token)]).await),
            expected,
            "{token}"
        );
    }
    assert_eq!(asked.times.load(Ordering::Relaxed), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_proxies_are_believed_of_proxies() {
    let server = |proxies: &str| {
        let proxies = proxies.parse().unwrap();
        Setup::new().with(move |config| {
            config.identity.mode = Mode::Headers;
            config.gateway.trusted_proxies = vec![proxies];
        })
    };
    let behind = server("127.0.0.0/8").start().await;
    let said = [("x-user", "ann"), ("x-user-class", "premium")];
    let _ann = knock(behind.address, "/ws?key=a&user=mallory", &said)
        .await
        .unwrap();
    until("ann's manager", || behind.held("ann") == 1).await;
    assert_eq!(
        status(knock(behind.address, "/ws?user=ann", &[]).await),
        401
    );
    let twice = [("x-user", "ann"), ("x-user", "mallory")];
    assert_eq!(status(knock(behind.address, "/ws", &twice).await), 401);
    let elsewhere = server("10.0.0.0/8").start().await;
    assert_eq!(status(knock(elsewhere.address, "/ws", &said).await), 403);
}
