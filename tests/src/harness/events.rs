//! What the gateway decided, as it happened.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use wastegate::cleanup::{Decided, TierRun, UserPressure};
use wastegate::health::Round;
use wastegate_cli::app::WatchedEvent;
use wastegate_core::types::Tier;

use super::wait::within;

/// A watch on decisions, tiers and pressure.
pub struct Events(Receiver<WatchedEvent>);

/// Everything that happened and was not looked at yet.
#[derive(Debug, Default)]
pub struct Happened {
    /// Tiers that ran, in order, with their probes.
    pub tiers: Vec<(TierRun, Option<Round>)>,
    /// Decisions that are complete.
    pub decided: Vec<Arc<Decided>>,
    /// Changes of pressure.
    pub pressure: Vec<UserPressure>,
}

impl Events {
    pub(super) const fn new(events: Receiver<WatchedEvent>) -> Self {
        Self(events)
    }

    /// The next event.
    pub async fn next(&mut self) -> WatchedEvent {
        within("an event", self.0.recv()).await.unwrap()
    }

    /// The next run of a tier.
    pub async fn tier(&mut self) -> (TierRun, Option<Round>) {
        loop {
            if let WatchedEvent::Tier { run, round, .. } = self.next().await {
                return (run, round);
            }
        }
    }

    /// The next decision that chose somebody.
    pub async fn decided(&mut self) -> Arc<Decided> {
        loop {
            match self.next().await {
                WatchedEvent::Decided(decided) if !decided.plan.victims().is_empty() => {
                    return decided;
                }
                WatchedEvent::Decided(_)
                | WatchedEvent::Tier { .. }
                | WatchedEvent::Pressure(_) => {}
            }
        }
    }

    /// Everything so far.
    ///
    /// # Panics
    /// If more happened than is kept for a watcher.
    pub fn so_far(&mut self) -> Happened {
        let mut happened = Happened::default();
        loop {
            match self.0.try_recv() {
                Ok(WatchedEvent::Tier { run, round, .. }) => happened.tiers.push((run, round)),
                Ok(WatchedEvent::Decided(decided)) => happened.decided.push(decided),
                Ok(WatchedEvent::Pressure(pressure)) => happened.pressure.push(pressure),
                Err(TryRecvError::Lagged(missed)) => panic!("missed {missed} events"),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return happened,
            }
        }
    }
}

impl Happened {
    /// The tiers that ran, each with how many slots it freed.
    #[must_use]
    pub fn freed(&self) -> Vec<(Tier, u32)> {
        self.tiers
            .iter()
            .map(|(run, _)| (run.tier, run.freed))
            .collect()
    }
}
