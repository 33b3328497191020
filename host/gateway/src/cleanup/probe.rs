//! What cleanup finds out of peers: rounds of probes, and verdicts.

use std::sync::Arc;

use crate::health::{self, Round, judge};
use crate::manager::{Manager, Port};
use crate::observe::spans::{self, SpanKind};
use wastegate_core::decision::Probe;
use wastegate_core::types::{Clock, Health, Timestamp};

/// How peers are probed and judged.
pub(super) struct Prober {
    clock: Clock,
    config: health::Config,
}

impl Prober {
    /// With the health room's settings.
    pub(super) const fn new(clock: Clock, config: health::Config) -> Self {
        Self { clock, config }
    }

    /// How verdicts are made.
    pub(super) const fn config(&self) -> &health::Config {
        &self.config
    }

    /// What a tier has to know first: a round of probes, if it makes one.
    pub(super) async fn first(
        &self,
        probe: Probe,
        managers: impl FnOnce() -> Vec<Arc<Manager>>,
    ) -> Option<Round> {
        match probe {
            Probe::Cached => None,
            Probe::Round => Some(self.round(&managers()).await),
        }
    }

    /// Probes all connections of some managers at once.
    pub(super) async fn round(&self, managers: &[Arc<Manager>]) -> Round {
        let _step = spans::child("probe", SpanKind::Internal);
        let round = health::probe_round(managers, &self.clock, &self.config).await;
        spans::note("wastegate.probe.asked", || round.asked);
        spans::note("wastegate.probe.answered", || round.answered);
        round
    }

    /// What is believed of a peer now.
    pub(super) fn health(&self, port: &Port, now: Timestamp) -> Health {
        judge(port, &self.config, now).health
    }
}
