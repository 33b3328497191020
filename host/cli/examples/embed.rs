//! The gateway inside an axum server of your own: your routes, your application, your idea of who
//! a client is, and nobody is ever locked out.
//!
//! Run it with `cargo run --example embed`; it prints what to try. A manager is what one user holds
//! of one room, so the limit is the number of rooms that a user has open; the room itself is the
//! application's.

#![allow(clippy::print_stderr, reason = "an example for people at a terminal")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::request::Parts;
use axum::routing::get;
use axum::{Json, Router};
use wastegate::gateway::{Identified, Identify, Identity, Unidentified};
use wastegate::manager::{Application, BoxFuture, End, Manager, Message, Peer};
use wastegate_cli::app::Core;
use wastegate_cli::config::Config;
use wastegate_core::types::{DeviceId, ManagerId, ManagerKey, UserId};

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

    fn ended(&self, manager: &Arc<Manager>, end: End) {
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

/// The gateway, and the routes of a server that embeds it.
pub(crate) async fn build() -> anyhow::Result<(Core, Router)> {
    let mut config = Config::default();
    config.limits.managers_per_user = 5;
    let core = Core::build(config, Arc::new(Chat::default()), Arc::new(Tokens)).await?;
    let (gateway, registry) = (core.gateway().clone(), core.registry().clone());
    let routes = Router::new()
        .route(
            "/chat/{room}",
            get(move |request| gateway.clone().upgrade(request)),
        )
        .route("/held", get(move || async move { Json(registry.total()) }));
    Ok((core, routes))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (core, routes) = build().await?;
    core.start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let url = "ws://127.0.0.1:3000/chat/general";
    eprintln!("Open three terminals; what one says all three hear:");
    for user in ["ann", "ann", "bob"] {
        eprintln!("  npx wscat -c {url} -H 'Authorization: Bearer {user}'");
    }
    eprintln!("Managers that are held: curl http://127.0.0.1:3000/held");
    axum::serve(listener, routes)
        .with_graceful_shutdown(async {
            // Whatever goes wrong with the signal, the server stops rather than hangs.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    core.stop().await;
    Ok(())
}
