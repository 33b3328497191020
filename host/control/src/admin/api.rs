//! The routes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::blocking;
use super::decisions::AskTurns;
use super::hosts::Hosts;
use super::notes::Notes;
use super::policies::extract::{By, Details, InPath};
use super::policies::refusal::Refusal;
use super::policies::views::in_its_place;
use super::routes::Routes;
use super::settings::ShownSettings;
use super::stats::Stats;
use super::token::Access;
use super::users::order;
use crate::experiment::{Experiments, Shadows};
use crate::history::NodeHistory;
use crate::levers::Levers;
use crate::quality::Quality;
use crate::rollout::Rollout;
use crate::why::Memory;
use wastegate::admission::Admission;
use wastegate::cleanup::Cleaner;
use wastegate::gateway::upstream::BackendView;
use wastegate::gateway::{Gateway, WithoutBackend};
use wastegate::health;
use wastegate::manager::Manager;
use wastegate::observe::Exposition;
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
}

impl Admin {
    /// The time, ms since the Unix epoch.
    pub(super) fn unix_ms(&self) -> u64 {
        self.clock.unix_ms(self.clock.now())
    }
}

/// Every route, with a sentence each.
fn routes() -> Routes {
    Routes::default()
        .get("/metrics", "Metrics for Prometheus.", metrics)
        .get("/healthz", "Whether every background worker runs.", healthz)
        .get("/readyz", "Whether new connections are wanted.", readyz)
        .get("/v1/stats", "The node at this moment.", stats)
        .get(
            "/v1/quality",
            "What came of evictions and admissions since the start.",
            quality,
        )
        .post(
            "/v1/users/{user}/managers/{key}/pin",
            "Let nothing evict a manager for a time.",
            pin,
        )
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
        .put(
            "/v1/users/{user}/managers/{key}/in-flight",
            "Report work under way for a manager.",
            in_flight,
        )
        .get("/v1/upstreams", "The backends of every route.", upstreams)
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

/// In the format that the scraper asks for.
async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter();
    let exposition = Exposition::wanted(accept.filter_map(|value| value.to_str().ok()));
    (
        [(header::CONTENT_TYPE, exposition.content_type())],
        admin.metrics.encode(exposition),
    )
        .into_response()
}

/// 200 while every background worker runs, 503 with the names of those that do not. Backends that are
/// away make it degraded, and still 200: a restart of this process would bring none of them back.
async fn healthz(State(admin): State<Arc<Admin>>) -> Response {
    let down = admin.supervisor.down();
    let status = if down.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let upstreams = admin.gateway.upstreams();
    let away = upstreams.iter().filter(|it| it.up == Some(false)).count();
    let body = json!({
        "ok": down.is_empty(),
        "degraded": away > 0,
        "upstreams_away": away,
        "workers_down": down,
        "worker_restarts": admin.supervisor.restarts(),
    });
    (status, Json(body)).into_response()
}

/// 200 while new connections are wanted, 503 once the server is about to stop, and while no backend is
/// there unless `gateway.readyz_without_backend` passes that; with how many managers there are, so that
/// a stop can be watched, and with what is active for want of the configured policy. Being without that
/// is no reason to send clients elsewhere: every promise is kept by any ranking.
async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let backend = admin.gateway.has_backend();
    let passes = admin.gateway.config().readyz_without_backend == WithoutBackend::Pass;
    let stays = !admin.leaving.is_cancelled() && !admin.tasks.stopping().is_cancelled();
    let ready = stays && (backend || passes);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let managers = admin.registry.total();
    let awaits = admin.rollout.awaits();
    let policy = awaits.as_ref().map_or("configured", in_its_place);
    let body = json!({
        "ready": ready,
        "managers": managers,
        "backend": backend,
        "policy": policy,
        "policy_awaited": awaits.is_some(),
    });
    (status, Json(body)).into_response()
}

async fn stats(State(admin): State<Arc<Admin>>) -> Json<Stats> {
    let Admin {
        registry,
        admission,
        cleaner,
        health,
        clock,
        ..
    } = &*admin;
    Json(Stats::read(
        registry,
        admission,
        cleaner,
        health,
        clock.now(),
    ))
}

/// What came of evictions and admissions since the start, with the definitions.
async fn quality(State(admin): State<Arc<Admin>>) -> Response {
    let report = admin.quality.report(admin.clock.now());
    let definitions = crate::quality::report::definitions();
    Json(json!({ "definitions": definitions, "since_start": report })).into_response()
}

/// The body of a pin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PinRequest {
    /// How long it lasts, ms.
    for_ms: u64,
}

/// The body of a call that needs no details: an empty object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoDetails {}

async fn pin(
    State(admin): State<Arc<Admin>>,
    Held(manager): Held,
    Details(request): Details<PinRequest>,
) -> Result<Json<Value>, Refusal> {
    let lasting = Duration::from_millis(request.for_ms);
    let pinned = admin.registry.pin(&manager.user, &manager.key, lasting);
    pinned.map_err(|error| Refusal::new(StatusCode::CONFLICT, "not-pinned", error.to_string()))?;
    Ok(Json(json!({ "pinned": true })))
}

/// The body of a word about work.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InFlightRequest {
    /// Units of work under way; 0 when it is done.
    units: u32,
}

/// A backend says how much it does for a manager: one with work in flight is evicted after the idle.
async fn in_flight(Held(manager): Held, Details(request): Details<InFlightRequest>) -> Json<Value> {
    manager.set_in_flight(request.units);
    Json(json!({ "units": request.units }))
}

/// A backend with the route that leads to it.
#[derive(Serialize)]
struct RoutedView {
    /// Where the route listens.
    route: String,
    #[serde(flatten)]
    backend: BackendView,
}

/// The backends of every route, as they are.
async fn upstreams(State(admin): State<Arc<Admin>>) -> Response {
    let views = admin.gateway.routed_upstreams().into_iter();
    let views: Vec<_> = views
        .map(|(route, backend)| RoutedView { route, backend })
        .collect();
    Json(json!({ "upstreams": views })).into_response()
}

async fn unpin(Held(manager): Held, Details(_): Details<NoDetails>) -> Json<Value> {
    manager.unpin();
    Json(json!({ "pinned": false }))
}

/// The body of an eviction.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvictRequest {
    /// Why. An operator says so; a backend whose evictions are its daily work need not, and then they are
    /// not in the audit log.
    #[serde(default)]
    reason: String,
}

async fn evict(
    State(admin): State<Arc<Admin>>,
    Held(manager): Held,
    By(by): By,
    Details(EvictRequest { reason }): Details<EvictRequest>,
) -> Result<Json<Value>, Refusal> {
    let evicted = if reason.is_empty() {
        manager.evict(EvictionCause::Requested)
    } else {
        let (levers, order) = (admin.levers.clone(), order(by, reason, None));
        blocking(move || levers.evict_one(&manager, order)).await?
    };
    Ok(Json(json!({ "evicted": evicted })))
}

/// The manager that a path names.
struct Held(Arc<Manager>);

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

#[cfg(test)]
mod tests {
    use super::*;

    /// A sentence each, and none twice. That all are there needs no test: the list builds the router.
    #[test]
    fn every_route_has_a_sentence() {
        let routes = routes();
        let list = routes.list();
        assert!(list.len() > 40, "{}", list.len());
        for (at, route) in list.iter().enumerate() {
            let about = &route.about;
            assert!(about.ends_with('.') && about.len() > 8, "{route:?}");
            let same = |other: &&super::super::routes::RouteDto| {
                (&other.method, &other.path) == (&route.method, &route.path)
            };
            assert!(
                !list.iter().skip(at + 1).any(|other| same(&other)),
                "{route:?}"
            );
        }
    }
}
