//! The face of the library over real sockets: handlers that say who their client is, the tower service, what
//! an application decides about its managers, and a policy as the ranker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, FromRequestParts, Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use wastegate::cleanup::{Decided, Recorder, TierRun, UserPressure};
use wastegate::embed::{Builder, Embedded, Settings};
use wastegate::gateway::{Gateway, Identified, Identify, Identity, Unidentified, Upgrade};
use wastegate::health::Round;
use wastegate::manager::{Application, Manager, ManagerEnd, Message, Peer, PinError};
use wastegate::tasks::Tasks;
use wastegate_core::decision::{PolicyRef, Question, Victim};
use wastegate_core::types::{
    CloseReason, DeviceId, Eviction, EvictionCause, ManagerKey, PeerState, Tier, UserId,
};
use wastegate_engine::policy::Pick;
use wastegate_tests::harness::until;

use crate::knock::{closed, echo, knock, status};

#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../../../host/control/examples/embed_policy.rs"]
mod embed_policy;

/// Echoes; `pin`, `evict` and `ban` do so to their manager. Keeps what came of it.
#[derive(Default)]
struct Obedient {
    notes: Mutex<Vec<String>>,
    seen: Mutex<Option<Arc<Manager>>>,
}

impl Application for Obedient {
    async fn message(&self, manager: &Arc<Manager>, from: Peer, message: Message) {
        let Message::Text(text) = &message else {
            return;
        };
        *self.seen.lock() = Some(manager.clone());
        let note = match text.as_str() {
            "pin" => format!("{:?}", manager.pin(Duration::from_secs(60))),
            "evict" => format!("{}", manager.evict(EvictionCause::Requested)),
            "ban" => {
                let ban = Eviction {
                    peer: PeerState::Answering,
                    ..EvictionCause::Requested.into()
                };
                format!("{}", manager.evict(ban))
            }
            _ => {
                let _ = manager.send(from.connection, message);
                return;
            }
        };
        self.notes.lock().push(note);
        let _ = manager.send(from.connection, message);
    }

    fn detached(&self, manager: &Arc<Manager>, _: &Peer, reason: CloseReason) {
        let note = format!("{} detached: {}", manager.key, reason.name());
        self.notes.lock().push(note);
    }

    fn ended(&self, manager: &Arc<Manager>, end: ManagerEnd) {
        let note = format!("{} ended: {}", manager.key, end.reason.name());
        self.notes.lock().push(note);
    }
}

/// The state of a server: the gateway is a part of it.
#[derive(Clone)]
struct App {
    gateway: Arc<Gateway>,
    /// How often a session was looked up.
    lookups: Arc<AtomicUsize>,
}

impl FromRef<App> for Arc<Gateway> {
    fn from_ref(app: &App) -> Self {
        app.gateway.clone()
    }
}

/// Whom a session's cookie names.
struct Session(UserId);

impl FromRequestParts<App> for Session {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, StatusCode> {
        app.lookups.fetch_add(1, Ordering::Relaxed);
        let cookie = parts.headers.get("cookie").and_then(|it| it.to_str().ok());
        let name = cookie.and_then(|cookie| cookie.strip_prefix("sid="));
        let name = name.ok_or(StatusCode::UNAUTHORIZED)?;
        UserId::new(name)
            .map(Self)
            .map_err(|_| StatusCode::UNAUTHORIZED)
    }
}

async fn room(
    upgrade: Upgrade,
    Session(user): Session,
    State(_): State<App>,
    Path(room): Path<String>,
) -> Result<Response, StatusCode> {
    let room = ManagerKey::new(&room).map_err(|_| StatusCode::NOT_FOUND)?;
    let identity = Identity::new(user, room, DeviceId::unnamed());
    Ok(upgrade.admit(identity).await)
}

/// Two managers a user, nothing lent, and what answers is not evicted.
fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.limits.managers_per_user = 2;
    settings.limits.temporary_slots = 0;
    settings.cleanup.user_last_tier = Tier::Aggressive;
    settings.admission.queue_length_max = 0;
    settings
}

/// Serves routes as an embedding server does.
async fn serve(routes: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    Tasks::new().spawn(
        "embedding",
        async move { axum::serve(listener, routes).await },
    );
    address
}

/// A server whose handler identifies clients by a session.
async fn sessions(application: Arc<Obedient>, settings: Settings) -> (Embedded, App, SocketAddr) {
    let embedded = Builder::new(application)
        .settings(settings)
        .build()
        .unwrap();
    embedded.start();
    let app = App {
        gateway: embedded.gateway.clone(),
        lookups: Arc::default(),
    };
    let routes = Router::new()
        .route("/rooms/{room}", get(room))
        .with_state(app.clone());
    let address = serve(routes).await;
    (embedded, app, address)
}

/// Reads from now on, so that its manager answers probes.
fn answering(client: WebSocketStream<TcpStream>) {
    Tasks::new().spawn("client", client.for_each(async |_| {}));
}

const ANN: (&str, &str) = ("cookie", "sid=ann");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_identifies_its_client_and_every_check_keeps_its_place() {
    let (embedded, app, address) = sessions(Arc::default(), settings()).await;
    let own = format!("http://{address}");
    let own = ("origin", own.as_str());

    // What is no upgrade costs no look at a session.
    let plain = format!("GET /rooms/a HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let refused = wastegate_tests::harness::http::exchange(address, plain.as_bytes()).await;
    let refused = refused.unwrap();
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (400, Some("bad-handshake"))
    );
    assert_eq!(app.lookups.load(Ordering::Relaxed), 0);

    // The handler's own refusal, then the gateway's: a page of elsewhere with the session's cookie.
    assert_eq!(status(knock(address, "/rooms/a", &[]).await), 401);
    let foreign = ("origin", "https://evil.example");
    assert_eq!(
        status(knock(address, "/rooms/a", &[ANN, foreign]).await),
        403
    );
    assert_eq!(status(knock(address, "/rooms/a", &[ANN]).await), 403);
    assert_eq!(embedded.registry.total(), 0);

    // The limit is that of the user whom the handler named.
    let mut one = knock(address, "/rooms/a", &[ANN, own]).await.unwrap();
    echo(&mut one, "hello").await;
    answering(one);
    answering(knock(address, "/rooms/b", &[ANN, own]).await.unwrap());
    let (refused, why) = knock(address, "/rooms/c", &[ANN, own]).await.unwrap_err();
    assert_eq!(refused, 429, "{why}");
    let bob = ("cookie", "sid=bob");
    answering(knock(address, "/rooms/c", &[bob, own]).await.unwrap());
    assert_eq!(embedded.registry.held(&UserId::new("ann").unwrap()), 2);
    embedded.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_over_its_rate_is_refused_before_the_handler_looks_at_it() {
    let mut settings = settings();
    settings.gateway.caps.per_address_per_s_max = 1;
    // This machine is a client like any other.
    settings.gateway.trusted_proxies = Vec::new();
    let (_embedded, app, address) = sessions(Arc::default(), settings).await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(status(knock(address, "/rooms/a", &[]).await));
    }
    let looked = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(app.lookups.load(Ordering::Relaxed), looked, "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
}

/// Goes by what a layer left in the request.
struct ByLayer;

impl Identify for ByLayer {
    fn identify<'a>(&'a self, parts: &'a mut Parts) -> Identified<'a> {
        let user = parts.extensions.get::<UserId>().cloned();
        Box::pin(async move {
            let user = user.ok_or_else(|| Unidentified::Rejected("sign in".into()))?;
            let key = ManagerKey::new("only")?;
            Ok(Identity::new(user, key, DeviceId::unnamed()))
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_nests_under_layers() {
    let embedded = Builder::new(Obedient::default())
        .identify(ByLayer)
        .build()
        .unwrap();
    let signed_in = from_fn(async |mut request: Request, next: Next| {
        if request.headers().contains_key("x-user") {
            request.extensions_mut().insert(UserId::new("ann").unwrap());
        }
        next.run(request).await
    });
    // Another one without an identification lets nobody in.
    let closed = Builder::new(Obedient::default()).build().unwrap();
    let routes = Router::new()
        .route_service("/ws", embedded.gateway.service())
        .layer(signed_in)
        .route_service("/closed", closed.gateway.service());
    let address = serve(routes).await;
    assert_eq!(status(knock(address, "/ws", &[]).await), 401);
    assert_eq!(status(knock(address, "/closed", &[]).await), 403);
    let mut client = knock(address, "/ws", &[("x-user", "ann")]).await.unwrap();
    echo(&mut client, "hello").await;
    assert_eq!(embedded.registry.held(&UserId::new("ann").unwrap()), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_pins_and_evicts_its_managers() {
    let application = Arc::new(Obedient::default());
    let mut settings = settings();
    settings.manager.pins_per_user_max = 1;
    let (embedded, _, address) = sessions(application.clone(), settings).await;
    let own = format!("http://{address}");
    let headers = [ANN, ("origin", own.as_str())];
    let enter = async |room: &str| {
        let target = format!("/rooms/{room}");
        knock(address, &target, &headers).await.unwrap()
    };
    let notes = || std::mem::take(&mut *application.notes.lock());

    // Pins are within the user's budget.
    let (mut a, mut b) = (enter("a").await, enter("b").await);
    echo(&mut a, "pin").await;
    echo(&mut a, "pin").await;
    echo(&mut b, "pin").await;
    let spent = "Err(BudgetSpent { pinned: 1, budget: 1 })";
    assert_eq!(notes(), ["Ok(())", "Ok(())", spent]);

    // An eviction goes the way of all: the slot, the close code, `detached`, then `ended`. A pin does not
    // keep what its application wants gone.
    a.send("evict".into()).await.unwrap();
    assert_eq!(closed(&mut a).await, 4_003);
    until("the end", || application.notes.lock().len() == 3).await;
    assert_eq!(notes(), ["true", "a detached: evicted", "a ended: evicted"]);
    assert_eq!(embedded.registry.total(), 1);
    let gone = application.seen.lock().clone().unwrap();
    assert!(!gone.evict(EvictionCause::Requested), "once is enough");
    let pinned = gone.pin(Duration::from_secs(1));
    assert_eq!(pinned, Err(PinError::NoSuchManager));

    // It counts as one that was evicted: who comes back is a return.
    let mut again = enter("a").await;
    echo(&mut again, "here").await;
    assert_eq!(embedded.registry.created(), (3, 1));

    // And a client may be told not to come back by itself.
    b.send("ban".into()).await.unwrap();
    assert_eq!(closed(&mut b).await, 4_503);
    until("the end", || application.notes.lock().len() == 3).await;
    assert_eq!(
        notes(),
        ["true", "b detached: displaced", "b ended: displaced"]
    );
    embedded.stop().await;
}

/// Who chose whom.
#[derive(Default)]
struct Choosers(Mutex<Vec<(String, String)>>);

impl Recorder for Choosers {
    fn tier_ran(&self, _: Option<&UserId>, _: &TierRun, _: Option<Round>) {}

    fn evicted(&self, _: &Question, victim: &Victim, by: &PolicyRef) {
        let chosen = (victim.key.to_string(), by.name.to_string());
        self.0.lock().push(chosen);
    }

    fn decided(&self, _: Decided) {}

    fn pressure_changed(&self, _: &UserPressure) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_with_a_policy_is_ranked_by_it() {
    let choosers = Arc::new(Choosers::default());
    let policy = Pick::Shipped("lru".to_owned());
    let (embedded, routes) = embed_policy::build(policy, choosers.clone()).await.unwrap();
    let address = serve(routes).await;
    for key in ["one", "two", "three"] {
        let target = format!("/ws?user=ann&key={key}&device=d");
        let mut client = knock(address, &target, &[]).await.unwrap();
        echo(&mut client, key).await;
        answering(client);
    }
    assert_eq!(*choosers.0.lock(), [("one".to_owned(), "lru".to_owned())]);
    assert_eq!(embedded.registry.total(), embed_policy::MANAGERS);
}
