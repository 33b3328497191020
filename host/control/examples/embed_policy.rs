//! A policy in WebAssembly as the ranker of an embedded gateway.
//!
//! `cargo run -p wastegate-control --example embed_policy -- [POLICY.wasm]` serves an echo on
//! `ws://127.0.0.1:3000/ws?user=ann&key=one`; without a file it uses the shipped policy `lru`. The third key
//! of a user makes the policy choose which of the other two goes. Routes, identities and applications of your
//! own are in `host/gateway/examples/embed.rs`; this one shows what a policy needs besides: the crate
//! `wastegate-engine`, and nothing else of this workspace.

#![allow(clippy::print_stderr, reason = "an example for people at a terminal")]

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use wastegate::cleanup::{Decided, Recorder, TierRun, UserPressure};
use wastegate::embed::{Builder, Embedded, Settings};
use wastegate::gateway::DevIdentity;
use wastegate::health::Round;
use wastegate::manager::{Application, Manager, Message, Peer};
use wastegate_core::decision::{PolicyRef, Question, Ranker, Victim};
use wastegate_core::types::{Clock, UserId};
use wastegate_engine::policy::load::Params;
use wastegate_engine::policy::{self, Catalog, Engine, Pick, PolicyRanker, Runtime, shipped};

/// Managers that a user may hold.
pub(crate) const MANAGERS: u32 = 2;

/// Sends every message to all connections of its manager.
struct Echo;

impl Application for Echo {
    async fn message(&self, manager: &Arc<Manager>, _from: Peer, message: Message) {
        manager.broadcast(&message, None);
    }
}

/// A ranker that asks the policy. The catalog can change it at any time: `activate` again.
async fn ranker(policy: Pick) -> Result<Arc<dyn Ranker>, Box<dyn Error + Send + Sync>> {
    let metrics = policy::Metrics::default();
    let engine = Engine::new(policy::Config::default(), Clock::system())?;
    let runtime = Runtime::start(engine.clone(), metrics.clone())?;
    let catalog = Arc::new(Catalog::new(engine, shipped::table(), metrics));
    // Loaded, checked and compiled beside the runtime's threads, which takes a second or so.
    catalog.activate_async(policy, Params::new()).await?;
    Ok(Arc::new(PolicyRanker::active(runtime, catalog)))
}

/// The gateway with a policy, and the routes of a server that embeds it.
pub(crate) async fn build(
    policy: Pick,
    recorder: Arc<dyn Recorder>,
) -> Result<(Embedded, Router), Box<dyn Error + Send + Sync>> {
    let mut settings = Settings::default();
    settings.limits.managers_per_user = MANAGERS;
    settings.limits.temporary_slots = 0;
    let embedded = Builder::new(Echo)
        .identify(DevIdentity::default())
        .settings(settings)
        .ranker(ranker(policy).await?)
        .recorder(recorder)
        .build()?;
    let routes = Router::new().route_service("/ws", embedded.gateway.service());
    Ok((embedded, routes))
}

/// Prints a line for each eviction.
struct Printer;

impl Recorder for Printer {
    fn tier_ran(&self, _: Option<&UserId>, _: &TierRun, _: Option<Round>) {}

    fn evicted(&self, question: &Question, victim: &Victim, by: &PolicyRef) {
        let (tier, key) = (question.tier, &victim.key);
        eprintln!(
            "{key} of {} is evicted at {tier}, chosen by {}",
            victim.user, by.name
        );
    }

    fn decided(&self, _: Decided) {}

    fn pressure_changed(&self, _: &UserPressure) {}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let policy = match std::env::args_os().nth(1) {
        Some(file) => Pick::Bytes(std::fs::read(file)?.into()),
        None => Pick::Shipped("lru".to_owned()),
    };
    let (embedded, routes) = build(policy, Arc::new(Printer)).await?;
    embedded.start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let routes = routes.into_make_service_with_connect_info::<std::net::SocketAddr>();
    for key in ["one", "two", "three"] {
        eprintln!("npx wscat -c 'ws://127.0.0.1:3000/ws?user=ann&key={key}'");
    }
    axum::serve(listener, routes)
        .with_graceful_shutdown(async {
            // Whatever goes wrong with the signal, the server stops rather than hangs.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    embedded.stop().await;
    Ok(())
}
