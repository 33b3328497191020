//! The gateway inside an axum server of your own: your routes, your extractors, your application, your
//! order of evictions, and nobody is ever locked out.
//!
//! Run it with `cargo run -p wastegate --example embed`; it prints what to try. A manager is what one user
//! holds of one room, so the limit is the number of rooms that a user has open; the room itself is the
//! application's. It shows an application ([`Chat`]), clients that a handler identifies ([`chat`]), work in
//! flight (`begin_work`), a pin ([`keep`]), an eviction that the application wants (`evict`), and a ranker
//! in Rust ([`QuietFirst`]). No WebAssembly is needed; a policy in WebAssembly as the ranker is in
//! `host/control/examples/embed_policy.rs`.

#![allow(clippy::print_stderr, reason = "an example for people at a terminal")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use wastegate::embed::{Builder, Embedded, Settings};
use wastegate::gateway::{Identity, Upgrade};
use wastegate::manager::{Application, Manager, ManagerEnd, Message, Peer};
use wastegate_core::decision::{Answer, Choice, PolicyRef, Question, Ranked, Ranker, Ranking};
use wastegate_core::types::{DeviceId, EvictionCause, ManagerId, ManagerKey, UserId};

/// For how long a room is kept.
const PINNED_FOR: Duration = Duration::from_secs(600);

/// Rooms: every message goes to all connections of all users in the room.
#[derive(Default)]
pub(crate) struct Chat {
    /// Who is in a room, by its name: the managers of its users.
    rooms: Mutex<HashMap<String, Members>>,
}

/// The managers in a room.
type Members = HashMap<ManagerId, Arc<Manager>>;

impl Chat {
    fn in_room<T>(&self, room: &ManagerKey, change: impl FnOnce(&mut Members) -> T) -> T {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let members = rooms.entry(room.as_str().to_owned()).or_default();
        let changed = change(members);
        if members.is_empty() {
            rooms.remove(room.as_str());
        }
        changed
    }
}

impl Application for Chat {
    fn attached(&self, manager: &Arc<Manager>, _peer: &Peer) {
        self.in_room(&manager.key, |members| {
            members.insert(manager.id, manager.clone());
        });
    }

    async fn message(&self, manager: &Arc<Manager>, _from: Peer, message: Message) {
        if message == Message::Text("/leave".into()) {
            // Evicted as by an operator: the slot is free at once, and `ended` is called.
            manager.evict(EvictionCause::Requested);
            return;
        }
        // Work in flight protects the manager from everything but the last tier.
        let _working = manager.begin_work();
        let members: Vec<Arc<Manager>> =
            self.in_room(&manager.key, |members| members.values().cloned().collect());
        for member in members {
            member.broadcast(&message, None);
        }
    }

    fn ended(&self, manager: &Arc<Manager>, end: ManagerEnd) {
        // Evicted or left: release here what belongs to the manager.
        self.in_room(&manager.key, |members| members.remove(&manager.id));
        eprintln!(
            "{} left {}: {}",
            manager.user,
            manager.key,
            end.reason.name()
        );
    }
}

/// The user of a request: an extractor like any other of yours, with the state if it needs it.
pub(crate) struct SignedIn(UserId);

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let header = parts.headers.get(AUTHORIZATION);
        let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let refuse = |why: &str| (StatusCode::UNAUTHORIZED, why.to_owned());
        let token = token.ok_or_else(|| refuse("a bearer token is needed"))?;
        // A real application verifies the token here; what comes out has to be trustworthy.
        let user = UserId::new(token).map_err(|error| refuse(&error.to_string()))?;
        Ok(Self(user))
    }
}

type Refusal = (StatusCode, String);

/// The key of a room's managers.
fn key_of(room: &str) -> Result<ManagerKey, Refusal> {
    ManagerKey::new(room).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

/// Opens a connection. `Upgrade` comes first, so that a request that is refused in any case costs no look
/// at its token.
async fn chat(
    upgrade: Upgrade,
    SignedIn(user): SignedIn,
    Path(room): Path<String>,
) -> Result<Response, Refusal> {
    // Each tab is a device of its own. One with a stable name would take over its old connection
    // when it connects again, and two tabs of that name would throw out each other.
    let identity = Identity::new(user, key_of(&room)?, DeviceId::unnamed());
    let identity = Identity {
        // No page can make a browser send this header, so pages of every origin may connect.
        by_token: true,
        ..identity
    };
    Ok(upgrade.admit(identity).await)
}

/// Pins a room of its user. Nothing evicts a pinned manager, so a pin ends by itself and each user has few.
async fn keep(
    State(embedded): State<Embedded>,
    SignedIn(user): SignedIn,
    Path(room): Path<String>,
) -> Result<(), Refusal> {
    let pinned = embedded.registry.pin(&user, &key_of(&room)?, PINNED_FOR);
    pinned.map_err(|error| (StatusCode::CONFLICT, error.to_string()))
}

/// How many managers are held.
async fn held(State(embedded): State<Embedded>) -> Json<u32> {
    Json(embedded.registry.total())
}

/// Rooms that were quiet for longest go first.
struct QuietFirst;

impl Ranker for QuietFirst {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let mut choices: Vec<Choice> = (0..)
            .zip(&question.rows)
            .map(|(row, manager)| Choice {
                row,
                score: question.now.ms_since(manager.last_activity),
                reason: 0,
            })
            .collect();
        choices.sort_by(|one, other| other.score.total_cmp(&one.score));
        let policy = PolicyRef {
            name: "quiet-first".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            digest: "native".into(),
        };
        Answer::Ready(Ranked {
            reasons: Arc::new(["it was quiet for longest".to_owned()]),
            ..Ranked::of(policy, Ok(Ranking { choices }))
        })
    }
}

/// The gateway, and the routes of a server that embeds it.
pub(crate) fn build() -> anyhow::Result<(Embedded, Router)> {
    let mut settings = Settings::default();
    settings.limits.managers_per_user = 5;
    let embedded = Builder::new(Chat::default())
        .settings(settings)
        .ranker(Arc::new(QuietFirst))
        .build()?;
    let routes = Router::new()
        .route("/chat/{room}", get(chat))
        .route("/keep/{room}", post(keep))
        .route("/held", get(held))
        .with_state(embedded.clone());
    Ok((embedded, routes))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (embedded, routes) = build()?;
    embedded.start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let url = "ws://127.0.0.1:3000/chat/general";
    eprintln!("Open three terminals; what one says all three hear:");
    for user in ["ann", "ann", "bob"] {
        eprintln!("  npx wscat -c {url} -H 'Authorization: Bearer {user}'");
    }
    eprintln!("What ends ann's manager: /leave");
    eprintln!("Managers that are held: curl http://127.0.0.1:3000/held");
    eprintln!("Pin ann's room for ten minutes:");
    eprintln!("  curl -X POST -H 'Authorization: Bearer ann' http://127.0.0.1:3000/keep/general");
    // With the address of each client: the gateway's rates are by client.
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, routes)
        .with_graceful_shutdown(async {
            // Whatever goes wrong with the signal, the server stops rather than hangs.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    embedded.stop().await;
    Ok(())
}
