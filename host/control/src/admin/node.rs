//! The node at this moment: its statistics, its backends, and what tells it from other nodes.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::Admin;
use super::clustered::ClusterDto;
use super::openapi::Page;
use super::routes::Routes;
use super::stats::Stats;
use crate::levers::{Disconnecting, LeverTerms};
use wastegate::gateway::upstream::BackendView;
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{RevisionId, Tier, Timestamp};

/// What is known of the node from its start on.
#[derive(Debug)]
pub struct NodeIdentity {
    name: String,
    since: Timestamp,
    address: OnceLock<SocketAddr>,
}

impl NodeIdentity {
    /// Of a node of that name (`server.node`) that starts now.
    #[must_use]
    pub const fn new(name: String, now: Timestamp) -> Self {
        Self {
            name,
            since: now,
            address: OnceLock::new(),
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// For how long it has run, ms.
    pub(super) fn uptime_ms(&self, now: Timestamp) -> u64 {
        whole_ms(now.since(self.since))
    }

    /// Clients connect there. The first address stays.
    pub fn listens(&self, address: SocketAddr) {
        self.address.get_or_init(|| address);
    }
}

/// The answer to `GET /v1/nodes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeList {
    /// This node.
    pub nodes: Vec<NodeView>,
    /// The cluster that it is in, with all its nodes; null where it is in none.
    #[serde(default)]
    pub cluster: Option<ClusterDto>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeView {
    /// Its name (`server.node`).
    pub name: String,
    /// The program's version.
    pub version: String,
    /// For how long it has run, ms.
    pub uptime_ms: u64,
    /// Where clients connect; null where the gateway is part of another server.
    pub address: Option<String>,
    /// Who answers at each tier.
    pub policies: Vec<NodePolicy>,
    /// Managers held now.
    pub managers: u32,
    /// Users who hold one.
    pub users: usize,
    /// Whether no new connections are wanted: the node stops, or an operator drains it.
    pub draining: bool,
    /// Who drains it, why, and until when; null if nobody does.
    pub drain: Option<LeverTerms>,
    /// Connections that an operator has closed, so many a second; null if there are none left.
    pub disconnecting: Option<Disconnecting>,
}

/// Who answers at a tier, by what is the same on every node that runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodePolicy {
    /// The tier of cleanup.
    pub tier: Tier,
    /// The policy's name; `built-in` for the built-in ranking.
    pub policy: String,
    /// Its revision on this node; null for the built-in ranking.
    pub revision: Option<RevisionId>,
    /// SHA-256 of its bytes, in hex; null for the built-in ranking.
    pub digest: Option<String>,
}

/// The answer to `GET /v1/upstreams`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackendList {
    /// The backends of every route; empty where there are none.
    pub upstreams: Vec<RoutedBackend>,
}

/// A backend with the route that leads to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoutedBackend {
    /// Where the route listens.
    pub route: String,
    /// Its address as it is configured.
    pub url: String,
    /// Whether upgrades succeed; null before the first was tried.
    pub up: Option<bool>,
    /// `unknown` before the first upgrade, `up`, `away` after a failure, `trying` while one client finds out.
    pub state: String,
    /// For how long it has been in that state, ms.
    pub since_ms: u64,
    /// Whether its port took a TCP connection when it was last tried; null if it was not.
    pub reached: Option<bool>,
    /// Connections that it has of ours.
    pub connections: u32,
    /// Failures in a row.
    pub failures: u32,
    /// The last of them, in words.
    pub last_error: Option<String>,
    /// How long ago that was, ms.
    pub last_failure_ms: Option<u64>,
    /// How long ago an upgrade succeeded, ms.
    pub last_success_ms: Option<u64>,
    /// In how long a client is let through again, ms.
    pub retry_in_ms: Option<u64>,
}

/// The routes about the node.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Server)
        .get("/v1/stats", "The node at this moment.", stats)
        .get(
            "/v1/nodes",
            "This node with its version and policies, and the nodes of its cluster.",
            nodes,
        )
        .get("/v1/upstreams", "The backends of every route.", upstreams)
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

async fn nodes(State(admin): State<Arc<Admin>>) -> Json<NodeList> {
    let node = NodeView {
        name: admin.node.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_ms: admin.node.uptime_ms(admin.clock.now()),
        address: admin.node.address.get().map(ToString::to_string),
        policies: policies(&admin),
        managers: admin.registry.total(),
        users: admin.registry.users_held(),
        draining: admin.is_draining(),
        drain: admin.levers.all().drain().cloned(),
        disconnecting: admin.levers.disconnecting(),
    };
    Json(NodeList {
        nodes: vec![node],
        cluster: ClusterDto::read(&admin),
    })
}

/// Who answers, tier by tier.
fn policies(admin: &Admin) -> Vec<NodePolicy> {
    let status = admin.rollout.status();
    let revisions = || status.policies.iter().flat_map(|policy| &policy.revisions);
    let of = |id: RevisionId| revisions().find(|view| view.revision.id == id);
    let seats = status.seats.iter().map(|seat| {
        let answering = seat.answering.and_then(of).map(|view| &view.revision);
        NodePolicy {
            tier: seat.tier,
            policy: answering.map_or_else(|| "built-in".to_owned(), |it| it.name.to_string()),
            revision: seat.answering,
            digest: answering.map(|it| it.digest.clone()),
        }
    });
    seats.collect()
}

async fn upstreams(State(admin): State<Arc<Admin>>) -> Json<BackendList> {
    let backends = admin.gateway.routed_upstreams().into_iter();
    let backends = backends.map(|(route, backend)| RoutedBackend::of(route, backend));
    Json(BackendList {
        upstreams: backends.collect(),
    })
}

impl RoutedBackend {
    // Every field is named, so that one that is added there is missed here.
    fn of(route: String, backend: BackendView) -> Self {
        let BackendView {
            url,
            up,
            state,
            since_ms,
            reached,
            connections,
            failures,
            last_error,
            last_failure_ms,
            last_success_ms,
            retry_in_ms,
        } = backend;
        Self {
            route,
            url,
            up,
            state: state.to_owned(),
            since_ms,
            reached,
            connections,
            failures,
            last_error,
            last_failure_ms,
            last_success_ms,
            retry_in_ms,
        }
    }
}
