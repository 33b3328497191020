//! What only several keys together can get wrong.
//!
//! Most of it is one key that must not pass another, so that is a list. A check is left out where
//! one of its keys already has a problem of its own, and all are if the file could not be read: the
//! values are not what the operator meant.

use std::collections::BTreeMap;

use super::AdminListener;
#[cfg(feature = "cluster")]
use super::EngineKind;
use super::draft::Draft;
use super::error::ConfigProblem;
use super::identities::is_plain_and_far;
use super::keys::Table;
use super::raw::{SettingOrigin, SettingValue};
use wastegate::embed::{self, Order, Relation, SettingsFault};
use wastegate_control::admin::NO_TOKEN;
use wastegate_control::admin::kept::TOKEN_BYTES_MIN;
use wastegate_control::webhook;
use wastegate_core::decision::tiers::InvalidTable;
use wastegate_core::types::Tier;
use wastegate_core::types::host::takes;

/// Every key that must not pass another, besides those of the gateway itself (`embed::orders`).
const ORDERS: [Order; 7] = [
    Order {
        lower: "policy.deadline_ms",
        relation: Relation::AtMost,
        upper: "policy.deadline_large_ms",
        because: "a large call takes at least as long as a small one",
    },
    Order {
        lower: "policy.deadline_ms",
        relation: Relation::Below,
        upper: "admission.budget_ms",
        because: "an admission that asks a policy has to evict within the same budget",
    },
    Order {
        lower: "policy.memory_user_bytes",
        relation: Relation::AtMost,
        upper: "policy.memory_large_bytes_max",
        because: "a large call needs at least the memory of a small one",
    },
    Order {
        lower: "observe.alerts.pressure.margin",
        relation: Relation::Below,
        upper: "observe.alerts.pressure.info",
        because: "the first level has to be left again",
    },
    Order {
        lower: "observe.alerts.pressure.info",
        relation: Relation::Below,
        upper: "observe.alerts.pressure.warning",
        because: "levels of pressure rise",
    },
    Order {
        lower: "observe.alerts.pressure.warning",
        relation: Relation::Below,
        upper: "observe.alerts.pressure.critical",
        because: "levels of pressure rise",
    },
    Order {
        lower: "observe.alerts.pressure.critical",
        relation: Relation::Below,
        upper: "observe.alerts.pressure.emergency",
        because: "levels of pressure rise",
    },
];

/// Every key that must not pass another.
pub(super) fn orders() -> impl Iterator<Item = &'static Order> {
    embed::orders().chain(&ORDERS)
}

/// What is wrong, beyond the `known` problems of single keys.
pub(super) fn check(
    table: &Table,
    draft: &mut Draft,
    origins: &BTreeMap<String, SettingOrigin>,
    known: &[ConfigProblem],
) -> Vec<ConfigProblem> {
    if known.iter().any(ConfigProblem::hides_values) {
        return Vec::new();
    }
    let broken = known.iter().flat_map(ConfigProblem::keys).collect();
    let mut check = Check {
        table,
        draft,
        origins,
        broken,
        mode_key: "identity.mode".to_owned(),
        problems: Vec::new(),
    };
    for order in orders() {
        check.order(order);
    }
    check.listeners();
    check.identities();
    check.webhook();
    #[cfg(feature = "otlp")]
    check.otlp();
    #[cfg(feature = "cluster")]
    check.cluster();
    check.edge();
    check.routes();
    check.backends();
    for tier in Tier::ALL {
        check.tier(tier);
    }
    check.problems
}

pub(super) struct Check<'a> {
    table: &'a Table,
    pub(super) draft: &'a mut Draft,
    origins: &'a BTreeMap<String, SettingOrigin>,
    broken: Vec<&'a str>,
    /// The key by which the mode that is looked at was chosen: a route may have its own.
    pub(super) mode_key: String,
    problems: Vec<ConfigProblem>,
}

impl Check<'_> {
    fn order(&mut self, order: &Order) {
        let (Some(lower), Some(upper)) = (self.number(order.lower), self.number(order.upper))
        else {
            return;
        };
        if !order.relation.holds(&lower, &upper) {
            self.fault(&order.fault());
        }
    }

    /// What the library finds wrong.
    pub(super) fn fault(&mut self, fault: &SettingsFault) {
        let keys: Vec<_> = fault.keys.iter().map(String::as_str).collect();
        self.conflict(&keys, &fault.reason, &fault.remedy);
    }

    fn listeners(&mut self) {
        let AdminListener::On(admin) = self.draft.rooms.admin else {
            return;
        };
        let public = self.draft.rooms.server.listen;
        if takes(public, admin) || takes(admin, public) {
            self.conflict(
                &["server.listen", "admin.listen"],
                "two listeners cannot share an address",
                "give one of them another port, or set `admin.listen` to \"off\"",
            );
        }
    }

    /// A service that is told has a secret, and nobody between reads what it is told.
    fn webhook(&mut self) {
        let webhook = &self.draft.rooms.webhook;
        let Some(url) = webhook.url.clone() else {
            return;
        };
        if !webhook::is_secret(webhook.secret.reveal()) {
            self.conflict(
                &["webhook.url", "webhook.secret"],
                "the secret is missing, too short, or no base64 behind `whsec_`, and by it the service tells our requests from others",
                "set `webhook.secret` to at least 24 bytes, or to `whsec_` and base64 of as many",
            );
        }
        if is_plain_and_far(&url) {
            self.conflict(
                &["webhook.url"],
                "whoever stands between could read what the service is told",
                "use https",
            );
        }
    }

    /// What proves to a collector who sends is not for those between.
    #[cfg(feature = "otlp")]
    fn otlp(&mut self) {
        let otlp = &self.draft.rooms.otlp;
        let is_plain = otlp.endpoint.as_deref().is_some_and(is_plain_and_far);
        if is_plain && !otlp.authorization.is_empty() {
            self.conflict(
                &["otlp.endpoint", "otlp.authorization"],
                "programs between could read the credentials",
                "use https, or take out `otlp.authorization`",
            );
        }
    }

    /// A node of a cluster has what it needs to be one, and a node of none has no part of it.
    #[cfg(feature = "cluster")]
    fn cluster(&mut self) {
        let cluster = self.draft.rooms.cluster.clone();
        if !cluster.is_on() {
            let parts = [
                ("cluster.secret", !cluster.secret.is_empty()),
                ("cluster.secret_file", cluster.secret_file.is_some()),
                ("cluster.service", !cluster.service.is_empty()),
                ("cluster.node", !cluster.node.is_empty()),
                ("cluster.admin", !cluster.admin.is_empty()),
            ];
            if let Some((key, _)) = parts.iter().find(|(_, is_there)| *is_there) {
                self.conflict(
                    &["cluster.engine", key],
                    "without an engine this node is in no cluster and counts alone",
                    "set `cluster.engine`, or take the section `cluster` out",
                );
            }
            return;
        }
        if cluster.kind == EngineKind::Sentinel && cluster.service.is_empty() {
            self.conflict(
                &["cluster.kind", "cluster.service"],
                "Sentinels watch a service by its name",
                "set `cluster.service`",
            );
        }
        if cluster.kind == EngineKind::Server && cluster.addresses().count() > 1 {
            self.conflict(
                &["cluster.engine", "cluster.kind"],
                "one server has one address",
                "give one address, or set `cluster.kind` to \"sentinel\" or \"cluster\"",
            );
        }
        if cluster.secret.is_empty() && cluster.secret_file.is_none() {
            self.conflict(
                &["cluster.secret", "cluster.secret_file"],
                "names of users are hashed with a secret before they leave this node",
                "set one of them, to the same on all nodes",
            );
        }
    }

    /// What is reachable from outside is not open to everybody, and TLS has both of its files.
    fn edge(&mut self) {
        let rooms = &self.draft.rooms;
        let far = matches!(rooms.admin, AdminListener::On(at) if !at.ip().is_loopback());
        let token = &rooms.admin_token;
        let listed = rooms.operators.tokens_file.is_some();
        let is_made = token.is_empty() && (listed || rooms.rollout.state_dir.is_some());
        let is_open = token.reveal() == NO_TOKEN;
        let guessed = token.reveal().len() < TOKEN_BYTES_MIN;
        let tls = &rooms.gateway.tls;
        let half = tls.certificate.is_some() != tls.key.is_some();
        if far && guessed && !is_made {
            self.conflict(
                &["admin.listen", "admin.token"],
                "operators may do everything, and anybody could be one",
                "set `admin.token` to 16 bytes or more, or `policy.rollout.state_dir` so that one is made and kept there, or listen on a loopback address",
            );
        }
        if is_open && listed {
            self.conflict(
                &["admin.token", "admin.tokens_file"],
                "without a token every client may do everything, and those of the file mean nothing",
                "set one of them",
            );
        }
        if half {
            self.conflict(
                &["gateway.tls.certificate", "gateway.tls.key"],
                "TLS needs a certificate and its key",
                "set both or none",
            );
        }
    }

    fn tier(&mut self, tier: Tier) {
        let key = |name: &str| format!("cleanup.tiers.{tier}.{name}");
        let Some(error) = self.draft.tier_error(tier) else {
            return;
        };
        let (names, remedy): (&[_], _) = match error {
            InvalidTable::ResponsiveBelowForce(_) => (&["admits"], "take `responsive` out"),
            InvalidTable::ForceTakesMore => (&["take"], "set it to \"needed\""),
            InvalidTable::IdleTtl(_) => (
                &[
                    "idle_ttl.max_ms",
                    "idle_ttl.min_ms",
                    "idle_ttl.scale",
                    "idle_ttl.saturation",
                ],
                "put them in order, or set `max_ms` to \"off\"",
            ),
        };
        let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        self.conflict(&keys, &error.to_string(), remedy);
    }

    /// Whether a key has a value that somebody gave it.
    pub(super) fn is_set(&self, path: &str) -> bool {
        let origin = self.origins.get(path);
        origin.is_some_and(|origin| !matches!(origin, SettingOrigin::Default))
    }

    fn value(&mut self, path: &str) -> Option<SettingValue> {
        self.table.with(path, |key| key.get(self.draft))
    }

    fn number(&mut self, path: &str) -> Option<f64> {
        match self.value(path)? {
            SettingValue::Number(number) => Some(number),
            SettingValue::Whole(number) => number.to_string().parse().ok(),
            _ => None,
        }
    }

    pub(super) fn conflict(&mut self, keys: &[&str], reason: &str, remedy: &str) {
        let mode_key = self.mode_key.clone();
        let chosen = |key: &&str| match *key {
            "identity.mode" => mode_key.clone(),
            key => key.to_owned(),
        };
        let keys: Vec<String> = keys.iter().map(chosen).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        if keys.iter().any(|key| self.broken.contains(key)) {
            return;
        }
        let found: Vec<_> = keys.iter().map(|key| self.found(key)).collect();
        self.problems.push(ConfigProblem::Conflict {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            found: found.join(" and "),
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        });
    }

    fn found(&mut self, path: &str) -> String {
        let value = self
            .value(path)
            .map(|value| value.to_string())
            .unwrap_or_default();
        // A key that a table leaves out is missing there.
        let table = path.rsplit_once('.').map(|(table, _)| table);
        let origin = self.origins.get(path);
        let origin = origin.or_else(|| self.origins.get(table?));
        let origin = origin.unwrap_or(&SettingOrigin::Default);
        format!("`{path}` is {value} ({origin})")
    }
}
