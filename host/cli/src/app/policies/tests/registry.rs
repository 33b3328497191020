//! Starts with a registry that is followed: one that answers, and ones that do not.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Router, http::Method};
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use wastegate_control::rollout::service::InItsPlace;

/// What a registry does, and what it was asked.
#[derive(Default)]
struct Stock {
    /// None while it is in order.
    trouble: Mutex<Option<Trouble>>,
    policy: Mutex<Vec<u8>>,
    asked: Mutex<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Status(u16),
    Busy,
    Html,
}

struct Registry {
    stock: Arc<Stock>,
    address: SocketAddr,
    tasks: Tasks,
}

impl Registry {
    async fn new(bytes: &[u8]) -> Self {
        let stock = Arc::new(Stock::default());
        *stock.policy.lock() = bytes.to_vec();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(stock.clone());
        let tasks = Tasks::new();
        tasks.spawn("fake registry", async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            stock,
            address,
            tasks,
        }
    }

    /// A server that follows it.
    fn followed(&self, world: &World) -> ProgramConfig {
        let mut config = world.named("lru");
        config.sources.directory.path = None;
        config.sources.registry.reference =
            Some(format!("{}/policies/lru:1", self.address).parse().unwrap());
        config.sources.registry.poll = Duration::from_millis(50);
        config.sources.registry.timeout = PATIENCE;
        config
    }

    fn asked(&self, what: &str) -> usize {
        let asked = self.stock.asked.lock();
        asked.iter().filter(|asked| asked.contains(what)).count()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

async fn answer(State(stock): State<Arc<Stock>>, request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    stock.asked.lock().push(format!("{method} {path}"));
    match *stock.trouble.lock() {
        None => {}
        Some(Trouble::Html) => return "<html>".into_response(),
        Some(Trouble::Status(status)) => {
            return StatusCode::from_u16(status).unwrap().into_response();
        }
        Some(Trouble::Busy) => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            return (status, [("retry-after", "3600")]).into_response();
        }
    }
    let policy = stock.policy.lock().clone();
    if !path.contains("/manifests/") {
        return policy.into_response();
    }
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.wasm.config.v0+json",
            "digest": format!("sha256:{}", digest(b"{}")),
            "size": 2,
        },
        "layers": [{
            "mediaType": "application/wasm",
            "digest": format!("sha256:{}", digest(&policy)),
            "size": policy.len(),
        }],
    });
    let manifest = manifest.to_string();
    let named = format!("sha256:{}", digest(manifest.as_bytes()));
    let body = if method == Method::HEAD {
        String::new()
    } else {
        manifest
    };
    ([("docker-content-digest", named)], body).into_response()
}

/// P05, P06: a start pulls once, and looks after it ask for the digest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p06_a_start_pulls_each_thing_once_and_then_asks_for_the_digest() {
    let (world, one, two) = (World::new(), variant("lru", 1), variant("lru", 2));
    let registry = Registry::new(&one).await;
    let server = start(&registry.followed(&world)).await;
    assert!(server.ranks_by(&one));
    until("some looks", || registry.asked("HEAD ") >= 3).await;
    assert_eq!((registry.asked("GET "), registry.asked("/blobs/")), (2, 1));
    *registry.stock.policy.lock() = two.clone();
    server.comes_to(&two).await;
    assert_eq!((registry.asked("GET "), registry.asked("/blobs/")), (4, 2));
    server.stop().await;
}

/// P01: a tag that an operator went back from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p01_a_rollback_of_a_tag_survives_a_restart() {
    let (world, [one, two, three]) = (World::new(), [1, 2, 3].map(|number| variant("lru", number)));
    let registry = Registry::new(&one).await;
    let config = registry.followed(&world);
    let server = start(&config).await;
    *registry.stock.policy.lock() = two.clone();
    server.comes_to(&two).await;
    server.roll_back(Some(Tier::Force)).await;
    server.stop().await;
    let server = start(&config).await;
    let looks = registry.asked("HEAD ");
    until("some looks", || registry.asked("HEAD ") >= looks + 2).await;
    assert_eq!(server.at(Tier::Force).as_deref(), Some(&*digest(&one)));
    assert_eq!(server.at(Tier::Moderate).as_deref(), Some(&*digest(&two)));
    *registry.stock.policy.lock() = three.clone();
    server.comes_to(&three).await;
    server.stop().await;
}

/// P12: whatever keeps a registry from giving the policy at the first start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p12_a_registry_in_trouble_is_stood_in_for_until_it_gives_the_policy() {
    for trouble in [403, 404, 500]
        .map(Trouble::Status)
        .into_iter()
        .chain([Trouble::Html])
    {
        let (world, bytes) = (World::new(), variant("lru", 1));
        let registry = Registry::new(&bytes).await;
        *registry.stock.trouble.lock() = Some(trouble);
        let server = start(&registry.followed(&world)).await;
        assert_eq!(server.at(Tier::Force), None, "the built-in ranking");
        let awaits = server.policies.rollout.awaits().unwrap();
        assert_eq!(awaits.in_its_place, InItsPlace::BuiltIn);
        assert!(awaits.source.starts_with("registry "), "{awaits:?}");
        *registry.stock.trouble.lock() = None;
        server.comes_to(&bytes).await;
        assert_eq!(server.policies.rollout.awaits(), None);
        server.stop().await;
    }
}

/// P07, P12: a registry that asks to be left alone is, and the server serves meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p12_a_busy_registry_is_asked_once_and_the_server_serves() {
    let (world, bytes) = (World::new(), variant("lru", 1));
    let registry = Registry::new(&bytes).await;
    *registry.stock.trouble.lock() = Some(Trouble::Busy);
    let server = start(&registry.followed(&world)).await;
    let why = server.policies.rollout.awaits().unwrap().why;
    assert!(why.contains("asks for a wait of 3600 s"), "{why}");
    // Long enough for many looks.
    let looks = tokio::time::timeout(Duration::from_millis(300), std::future::pending::<()>());
    assert!(looks.await.is_err());
    assert_eq!(registry.asked(""), 1);
    server.stop().await;
}

/// P12: no registry listens there yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p12_a_registry_that_is_away_is_not_needed_to_start() {
    let world = World::new();
    let registry = Registry::new(&variant("lru", 1)).await;
    let mut config = registry.followed(&world);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let reference = format!("{closed}/policies/lru:1").parse().unwrap();
    config.sources.registry.reference = Some(reference);
    let server = start(&config).await;
    let why = server.policies.rollout.awaits().unwrap().why;
    assert!(why.contains("cannot be reached"), "{why}");
    server.stop().await;
}
