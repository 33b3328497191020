//! Operators' API: metrics, health, statistics, pins. Its own listener, its own shapes.
//!
//! Reading changes nothing. What changes something takes a JSON body, which no page of another
//! origin can send without being asked first. A request is for a host of ours (`hosts`), then it shows
//! that it may ask (`token`, `kept`), and only then it is answered. Who may hold a connection is for
//! `desks` to say.

mod api;
pub mod body;
mod clustered;
mod config;
mod console;
mod decisions;
mod events;
mod experiments;
mod history;
mod hosts;
pub mod kept;
mod limits;
mod listener;
mod managers;
mod node;
pub mod node_levers;
mod notes;
mod openapi;
mod places;
pub mod policies;
mod probes;
mod quality;
mod reach;
pub mod revocations;
pub mod roles;
mod routes;
mod session;
mod settings;
mod shadows;
mod shared;
mod stats;
mod status;
mod token;
pub mod users;
mod why;

use self::policies::refusal::Refusal;

pub use api::{Admin, router};
pub use clustered::{ClusterDto, ClusterNodeDto, GoneNodeDto};
pub use config::Config;
pub use decisions::AskTurns;
pub use events::STREAMS_MAX;
pub use history::HistoryView;
pub use hosts::Hosts;
pub use limits::{LimitList, LimitView, when_reached};
pub use listener::{AdminListenerContext, serve};
pub use node::{BackendList, NodeIdentity, NodeList, NodePolicy, NodeView, RoutedBackend};
pub use notes::Notes;
pub use probes::{HealthView, ReadyView};
pub use reach::LeverReach;
pub use routes::{RouteDto, RouteList};
pub use settings::{SettingDto, SettingsView, ShownSettings};
pub use shared::{SharedDto, SharedPoliciesDto};
pub use stats::{NodeStats, Stats, UserStats};
pub use status::{BackendStatus, FullUser, StatusView};
pub use token::{Access, NO_TOKEN};

/// Runs blocking work on a thread for it.
async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Refusal>
where
    T: Send + 'static,
    E: Into<Refusal> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(E::into),
        Err(_) => Err(Refusal::interrupted()),
    }
}
