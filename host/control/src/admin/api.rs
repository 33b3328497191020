//! The routes.

use std::sync::Arc;

use axum::{Router, middleware};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::decisions::AskTurns;
use super::hosts::Hosts;
use super::node::NodeIdentity;
use super::notes::Notes;
use super::routes::Routes;
use super::settings::ShownSettings;
use super::token::Access;
use crate::experiment::{Experiments, Shadows};
use crate::history::NodeHistory;
use crate::levers::Levers;
use crate::levers::everywhere::Everywhere;
use crate::quality::Quality;
use crate::rollout::Rollout;
use crate::sharing::Sharing;
use crate::why::Memory;
use wastegate::admission::Admission;
use wastegate::cleanup::Cleaner;
use wastegate::gateway::Gateway;
use wastegate::health;
use wastegate::observe::metrics::MetricsRegistry;
use wastegate::registry::Registry;
use wastegate::tasks::{Supervisor, Tasks};
use wastegate_core::types::Clock;

/// What the API shows and may change.
pub struct Admin {
    /// All managers of the node.
    pub registry: Arc<Registry>,
    /// Who was let in.
    pub admission: Arc<Admission>,
    /// The cleanup, whose state the stats show.
    pub cleaner: Arc<Cleaner>,
    /// How verdicts are made.
    pub health: health::Config,
    /// Where moments come from.
    pub clock: Clock,
    /// What came of evictions and admissions.
    pub quality: Arc<Quality>,
    /// What happened to users lately.
    pub why: Arc<Memory>,
    /// The node over the last day.
    pub history: Arc<NodeHistory>,
    /// The registry that `/metrics` writes out.
    pub metrics: MetricsRegistry,
    /// Which policies are active.
    pub rollout: Arc<Rollout>,
    /// What is compared on users.
    pub experiments: Arc<Experiments>,
    /// Shadows: policies that rank beside the active one.
    pub shadows: Arc<Shadows>,
    /// Restarts background workers, and knows which of them is down.
    pub supervisor: Supervisor,
    /// Cancelled as soon as the server begins to stop, before its connections end.
    pub leaving: CancellationToken,
    /// What runs for it.
    pub tasks: Tasks,
    /// What operators set for single users.
    pub levers: Arc<Levers>,
    /// The gateway that clients and backends connect to.
    pub gateway: Arc<Gateway>,
    /// How requests of operators are authorised.
    pub access: Access,
    /// What requests may be for.
    pub hosts: Hosts,
    /// Lines about who is turned away.
    pub notes: Notes,
    /// The turns of questions to policies that decide nothing.
    pub asking: AskTurns,
    /// The places of streams of events.
    pub streams: Arc<Semaphore>,
    /// The settings that run.
    pub settings: Arc<ShownSettings>,
    /// What ranks on all nodes of the cluster; none where this node is in none.
    pub sharing: Option<Arc<Sharing>>,
    /// What operators set on all nodes of the cluster; none where this node is in none.
    pub everywhere: Option<Arc<Everywhere>>,
    /// What tells this node from others.
    pub node: Arc<NodeIdentity>,
}

impl Admin {
    /// The time, ms since the Unix epoch.
    pub(super) fn unix_ms(&self) -> u64 {
        self.clock.unix_ms(self.clock.now())
    }

    /// Whether the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.leaving.is_cancelled() || self.tasks.stopping().is_cancelled()
    }

    /// Whether no new connections are wanted: the server stops, or an operator drains it.
    pub(super) fn is_draining(&self) -> bool {
        self.is_stopping() || self.registry.is_drained()
    }
}

/// Every route, with a sentence each.
pub(super) fn routes() -> Routes {
    super::managers::routes()
        .merge(super::routes::routes())
        .merge(super::probes::routes())
        .merge(super::node::routes())
        .merge(super::node_levers::routes())
        .merge(super::quality::routes())
        .merge(super::limits::routes())
        .merge(super::console::routes())
        .merge(super::status::routes())
        .merge(super::why::routes())
        .merge(super::decisions::routes())
        .merge(super::session::routes())
        .merge(super::settings::routes())
        .merge(super::history::routes())
        .merge(super::events::routes())
        .merge(super::users::routes())
        .merge(super::revocations::routes())
        .merge(super::policies::routes())
        .merge(super::experiments::routes())
        .merge(super::shadows::routes())
        .merge(super::shared::routes())
}

/// The routes over it.
pub fn router(admin: Arc<Admin>) -> Router {
    routes()
        .router()
        .layer(middleware::from_fn_with_state(
            admin.clone(),
            super::token::check,
        ))
        // Outside of it, so that a foreign page does not even hear whether there is a token.
        .layer(middleware::from_fn_with_state(
            admin.clone(),
            super::hosts::check,
        ))
        .with_state(admin)
}

/// The body of a call that needs no details: an empty object.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoDetails {}
