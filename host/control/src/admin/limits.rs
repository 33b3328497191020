//! Every limit in force: `GET /v1/limits`.
//!
//! Limits of the configuration come with the value and the sentence that `GET /v1/config` has; what is added here is
//! what happens when one is reached, and how much of it is used where that is counted. The program's tests hold that
//! no limit of the configuration is missing. Limits that nobody sets are constants of their rooms.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::Admin;
use super::events::STREAMS_MAX;
use super::openapi::Page;
use super::routes::Routes;
use crate::experiment::error::{EXPERIMENTS_MAX, RUNNING_MAX};
use crate::experiment::shadow::SHADOWS_MAX;
use crate::levers::LEVERS_MAX;
use crate::rollout::config::POLICIES_MAX;
use wastegate::observe::{descriptors, process};

mod reached;

pub use reached::when_reached;

/// The answer to `GET /v1/limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitList {
    /// Those that a setting has, in the order of the configuration, then those that nobody sets.
    pub limits: Vec<LimitView>,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitView {
    /// The key of its setting, or a name of the same form.
    pub name: String,
    /// Whether a setting has it; otherwise it is fixed.
    pub is_setting: bool,
    /// What it bounds, with the unit.
    pub about: String,
    /// The value in force; null where there is no limit.
    pub value: Option<u64>,
    /// How much of it is used now; null where that is not counted, or is counted for each user or address apart.
    pub used: Option<u64>,
    /// What happens to whatever would go beyond it.
    pub when_reached: String,
}

/// The route of the limits.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Server).get(
        "/v1/limits",
        "Every limit in force: its value, what is used, and what happens when it is reached.",
        limits,
    )
}

async fn limits(State(admin): State<Arc<Admin>>) -> Json<LimitList> {
    let settings = admin.settings.get();
    let of_settings = settings.keys.iter().filter_map(|setting| {
        let reached = when_reached(&setting.key)?;
        let (value, used) = admin.reading(&setting.key, &setting.value);
        Some(LimitView {
            name: setting.key.clone(),
            is_setting: true,
            about: setting.about.clone(),
            value,
            used,
            when_reached: reached.to_owned(),
        })
    });
    let limits = of_settings.chain(admin.fixed_limits()).collect();
    Json(LimitList { limits })
}

fn count(number: usize) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

impl Admin {
    /// The value that is in force, and how much of it is used.
    fn reading(&self, key: &str, written: &str) -> (Option<u64>, Option<u64>) {
        let limits = self.registry.limits();
        let pressure = self.cleaner.node_pressure();
        let value = match key {
            // What the system allows can be less than what is written.
            "limits.connections_total" => Some(count(limits.connections_total)),
            // 0 stands for a share of the control group's limit.
            "cleanup.node.memory_bytes_max" => {
                Some(pressure.memory_bytes_limit).filter(|limit| *limit > 0)
            }
            _ => {
                let none = reached::is_off_at_zero(key);
                let number = written.replace('_', "").parse().ok();
                number.filter(|number| *number > 0 || !none)
            }
        };
        let used = match key {
            "limits.managers_total" => Some(self.registry.total().into()),
            "limits.connections_total" => Some(self.connections()),
            "cleanup.node.memory_bytes_max" => pressure.memory_bytes,
            _ => None,
        };
        (value, used)
    }

    /// Connections that are attached to managers.
    fn connections(&self) -> u64 {
        let managers = self.registry.all();
        let connections = managers.iter().map(|manager| manager.ports().len());
        count(connections.sum())
    }

    /// Limits that nobody sets.
    fn fixed_limits(&self) -> Vec<LimitView> {
        let streams = STREAMS_MAX.saturating_sub(self.streams.available_permits());
        let experiments = self.experiments.live_names().len();
        let policies = self.rollout.status().policies.len();
        let fixed =
            |name: &str, about: &str, value: usize, used: Option<usize>, reached: &str| LimitView {
                name: name.to_owned(),
                is_setting: false,
                about: about.to_owned(),
                value: Some(count(value)),
                used: used.map(count),
                when_reached: reached.to_owned(),
            };
        vec![
            LimitView {
                name: "process.open_fds".to_owned(),
                is_setting: false,
                about: "Descriptors that the process may have open, as the system allows.".to_owned(),
                value: descriptors::limit(),
                used: process::read().open_fds,
                when_reached: "No connection is accepted until one is free; `limits.connections_total` is lowered at the start so that this does not happen.".to_owned(),
            },
            fixed(
                "events.streams",
                "Streams of `GET /v1/events` that are open at once.",
                STREAMS_MAX,
                Some(streams),
                "The next one is refused with 503 (`too-many-streams`).",
            ),
            fixed(
                "levers.set",
                "Limits and blocks of users that operators set.",
                LEVERS_MAX,
                Some(self.levers.all().len()),
                "The next one is refused with 409 (`too-many-levers`).",
            ),
            fixed(
                "shadows.running",
                "Shadows that run at once.",
                SHADOWS_MAX,
                Some(self.shadows.count()),
                "The next one is refused with 409 (`busy`).",
            ),
            fixed(
                "experiments.running",
                "Experiments that run at once.",
                RUNNING_MAX,
                Some(experiments),
                "The next one is refused with 409.",
            ),
            fixed(
                "experiments.kept",
                "Experiments that are kept, ended ones included.",
                EXPERIMENTS_MAX,
                Some(self.experiments.count()),
                "The oldest that has ended is forgotten.",
            ),
            fixed(
                "policies.kept",
                "Policies with at least one revision.",
                POLICIES_MAX,
                Some(policies),
                "Revisions of the oldest policy that is active nowhere are let go.",
            ),
            fixed(
                "decisions.memory",
                "Decisions that `GET /v1/decisions` has.",
                crate::why::DECISIONS_MAX,
                None,
                "The oldest are forgotten; the decision journal (`observe.decisions`) keeps all.",
            ),
            fixed(
                "events.memory",
                "Facts of the last hour, for `GET /v1/why` and `GET /v1/events`.",
                crate::why::FACTS_MAX,
                None,
                "The oldest are forgotten; a stream that has not sent them yet reports a gap.",
            ),
        ]
    }
}
