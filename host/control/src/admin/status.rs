//! Is it well: `GET /v1/status`, one screen of what an operator looks at first.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::Admin;
use super::clustered::ClusterDto;
use super::openapi::Page;
use super::routes::Routes;
use super::stats::Stats;
use crate::levers::LeverTerms;
use wastegate::cluster::ClusterView;
use wastegate::gateway::upstream::BackendView;
use wastegate_core::types::{RevisionId, chain};

/// Users that are named, the fullest first.
const FULLEST: usize = 5;
/// The share of descriptors, and of the node's managers, from which on it is a problem.
const NEARLY_FULL: f64 = 0.9;

/// The first look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusView {
    /// Nothing is wrong: [`problems`](Self::problems) is empty.
    pub well: bool,
    /// What is wrong, a sentence each, the worst first.
    pub problems: Vec<String>,
    /// Whether the server stops: no new connections are wanted.
    #[serde(default)]
    pub draining: bool,
    /// The node's name (`server.node`).
    #[serde(default)]
    pub node: String,
    /// The program's version.
    #[serde(default)]
    pub version: String,
    /// For how long it has run, ms.
    #[serde(default)]
    pub uptime_ms: u64,
    /// Managers that are held.
    pub managers: u32,
    /// How many managers the node may hold.
    pub managers_limit: u32,
    /// Users who hold one.
    pub users: usize,
    /// How many connections are attached to managers.
    pub connections: u32,
    /// How many connections the node may have; 0 where the server does not say.
    #[serde(default)]
    pub connections_limit: usize,
    /// Users under pressure, by the level that they reached.
    #[serde(default)]
    pub pressed: BTreeMap<String, u64>,
    /// Clients that wait for a slot.
    pub queued: usize,
    /// Admissions refused at a limit since the start.
    pub refused: u64,
    /// Managers by health.
    pub health: BTreeMap<String, u32>,
    /// Who ranks now, one name for each answer that a tier gets; the built-in ranking as `built-in`.
    pub ranked_by: Vec<String>,
    /// The fullest users.
    pub fullest: Vec<FullUser>,
    /// The cluster that the node is in; null where it is in none.
    #[serde(default)]
    pub cluster: Option<ClusterDto>,
    /// Every backend with its state; empty where there is none.
    pub backends: Vec<BackendStatus>,
    /// Resident memory, bytes; null where the system does not tell.
    pub rss_bytes: Option<u64>,
    /// Memory from which on the node is under pressure, bytes; 0 for no limit.
    #[serde(default)]
    pub memory_bytes_limit: u64,
    /// Descriptors that are open; null where the system does not tell.
    pub open_fds: Option<u64>,
    /// Descriptors that may be open; null where the system does not tell.
    pub open_fds_limit: Option<u64>,
}

/// One of the fullest users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FullUser {
    /// Who.
    pub user: String,
    /// Managers that are held.
    pub managers: u32,
    /// Managers that may be held, without temporary slots.
    pub limit: u32,
    /// Temporary slots that it has now beside them.
    #[serde(default)]
    pub lent: u32,
    /// The user's pressure level.
    pub pressure: String,
}

/// One backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackendStatus {
    /// Its address as it is configured.
    pub url: String,
    /// `unknown`, `up`, `away` or `trying`.
    pub state: String,
    /// Connections that it has of ours.
    pub connections: u32,
}

/// The routes of the first look.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Server).get(
        "/v1/status",
        "Whether the server is well, how full it is, and what is wrong.",
        status,
    )
}

async fn status(State(admin): State<Arc<Admin>>) -> Json<StatusView> {
    Json(StatusView::read(&admin))
}

impl StatusView {
    fn read(admin: &Admin) -> Self {
        let stats = Stats::read(
            &admin.registry,
            &admin.admission,
            &admin.cleaner,
            &admin.health,
            admin.clock.now(),
        );
        let upstreams = admin.gateway.upstreams();
        let problems = problems(admin, &stats, &upstreams);
        let fullest = stats.per_user.iter().map(|(user, stats)| FullUser {
            user: user.clone(),
            managers: stats.managers,
            limit: stats.limit,
            lent: stats.lent,
            pressure: stats.pressure.to_owned(),
        });
        let mut fullest: Vec<FullUser> = fullest.collect();
        let fill = |user: &FullUser| f64::from(user.managers) / f64::from(user.limit.max(1));
        fullest.sort_by(|a, b| fill(b).total_cmp(&fill(a)));
        fullest.truncate(FULLEST);
        let health = stats.health.iter();
        Self {
            well: problems.is_empty(),
            problems,
            draining: admin.is_draining(),
            node: admin.node.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_ms: admin.node.uptime_ms(admin.clock.now()),
            managers: stats.managers,
            managers_limit: stats.limits.managers_total,
            users: stats.users,
            connections: stats.connections,
            connections_limit: stats.limits.connections_total,
            pressed: pressed(admin),
            queued: stats.queued,
            refused: stats.limit_hits,
            health: health
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
            ranked_by: ranked_by(admin),
            fullest,
            cluster: ClusterDto::read(admin),
            backends: upstreams.iter().map(BackendStatus::of).collect(),
            rss_bytes: stats.process.rss_bytes,
            memory_bytes_limit: stats.node.memory_bytes_limit,
            open_fds: stats.process.open_fds,
            open_fds_limit: stats.limits.open_fds,
        }
    }
}

impl BackendStatus {
    fn of(view: &BackendView) -> Self {
        Self {
            url: view.url.clone(),
            state: view.state.to_owned(),
            connections: view.connections,
        }
    }
}

/// How many users are at each level of pressure; levels without one are left out.
fn pressed(admin: &Admin) -> BTreeMap<String, u64> {
    let counts = admin.cleaner.pressure().counts().into_iter();
    let some = counts.filter(|(_, count)| *count > 0);
    some.map(|(level, count)| (level.name().to_owned(), count))
        .collect()
}

/// Who ranks, each named once.
fn ranked_by(admin: &Admin) -> Vec<String> {
    let status = admin.rollout.status();
    let named = |id: RevisionId| {
        let mut policies = status.policies.iter();
        let of = policies.find(|policy| {
            let mut revisions = policy.revisions.iter();
            revisions.any(|view| view.revision.id == id)
        });
        of.map_or_else(|| id.to_string(), |policy| format!("{} {id}", policy.name))
    };
    let mut names: Vec<String> = Vec::new();
    for seat in &status.seats {
        let name = seat.answering.map_or_else(|| "built-in".to_owned(), named);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What is wrong with the cluster, as far as this node knows.
fn cluster_problems(view: &ClusterView) -> Vec<String> {
    let mut problems = Vec::new();
    if !view.engine_up {
        let why = Some(view.engine_problem.as_str()).filter(|why| !why.is_empty());
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        problems.push(format!(
            "the cluster's engine does not answer{why}: `cluster.away` decides about new managers"
        ));
    }
    let strangers = view.nodes.iter().filter(|node| node.other_secret);
    let strangers: Vec<&str> = strangers.map(|node| node.name.as_str()).collect();
    if !strangers.is_empty() {
        problems.push(format!(
            "another `cluster.secret` than here is set on {}: users are counted apart there; give all nodes the same",
            strangers.join(", ")
        ));
    }
    problems
}

/// What is wrong, the worst first.
fn problems(admin: &Admin, stats: &Stats, upstreams: &[BackendView]) -> Vec<String> {
    let mut problems = Vec::new();
    let down = admin.supervisor.down();
    if !down.is_empty() {
        problems.push(format!(
            "background work does not run: {}; the log says why",
            down.join(", ")
        ));
    }
    if admin.is_stopping() {
        problems.push("the server stops: it takes no new connections".to_owned());
    }
    if let Some(LeverTerms { by, reason, .. }) = admin.levers.all().drain() {
        problems.push(format!(
            "{by} drains the node, so it takes no new connections: {reason}"
        ));
    }
    if let Some(cluster) = admin.cleaner.cluster() {
        problems.extend(cluster_problems(&cluster.view()));
    }
    if let Some(problem) = admin.everywhere.as_ref().and_then(|it| it.problem()) {
        problems.push(chain(&problem));
    }
    if !admin.gateway.has_backend() {
        problems.push("no backend is there: new clients are answered 502".to_owned());
    } else {
        for away in upstreams.iter().filter(|view| view.up == Some(false)) {
            let error = away.last_error.as_deref().unwrap_or("it does not answer");
            problems.push(format!("the backend {} is away: {error}", away.url));
        }
    }
    let share =
        |used: Option<u64>, limit: Option<u64>| used.zip(limit).filter(|(_, limit)| *limit > 0);
    if let Some((used, limit)) = share(stats.process.open_fds, stats.limits.open_fds)
        && is_nearly(used, limit)
    {
        problems.push(format!("{used} of {limit} descriptors are open"));
    }
    let (held, limit) = (stats.managers, stats.limits.managers_total);
    if limit > 0 && is_nearly(held.into(), limit.into()) {
        problems.push(format!("the node holds {held} of {limit} managers"));
    }
    if let Some(awaits) = admin.rollout.awaits() {
        let place = super::policies::views::in_its_place(&awaits);
        problems.push(format!(
            "the configured policy is not there yet: {place} ranks in its place"
        ));
    }
    problems
}

#[expect(
    clippy::cast_precision_loss,
    reason = "descriptors and managers are far below 2^53"
)]
fn is_nearly(used: u64, limit: u64) -> bool {
    used as f64 >= limit as f64 * NEARLY_FULL
}
