//! Draws managers at random and asks them: how many of the dead nobody noticed.

use std::sync::Arc;
use std::time::Duration;

use wastegate::health::{self, assess, could_answer, probe_round};
use wastegate::manager::{Manager, Port};
use wastegate::registry::Registry;
use wastegate_control::quality::Quality;
use wastegate_control::quality::audit::{Audited, drawn};
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{Clock, SplitMix64};

/// Between two draws.
const DRAW_EVERY: Duration = Duration::from_secs(60);

/// Draws managers and asks them; tells what comes of it to `quality`.
#[derive(Clone)]
pub struct Auditor {
    pub(super) registry: Arc<Registry>,
    pub(super) quality: Arc<Quality>,
    pub(super) health: health::Config,
    pub(super) clock: Clock,
    pub(super) seed: u64,
}

impl Auditor {
    /// Draws, for ever. To be kept running by a supervisor.
    pub(super) async fn run(self) {
        let mut lots = SplitMix64::new(self.seed);
        let mut last = self.clock.now();
        loop {
            tokio::time::sleep(DRAW_EVERY).await;
            let now = self.clock.now();
            let elapsed = now.since(last);
            last = now;
            self.once(&mut lots, elapsed).await;
        }
    }

    /// Draws as many as when `elapsed` has gone by, and waits for their answers.
    pub async fn once(&self, lots: &mut SplitMix64, elapsed: Duration) {
        // Whoever has no connection has nobody to answer, and is no zombie by anybody's measure.
        let mut all = self.registry.all();
        all.retain(|manager| !manager.ports().is_empty());
        let elapsed_ms = whole_ms(elapsed);
        let per_hour = self.health.audit_per_hour;
        let places: Vec<usize> = drawn(lots, all.len(), per_hour, elapsed_ms).collect();
        let chosen = places.len().max(1);
        let asked: Vec<Arc<Manager>> = places
            .into_iter()
            .filter_map(|place| all.get(place).cloned())
            .take(self.health.probe_connections_max)
            .collect();
        // Less than was drawn, where the draw was larger than what is asked at a time.
        #[expect(clippy::cast_precision_loss, reason = "managers are far below 2^53")]
        let kept = if asked.is_empty() {
            1.0
        } else {
            asked.len() as f64 / chosen as f64
        };
        let share = per_hour * elapsed.as_secs_f64() / 3_600.0 * kept;
        let started = self.clock.now();
        let believed: Vec<_> = asked
            .iter()
            .map(|manager| assess(manager, &self.health, started).evidence.health)
            .collect();
        let patient = health::Config {
            probe_deadline: self.health.audit_deadline,
            // Everybody is asked, whatever is known of them.
            evidence_age: Duration::ZERO,
            ..self.health.clone()
        };
        if !asked.is_empty() {
            probe_round(&asked, &self.clock, &patient).await;
        }
        let found: Vec<Audited> = asked
            .iter()
            .zip(believed)
            .filter_map(|(manager, believed)| {
                let ports = manager.ports();
                let untold = |port: &Arc<Port>| {
                    !could_answer(port, started, None)
                        || health::ignores_pings(port, &self.health, started)
                };
                // It left while it was asked, or its silence says nothing: nothing is known.
                if ports.is_empty() || ports.iter().any(untold) {
                    return None;
                }
                let answered = ports
                    .iter()
                    .any(|port| port.vitals.received_at() >= started);
                Some(Audited { believed, answered })
            })
            .collect();
        self.quality.audited(per_hour, share, &found);
    }
}
