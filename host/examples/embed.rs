//! The gateway inside an axum server of your own: your routes, your application, your idea of who
//! a client is, and nobody is ever locked out.
//!
//! Run it with `cargo run --example embed`, then connect to
//! `ws://127.0.0.1:3000/chat/general` with the header `authorization: Bearer ann`.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::routing::get;
use axum::{Json, Router};
use wastegate::app::Core;
use wastegate::config::Config;
use wastegate::gateway::{Identified, Identify, Identity, Unidentified};
use wastegate::manager::{Application, BoxFuture, End, Manager, Message, Peer};
use wastegate::types::{DeviceId, ManagerKey, UserId};

/// A chat room per manager: every message goes to all of the room's connections.
struct Chat;

impl Application for Chat {
    fn message<'a>(
        &'a self,
        room: &'a Arc<Manager>,
        _from: Peer,
        message: Message,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // Work in flight protects the manager from everything but the last tier.
            let _working = room.begin_work();
            room.broadcast(&message, None);
        })
    }

    fn ended(&self, room: &Arc<Manager>, end: End) {
        // Evicted or left: release here what belongs to the room.
        tracing::info!(room = %room.key, reason = end.reason.name(), "room ended");
    }
}

/// Takes the user from a bearer token and the manager from the path.
struct Tokens;

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
        let (key, device) = (ManagerKey::new(room)?, DeviceId::new("web")?);
        Ok(Identity {
            by_token: true,
            ..Identity::new(UserId::new(user)?, key, device)
        })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut config = Config::default();
    config.limits.managers_per_user = 5;
    let core = Core::build(config, Arc::new(Chat), Arc::new(Tokens)).await?;
    core.start();

    let (gateway, registry) = (core.gateway().clone(), core.registry().clone());
    let app = Router::new()
        .route(
            "/chat/{room}",
            get(move |request| gateway.clone().upgrade(request)),
        )
        .route("/held", get(move || async move { Json(registry.total()) }));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async {
            // Whatever goes wrong with the signal, the server stops rather than hangs.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    core.stop().await;
    Ok(())
}
