//! What orchestrators and Prometheus ask: `GET /healthz`, `GET /readyz` and `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::Admin;
use super::openapi::{Operation, OperationOutput, Page, ProbeAnswer, Schemas};
use super::policies::views::in_its_place;
use super::routes::Routes;
use wastegate::gateway::WithoutBackend;
use wastegate::observe::Exposition;

/// The routes of probes.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Probes)
        .get("/metrics", "Metrics for Prometheus.", metrics)
        .get("/healthz", "Whether every background worker runs.", healthz)
        .get("/readyz", "Whether new connections are wanted.", readyz)
}

/// The answer to `GET /healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthView {
    /// Whether every background worker runs.
    pub ok: bool,
    /// Whether some backend is away. A restart of this process would bring none of them back.
    pub degraded: bool,
    /// How many backends are away.
    pub upstreams_away: usize,
    /// The background workers that do not run.
    pub workers_down: Vec<String>,
    /// How often background workers were started again since the start.
    pub worker_restarts: usize,
}

/// The answer to `GET /readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadyView {
    /// Whether new connections are wanted.
    pub ready: bool,
    /// Managers held now, so that a stop can be watched.
    pub managers: u32,
    /// Whether some backend is there, or none is needed.
    pub backend: bool,
    /// What ranks: `configured`, or what is active for want of that (`built-in`, `before`).
    pub policy: String,
    /// Whether the configured policy is still awaited. It is no reason to send clients elsewhere: every promise is
    /// kept by any ranking.
    pub policy_awaited: bool,
    /// Whether the engine of the node's cluster answers: `up`, `away`, or `none` where the node is in no cluster. It is no
    /// reason to send clients elsewhere: `cluster.away` decides about them then.
    #[serde(default)]
    pub cluster: String,
}

/// Metrics in one of the formats.
struct MetricsText(Exposition, String);

impl IntoResponse for MetricsText {
    fn into_response(self) -> Response {
        let Self(exposition, text) = self;
        ([(header::CONTENT_TYPE, exposition.content_type())], text).into_response()
    }
}

impl OperationOutput for MetricsText {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let formats = [Exposition::OpenMetrics, Exposition::Text].map(|format| {
            let name = format.content_type().split(';').next().unwrap_or_default();
            (name.to_owned(), json!({ "schema": { "type": "string" } }))
        });
        let content = serde_json::Map::from_iter(formats).into();
        let about = "Metrics, in the format that the header `accept` asks for.";
        operation.answers(StatusCode::OK, about, content);
    }
}

async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> MetricsText {
    let accept = headers.get_all(header::ACCEPT).iter();
    let wanted = Exposition::wanted(accept.filter_map(|value| value.to_str().ok()));
    MetricsText(wanted, admin.metrics.encode(wanted))
}

/// 200 while every background worker runs, 503 with the names of those that do not. Backends that are
/// away make it degraded, and still 200: a restart of this process would bring none of them back.
async fn healthz(State(admin): State<Arc<Admin>>) -> ProbeAnswer<HealthView> {
    let down = admin.supervisor.down();
    let upstreams = admin.gateway.upstreams();
    let away = upstreams.iter().filter(|it| it.up == Some(false)).count();
    ProbeAnswer {
        is_yes: down.is_empty(),
        view: HealthView {
            ok: down.is_empty(),
            degraded: away > 0,
            upstreams_away: away,
            workers_down: down.iter().map(|it| (*it).to_owned()).collect(),
            worker_restarts: admin.supervisor.restarts(),
        },
    }
}

/// 200 while new connections are wanted, 503 once the server is about to stop, and while no backend is
/// there unless `gateway.readyz_without_backend` passes that.
async fn readyz(State(admin): State<Arc<Admin>>) -> ProbeAnswer<ReadyView> {
    let backend = admin.gateway.has_backend();
    let passes = admin.gateway.config().readyz_without_backend == WithoutBackend::Pass;
    let ready = !admin.is_draining() && (backend || passes);
    let awaits = admin.rollout.awaits();
    ProbeAnswer {
        is_yes: ready,
        view: ReadyView {
            ready,
            managers: admin.registry.total(),
            backend,
            policy: awaits
                .as_ref()
                .map_or("configured", in_its_place)
                .to_owned(),
            policy_awaited: awaits.is_some(),
            cluster: match admin.cleaner.cluster() {
                None => "none",
                Some(cluster) if cluster.is_away() => "away",
                Some(_) => "up",
            }
            .to_owned(),
        },
    }
}
