//! The routes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::{Json, Router, middleware};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::blocking;
use super::decisions::AskTurns;
use super::hosts::Hosts;
use super::node::NodeIdentity;
use super::notes::Notes;
use super::openapi::{Operation, OperationInput, Page, Schemas};
use super::policies::extract::{By, Details, InPath};
use super::policies::refusal::Refusal;
use super::routes::Routes;
use super::settings::ShownSettings;
use super::token::Access;
use super::users::order;
use crate::experiment::{Experiments, Shadows};
use crate::history::NodeHistory;
use crate::levers::{Levers, REASON_BYTES_MAX};
use crate::quality::Quality;
use crate::rollout::Rollout;
use crate::why::Memory;
use wastegate::admission::Admission;
use wastegate::cleanup::Cleaner;
use wastegate::gateway::Gateway;
use wastegate::health;
use wastegate::manager::Manager;
use wastegate::observe::metrics::MetricsRegistry;
use wastegate::registry::Registry;
use wastegate::tasks::{Supervisor, Tasks};
use wastegate_core::types::{Clock, EvictionCause, ManagerKey, UserId};

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
    /// What tells this node from others.
    pub node: Arc<NodeIdentity>,
}

impl Admin {
    /// The time, ms since the Unix epoch.
    pub(super) fn unix_ms(&self) -> u64 {
        self.clock.unix_ms(self.clock.now())
    }

    /// Whether the server stops: no new connections are wanted.
    pub(super) fn is_draining(&self) -> bool {
        self.leaving.is_cancelled() || self.tasks.stopping().is_cancelled()
    }
}

/// Every route, with a sentence each.
pub(super) fn routes() -> Routes {
    managers()
        .merge(super::routes::routes())
        .merge(super::probes::routes())
        .merge(super::node::routes())
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
}

/// What is done to one manager.
fn managers() -> Routes {
    Routes::of(Page::Users)
        .post(
            "/v1/users/{user}/managers/{key}/pin",
            "Let nothing evict a manager for a time.",
            pin,
        )
        .refuses(&[StatusCode::CONFLICT])
        .delete(
            "/v1/users/{user}/managers/{key}/pin",
            "Take back a pin.",
            unpin,
        )
        .post(
            "/v1/users/{user}/managers/{key}/evict",
            "Evict one manager.",
            evict,
        )
        .refuses(super::users::LEVER_REFUSED)
        .put(
            "/v1/users/{user}/managers/{key}/in-flight",
            "Report work under way for a manager.",
            in_flight,
        )
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

/// The body of a pin.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "for_ms": 60_000 }))]
struct PinRequest {
    /// How long it lasts, ms; at most `manager.pin_max_ms`.
    for_ms: u64,
}

/// The body of a call that needs no details: an empty object.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoDetails {}

async fn pin(
    State(admin): State<Arc<Admin>>,
    Held(manager): Held,
    Details(request): Details<PinRequest>,
) -> Result<Json<PinAnswer>, Refusal> {
    let lasting = Duration::from_millis(request.for_ms);
    let pinned = admin.registry.pin(&manager.user, &manager.key, lasting);
    pinned.map_err(|error| Refusal::new(StatusCode::CONFLICT, "not-pinned", error.to_string()))?;
    Ok(Json(PinAnswer { pinned: true }))
}

/// Work under way for a manager.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "units": 1 }))]
struct InFlightWork {
    /// Units of work under way; 0 when it is done.
    units: u32,
}

/// A backend says how much it does for a manager: one with work in flight is evicted after the idle.
async fn in_flight(
    Held(manager): Held,
    Details(InFlightWork { units }): Details<InFlightWork>,
) -> Json<InFlightWork> {
    manager.set_in_flight(units);
    Json(InFlightWork { units })
}

async fn unpin(Held(manager): Held, Details(_): Details<NoDetails>) -> Json<PinAnswer> {
    manager.unpin();
    Json(PinAnswer { pinned: false })
}

/// Whether a manager is pinned.
#[derive(Serialize, JsonSchema)]
struct PinAnswer {
    /// Whether nothing may evict it now.
    pinned: bool,
}

/// What an eviction came to.
#[derive(Serialize, JsonSchema)]
struct EvictAnswer {
    /// Whether it was evicted: false where it had ended meanwhile.
    evicted: bool,
}

/// The body of an eviction.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "reason": "a stuck tab" }))]
struct EvictRequest {
    /// Why. An operator says so; a backend whose evictions are its daily work need not, and then they are
    /// not in the audit log.
    #[serde(default)]
    #[schemars(length(max = REASON_BYTES_MAX))]
    reason: String,
}

async fn evict(
    State(admin): State<Arc<Admin>>,
    Held(manager): Held,
    By(by): By,
    Details(EvictRequest { reason }): Details<EvictRequest>,
) -> Result<Json<EvictAnswer>, Refusal> {
    let evicted = if reason.is_empty() {
        manager.evict(EvictionCause::Requested)
    } else {
        let (levers, order) = (admin.levers.clone(), order(by, reason, None));
        blocking(move || levers.evict_one(&manager, order)).await?
    };
    Ok(Json(EvictAnswer { evicted }))
}

/// The manager that a path names.
struct Held(Arc<Manager>);

impl OperationInput for Held {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.refuses(&[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND]);
    }
}

impl FromRequestParts<Arc<Admin>> for Held {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Refusal> {
        let InPath((user, key)) =
            InPath::<(String, String)>::from_request_parts(parts, admin).await?;
        let named = UserId::new(&user).ok().zip(ManagerKey::held(&key).ok());
        let manager = named.and_then(|(user, key)| admin.registry.get(&user, &key));
        manager
            .map(Self)
            .ok_or_else(|| Refusal::not_found("no such manager"))
    }
}
