//! The routes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router, middleware};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::blocking;
use super::hosts::Hosts;
use super::notes::Notes;
use super::policies::extract::By;
use super::policies::views::in_its_place;
use super::stats::Stats;
use super::token::Access;
use super::users::order;
use crate::experiment::{Experiments, Shadows};
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
use wastegate::observe::metrics::{CONTENT_TYPE, MetricsRegistry};
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
}

/// The routes over it.
pub fn router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/v1/stats", get(stats))
        .route("/v1/quality", get(quality))
        .route(
            "/v1/users/{user}/managers/{key}/pin",
            post(pin).delete(unpin),
        )
        .route("/v1/users/{user}/managers/{key}/evict", post(evict))
        .route("/v1/users/{user}/managers/{key}/in-flight", put(in_flight))
        .route("/v1/upstreams", get(upstreams))
        .merge(super::status::routes())
        .merge(super::why::routes())
        .merge(super::users::routes())
        .merge(super::policies::routes())
        .merge(super::experiments::routes())
        .merge(super::shadows::routes())
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

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    (
        [(header::CONTENT_TYPE, CONTENT_TYPE)],
        admin.metrics.encode(),
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
    Path((user, key)): Path<(String, String)>,
    Json(request): Json<PinRequest>,
) -> Response {
    let Some(manager) = admin.find(&user, &key) else {
        return not_found("no such manager");
    };
    let lasting = Duration::from_millis(request.for_ms);
    match admin.registry.pin(&manager.user, &manager.key, lasting) {
        Ok(()) => Json(json!({ "pinned": true })).into_response(),
        Err(error) => {
            let body = json!({ "error": "not-pinned", "message": error.to_string() });
            (StatusCode::CONFLICT, Json(body)).into_response()
        }
    }
}

/// The body of a word about work.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InFlightRequest {
    /// Units of work under way; 0 when it is done.
    units: u32,
}

/// A backend says how much it does for a manager: one with work in flight is evicted after the idle.
async fn in_flight(
    State(admin): State<Arc<Admin>>,
    Path((user, key)): Path<(String, String)>,
    Json(request): Json<InFlightRequest>,
) -> Response {
    let Some(manager) = admin.find(&user, &key) else {
        return not_found("no such manager");
    };
    manager.set_in_flight(request.units);
    Json(json!({ "units": request.units })).into_response()
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

async fn unpin(
    State(admin): State<Arc<Admin>>,
    Path((user, key)): Path<(String, String)>,
    Json(_): Json<NoDetails>,
) -> Response {
    let Some(manager) = admin.find(&user, &key) else {
        return not_found("no such manager");
    };
    manager.unpin();
    Json(json!({ "pinned": false })).into_response()
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
    Path((user, key)): Path<(String, String)>,
    By(by): By,
    Json(EvictRequest { reason }): Json<EvictRequest>,
) -> Response {
    let Some(manager) = admin.find(&user, &key) else {
        return not_found("no such manager");
    };
    let evicted = if reason.is_empty() {
        Ok(manager.evict(EvictionCause::Requested))
    } else {
        let (levers, order) = (admin.levers.clone(), order(by, reason, None));
        blocking(move || levers.evict_one(&manager, order)).await
    };
    evicted
        .map(|evicted| Json(json!({ "evicted": evicted })))
        .into_response()
}

impl Admin {
    /// The manager that a path names; none if there is none, or no manager could have that name.
    fn find(&self, user: &str, key: &str) -> Option<Arc<Manager>> {
        let (user, key) = (UserId::new(user).ok()?, ManagerKey::held(key).ok()?);
        self.registry.get(&user, &key)
    }
}

fn not_found(message: &str) -> Response {
    (
        StatusCode::NOT_FOUND,
        Json(json!({ "error": "not-found", "message": message })),
    )
        .into_response()
}
