//! The gateway inside an axum server of your own: your routes, your application, your idea of who
//! a client is, your order of evictions, and nobody is ever locked out.
//!
//! Run it with `cargo run -p wastegate --example embed`; it prints what to try. A manager is what one user
//! holds of one room, so the limit is the number of rooms that a user has open; the room itself is the
//! application's. It shows work in flight (`begin_work`), a pin (`POST /keep/{user}/{room}`), and a ranker in
//! Rust: no WebAssembly is needed.

#![allow(clippy::print_stderr, reason = "an example for people at a terminal")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{get, post};
use axum::{Json, Router};
use wastegate::embed::{Builder, Embedded, Settings};
use wastegate::gateway::{Identified, Identify, Identity, Unidentified};
use wastegate::manager::{Application, BoxFuture, Manager, ManagerEnd, Message, Peer};
use wastegate_core::decision::{Answer, Choice, PolicyRef, Question, Ranked, Ranker, Ranking};
use wastegate_core::types::{DeviceId, ManagerId, ManagerKey, UserId};

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

    fn message<'a>(
        &'a self,
        manager: &'a Arc<Manager>,
        _from: Peer,
        message: Message,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // Work in flight protects the manager from everything but the last tier.
            let _working = manager.begin_work();
            let members: Vec<Arc<Manager>> =
                self.in_room(&manager.key, |members| members.values().cloned().collect());
            for member in members {
                member.broadcast(&message, None);
            }
        })
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

/// Takes the user from a bearer token and the room from the path.
pub(crate) struct Tokens;

impl Identify for Tokens {
    fn identify<'a>(&'a self, parts: &'a mut Parts) -> Identified<'a> {
        Box::pin(async { self.who(parts) })
    }
}

impl Tokens {
    fn who(&self, parts: &Parts) -> Result<Identity, Unidentified> {
        let header = parts
            .headers
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        // A real application verifies the token here; what comes out has to be trustworthy.
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let user =
            token.ok_or_else(|| Unidentified::Rejected("a bearer token is needed".into()))?;
        let room = parts.uri.path().rsplit('/').next().unwrap_or_default();
        // Each tab is a device of its own. One with a stable name would take over its old connection
        // when it connects again, and two tabs of that name would throw out each other.
        let (key, device) = (ManagerKey::new(room)?, DeviceId::unnamed());
        Ok(Identity {
            by_token: true,
            ..Identity::new(UserId::new(user)?, key, device)
        })
    }
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
    let embedded = Builder::new(Arc::new(Chat::default()), Arc::new(Tokens))
        .settings(settings)
        .ranker(Arc::new(QuietFirst))
        .build()?;
    let (gateway, registry) = (embedded.gateway.clone(), embedded.registry.clone());
    let pins = registry.clone();
    let keep = move |Path((user, room)): Path<(String, String)>| async move {
        let bad = |error: &dyn std::fmt::Display| (StatusCode::BAD_REQUEST, error.to_string());
        let user = UserId::new(&user).map_err(|error| bad(&error))?;
        let room = ManagerKey::new(&room).map_err(|error| bad(&error))?;
        // Nothing evicts a pinned manager, so a pin ends by itself and each user has few.
        pins.pin(&user, &room, PINNED_FOR)
            .map_err(|error| (StatusCode::CONFLICT, error.to_string()))
    };
    let routes = Router::new()
        .route(
            "/chat/{room}",
            get(move |request| gateway.clone().upgrade(request)),
        )
        .route("/keep/{user}/{room}", post(keep))
        .route("/held", get(move || async move { Json(registry.total()) }));
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
    eprintln!("Managers that are held: curl http://127.0.0.1:3000/held");
    eprintln!(
        "Pin ann's room for ten minutes: curl -X POST http://127.0.0.1:3000/keep/ann/general"
    );
    axum::serve(listener, routes)
        .with_graceful_shutdown(async {
            // Whatever goes wrong with the signal, the server stops rather than hangs.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    embedded.stop().await;
    Ok(())
}
