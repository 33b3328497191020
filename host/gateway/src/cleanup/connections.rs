//! Sockets that find no place on the node: managers that are gone give theirs up.
//!
//! The same tiers, guard and executor as for the node's managers, with two differences. Only managers that
//! hold a connection are asked for, since no other frees a place; and no tier from `force` on runs: no
//! client that answers is cut for a socket of which nothing is known yet.

use std::sync::Arc;

use super::ask::Patience;
use super::decide::Terms;
use super::driver::Cleaner;
use super::flight::JoinReason;
use super::pass::Pass;
use super::run::Cleanup;
use crate::observe::spans;
use wastegate_core::types::{EvictionCause, Scope, Signal, Tier};

/// How many sockets wait for a place now.
pub type Waiting = Arc<dyn Fn() -> u32 + Send + Sync>;

impl Cleaner {
    /// Makes room for sockets that wait for a place. Ends by itself; callers that come meanwhile share its
    /// result.
    pub(crate) async fn make_room_for_connections(
        self: &Arc<Self>,
        waiting: Waiting,
    ) -> Arc<Cleanup> {
        let (flight, ours) = self.connection_flights.join(&(), JoinReason::Room);
        if let Some(landing) = ours {
            let cleaner = self.clone();
            let span = self.spans.get();
            let span = span.and_then(|spans| spans.root_of_steps("connection-cleanup"));
            let work = async move {
                let cleanup = cleaner.relieve_connections(&*waiting).await;
                cleanup.note(Scope::Node, Pass::BelowForceOnly);
                landing.land(cleanup);
            };
            self.tasks
                .spawn("connection-cleanup", spans::around(span, work));
        }
        flight.landed().await
    }

    async fn relieve_connections(&self, waiting: &(dyn Fn() -> u32 + Send + Sync)) -> Cleanup {
        let mut cleanup = Cleanup::default();
        let mut patience = Patience::default();
        let needed = || waiting();
        let tiers = Tier::ADMISSION.into_iter();
        for tier in tiers.filter(|tier| *tier < Tier::Force && *tier <= self.config.node_last_tier)
        {
            if !self.config.table.rule(tier).enabled || needed() == 0 {
                continue;
            }
            let probe = self.config.table.rule(tier).probe;
            let round = self.prober.first(probe, || self.registry.all()).await;
            let limit = self.registry.limits().managers_total;
            let mut snapshot = self.registry.snapshot_node(limit, self.clock.now());
            snapshot
                .rows
                .retain(|row| row.signals[Signal::Connections] > 0.0);
            // The node is as full as it can be, by what is counted here.
            snapshot.held = u32::try_from(snapshot.rows.len()).unwrap_or(u32::MAX);
            snapshot.limit = snapshot.held;
            let terms = Terms {
                table: &self.config.table,
                cause: EvictionCause::Cleanup(tier),
                active_too: false,
                pass: Pass::BelowForceOnly,
                needed: &needed,
            };
            let question = self.ranker.question(&snapshot, terms.table, tier, needed());
            let run = self.decide(question, terms, &mut patience).await;
            self.recorder.tier_ran(None, &run, round);
            cleanup.freed += run.freed;
            cleanup.runs.push(run);
        }
        cleanup.enough = needed() == 0;
        cleanup
    }
}
