//! The node's own pressure, across users: the same tiers, the same guard, the same executor, with
//! everybody's managers in the rows.

use std::sync::Arc;

use serde::Serialize;

use super::ask::Patience;
use super::decide::Terms;
use super::driver::{Cleaner, FORCE_LOOKS};
use super::flight::JoinReason;
use super::pass::Pass;
use super::run::Cleanup;
use crate::observe::process;
use crate::observe::spans::{self, SpanKind};
use wastegate_core::decision::TierTable;
use wastegate_core::types::{EvictionCause, Scope, Tier};

/// How full the node is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NodePressure {
    /// How many managers the node holds.
    pub managers: u32,
    /// Managers that may be held.
    pub managers_limit: u32,
    /// Resident memory, bytes; none where it cannot be read.
    pub memory_bytes: Option<u64>,
    /// Memory from which on there is pressure; 0 for no limit.
    pub memory_bytes_limit: u64,
}

impl NodePressure {
    /// How many managers there is room for.
    #[must_use]
    pub const fn free(&self) -> u32 {
        self.managers_limit.saturating_sub(self.managers)
    }

    /// Whether resident memory is over its limit, where it has one.
    #[must_use]
    pub(crate) fn over_memory(&self) -> bool {
        let over = |bytes| bytes > self.memory_bytes_limit;
        self.memory_bytes_limit > 0 && self.memory_bytes.is_some_and(over)
    }

    /// How many managers have to go so that `reserve` (a share of the limit) is free again; 0 as
    /// long as there is no pressure. Memory over its limit counts as the same share of managers:
    /// it is the best guess there is before the first of them has gone.
    #[must_use]
    pub fn short(&self, reserve: f64) -> u32 {
        let reserve = share(self.managers_limit, reserve);
        let full = self.managers >= self.managers_limit;
        let of_limit = if full {
            reserve + self.managers - self.managers_limit
        } else {
            0
        };
        let of_memory = if self.over_memory() {
            share(self.managers, reserve_of_memory(self))
        } else {
            0
        };
        of_limit.max(of_memory)
    }
}

/// By how much memory is over its limit, as a share.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 53 bits"
)]
fn reserve_of_memory(pressure: &NodePressure) -> f64 {
    let bytes = pressure.memory_bytes.unwrap_or(0) as f64;
    (bytes - pressure.memory_bytes_limit as f64) / bytes
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a u32"
)]
fn share(of: u32, share: f64) -> u32 {
    (f64::from(of) * share).ceil().max(1.0) as u32
}

impl Cleaner {
    /// What each tier may evict.
    #[must_use]
    pub const fn table(&self) -> &TierTable {
        &self.config.table
    }

    /// How full the node is now.
    #[must_use]
    pub fn node_pressure(&self) -> NodePressure {
        NodePressure {
            managers: self.registry.total(),
            managers_limit: self.registry.limits().managers_total,
            memory_bytes: process::read().rss_bytes,
            memory_bytes_limit: self.config.memory_bytes_max,
        }
    }

    /// Works through the tiers that the node may use, until it is below its limits again and
    /// there is room for all who wait.
    async fn relieve_node(&self, pass: Pass, waiting: &(dyn Fn() -> u32 + Sync)) -> Cleanup {
        let mut cleanup = Cleanup::default();
        let mut patience = Patience::default();
        // What still answers is worth more than the convenience of a reserve: it goes for those who
        // wait, and for memory that is short in fact.
        let bare = || {
            let pressure = self.node_pressure();
            let wanted = waiting().saturating_sub(pressure.free());
            wanted.max(u32::from(pressure.over_memory()))
        };
        let short = || {
            let pressure = self.node_pressure();
            pressure.short(self.config.node_reserve).max(bare())
        };
        for tier in Tier::ADMISSION
            .into_iter()
            .filter(|tier| pass.has(*tier) && *tier <= self.config.node_last_tier)
        {
            if !self.config.table.rule(tier).enabled {
                continue;
            }
            let needed: &(dyn Fn() -> u32 + Sync) =
                if tier == Tier::Force { &bare } else { &short };
            for look in 1..=FORCE_LOOKS {
                if needed() == 0 {
                    break;
                }
                let probe = self.config.table.rule(tier).probe;
                let round = self.prober.first(probe, || self.registry.all()).await;
                let wanted = needed();
                let limit = self.registry.limits().managers_total;
                let snapshot = self.registry.snapshot_node(limit, self.clock.now());
                let terms = Terms {
                    table: &self.config.table,
                    cause: EvictionCause::Cleanup(tier),
                    active_too: look == FORCE_LOOKS,
                    pass,
                    needed,
                };
                let question = self.ranker.question(&snapshot, terms.table, tier, wanted);
                let run = self.decide(question, terms, &mut patience).await;
                self.recorder.tier_ran(None, &run, round);
                cleanup.freed += run.freed;
                cleanup.runs.push(run);
                if tier != Tier::Force || run.freed >= wanted || run.eligible == 0 {
                    break;
                }
            }
        }
        cleanup.enough = short() == 0;
        cleanup
    }

    /// Makes room on the node for one more manager of any user, and for every admission that asks
    /// meanwhile. Ends by itself, even if the admissions stop waiting.
    pub async fn make_room_on_node(self: &Arc<Self>, pass: Pass) -> Arc<Cleanup> {
        self.clean_up_node(JoinReason::Room, pass).await
    }

    /// The same; with [`JoinReason::Order`] for nobody in particular, so that nothing that answers goes
    /// for the mere fullness of the node.
    pub(super) async fn clean_up_node(
        self: &Arc<Self>,
        join_reason: JoinReason,
        pass: Pass,
    ) -> Arc<Cleanup> {
        let (flight, ours) = self.node_flights.join(&pass, join_reason);
        if let Some(landing) = ours {
            let cleaner = self.clone();
            let work = async move {
                let cleanup = cleaner.relieve_node(pass, &|| landing.waiting()).await;
                cleanup.note(Scope::Node, pass);
                landing.land(cleanup);
            };
            self.tasks
                .spawn("node-cleanup", spans::around(spans::apart("cleanup"), work));
            return flight.landed().await;
        }
        let _shared = spans::child("cleanup-of-another", SpanKind::Internal);
        flight.landed().await
    }
}
