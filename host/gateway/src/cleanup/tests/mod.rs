//! The room against fakes: a virtual clock, peers that behave as told, rankers that do not.

mod flights;
mod measures;
mod node;
mod outcomes;
mod rankers;
mod sweeps;
mod tiers;
mod zombies;

use super::ask::Patience;
use super::decide::Terms;
use super::*;
use crate::testing::{World, user};
use wastegate_core::types::{EvictionCause, Tier};

impl World {
    /// Runs one tier with so many needed; returns how many it freed.
    async fn run(&self, name: &str, tier: Tier, needed: u32) -> u32 {
        let (user, mut patience) = (user(name), Patience::default());
        let round = self.cleaner.probe(&user, tier).await;
        let terms = Terms {
            table: &self.cleaner.config.table,
            cause: EvictionCause::Cleanup(tier),
            active_too: false,
            pass: if tier == Tier::Force {
                Pass::Force
            } else {
                Pass::BelowForce
            },
            needed: &|| needed,
        };
        let run = self
            .cleaner
            .run_tier(&user, tier, round, needed, terms, &mut patience)
            .await;
        run.freed
    }

    /// The room's metrics as Prometheus reads them.
    fn metrics(&self) -> String {
        let mut registry = prometheus_client::registry::Registry::default();
        self.cleaner.metrics().register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }
}
