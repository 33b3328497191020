//! What an operator sees of the node at one moment, all of it derived from what is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use wastegate::admission::Admission;
use wastegate::cleanup::{Cleaner, NodePressure};
use wastegate::health::{self, LinkQuality};
use wastegate::observe::{descriptors, process};
use wastegate::registry::Registry;
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{Health, Timestamp};

/// Users listed one by one; the fullest come first.
const USERS_LISTED_MAX: usize = 1_000;

/// Everything at one moment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Stats {
    /// Managers created since the start.
    pub created: u64,
    /// Those of them whose key had been evicted before.
    pub returned: u64,
    /// Managers held now.
    pub managers: u32,
    /// Users who hold one.
    pub users: usize,
    /// How many connections are attached to managers.
    pub connections: u32,
    /// Managers by health.
    pub health: BTreeMap<&'static str, u32>,
    /// Managers that are half-open or dead.
    pub zombies: u32,
    /// Managers by the quality of their connection.
    pub links: BTreeMap<&'static str, u32>,
    /// Bytes held for clients that have not read them yet.
    pub queued_bytes: u64,
    /// Payload received from the managers that are there, bytes.
    pub bytes_in: u64,
    /// Payload sent to them, bytes.
    pub bytes_out: u64,
    /// The age of the oldest manager, ms.
    pub oldest_age_ms: u64,
    /// Clients that wait for a slot.
    pub queued: usize,
    /// Admissions refused at a limit.
    pub limit_hits: u64,
    /// How full the node is.
    pub node: NodeStats,
    /// The process, as the kernel accounts for it.
    pub process: ProcessStats,
    /// The one limit table.
    pub limits: LimitStats,
    /// The fullest users.
    pub per_user: BTreeMap<String, UserStats>,
}

/// One user's managers, by their state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UserStats {
    /// Managers it holds.
    pub managers: u32,
    /// Managers it may hold, without temporary slots.
    pub limit: u32,
    /// Temporary slots that it has beside them; not part of these statistics' JSON.
    #[serde(skip)]
    pub lent: u32,
    /// Its pressure level.
    pub pressure: &'static str,
}

/// How full the node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NodeStats {
    /// Managers held now.
    pub managers: u32,
    /// Managers that may be held.
    pub managers_limit: u32,
    /// Resident memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Memory from which on the node is under pressure, bytes; 0 for no limit.
    pub memory_bytes_limit: u64,
}

/// The process. What cannot be read is null.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProcessStats {
    /// Resident memory, bytes.
    pub rss_bytes: Option<u64>,
    /// How many descriptors are open; none where the system does not say.
    pub open_fds: Option<u64>,
    /// CPU time used, ms.
    pub cpu_ms: Option<u64>,
}

/// The limits in force.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LimitStats {
    /// Managers of one user.
    pub managers_per_user: u32,
    /// Managers of the node.
    pub managers_total: u32,
    /// Connections of the node: as many as are configured, or as there are descriptors for.
    pub connections_total: usize,
    /// Descriptors that the process may have open; null where the system does not tell.
    pub open_fds: Option<u64>,
    /// Temporary slots of one user.
    pub temporary_slots: u32,
}

impl NodeStats {
    const fn of(pressure: NodePressure) -> Self {
        let NodePressure {
            managers,
            managers_limit,
            memory_bytes,
            memory_bytes_limit,
        } = pressure;
        Self {
            managers,
            managers_limit,
            memory_bytes,
            memory_bytes_limit,
        }
    }
}

impl Stats {
    /// Looks, and changes nothing by looking.
    #[must_use]
    pub fn read(
        registry: &Registry,
        admission: &Admission,
        cleaner: &Cleaner,
        health: &health::Config,
        now: Timestamp,
    ) -> Self {
        let (created, returned) = registry.created();
        let mut users = registry.users();
        let readings = process::read();
        let limits = registry.limits();
        let mut stats = Self {
            created,
            returned,
            managers: registry.total(),
            users: users.len(),
            connections: 0,
            health: BTreeMap::new(),
            zombies: 0,
            links: BTreeMap::new(),
            queued_bytes: 0,
            bytes_in: 0,
            bytes_out: 0,
            oldest_age_ms: 0,
            queued: admission.queued(),
            limit_hits: admission.metrics().limit_hits(),
            node: NodeStats::of(cleaner.node_pressure()),
            process: ProcessStats {
                rss_bytes: readings.rss_bytes,
                open_fds: readings.open_fds,
                cpu_ms: readings.cpu.map(whole_ms),
            },
            limits: LimitStats {
                managers_per_user: limits.managers_per_user,
                managers_total: limits.managers_total,
                connections_total: limits.connections_total,
                open_fds: descriptors::limit(),
                temporary_slots: limits.temporary_slots,
            },
            per_user: BTreeMap::new(),
        };
        for manager in registry.all() {
            stats.add(&manager, health, now);
        }
        users.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        stats.per_user = users
            .into_iter()
            .take(USERS_LISTED_MAX)
            .map(|(user, managers)| {
                let pressure = cleaner.pressure().level(&user).name();
                let limit = registry.own_limit(&user);
                let lent = registry.lent(&user, now);
                (
                    user.to_string(),
                    UserStats {
                        managers,
                        limit,
                        lent,
                        pressure,
                    },
                )
            })
            .collect();
        stats
    }

    fn add(
        &mut self,
        manager: &Arc<wastegate::manager::Manager>,
        config: &health::Config,
        now: Timestamp,
    ) {
        let assessment = health::assess(manager, config, now);
        let verdict = assessment.evidence.health;
        *self.health.entry(verdict.name()).or_default() += 1;
        self.zombies += u32::from(matches!(verdict, Health::HalfOpen | Health::Dead));
        let link = match LinkQuality::of(assessment.rtt_ms, config) {
            LinkQuality::Good => "good",
            LinkQuality::Degraded => "degraded",
            LinkQuality::Poor => "poor",
        };
        *self.links.entry(link).or_default() += 1;
        self.connections += assessment.connections;
        let queued: usize = manager
            .ports()
            .iter()
            .map(|port| port.outbox.queued().bytes)
            .sum();
        self.queued_bytes += queued as u64;
        let (bytes_in, bytes_out, _) = manager.totals();
        self.bytes_in += bytes_in;
        self.bytes_out += bytes_out;
        let age = whole_ms(now.since(manager.created));
        self.oldest_age_ms = self.oldest_age_ms.max(age);
    }
}
