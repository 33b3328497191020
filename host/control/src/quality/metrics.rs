//! The room's metrics: what became of victims, who came back, what freed nothing.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::audit::Audited;
use super::{HORIZONS, THRASH_MS};
use wastegate_core::decision::VictimOutcome;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AliveLabel {
    /// `alive`, `dead` or `unattended`.
    victim: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HorizonLabel {
    within: &'static str,
}

/// What came of evictions.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    victims: Family<AliveLabel, Counter>,
    returns: Family<HorizonLabel, Counter>,
    rotated: Counter,
    blocked: Counter,
    freed_nothing: Counter,
    audited: Family<AliveLabel, Counter>,
}

impl Metrics {
    /// Registers under `wastegate_quality_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "victims",
            "Evicted managers, by whether they answered our Close",
            self.victims.clone(),
        );
        registry.register(
            "returns",
            "Evicted managers whose user came back for them, by how soon; each counts at every horizon it is within",
            self.returns.clone(),
        );
        registry.register(
            "rotated",
            "Managers that were evicted while they answered and wanted back within a minute",
            self.rotated.clone(),
        );
        registry.register(
            "blocked",
            "Admissions that were refused",
            self.blocked.clone(),
        );
        registry.register(
            "freed_nothing",
            "Runs of a tier that could evict a manager and freed none",
            self.freed_nothing.clone(),
        );
        registry.register(
            "audited",
            "Managers that stayed and were drawn at random to be asked, by whether they answered",
            self.audited.clone(),
        );
    }

    pub(super) fn ended(&self, outcome: VictimOutcome) {
        let victim = match outcome {
            VictimOutcome::Spared => return,
            VictimOutcome::Echoed { .. } => "alive",
            VictimOutcome::Gone | VictimOutcome::Aborted => "dead",
            VictimOutcome::Undecided => "undecided",
            VictimOutcome::Released => "unattended",
        };
        self.victims.get_or_create(&AliveLabel { victim }).inc();
    }

    pub(super) fn returned(&self, away_ms: u64, answered: bool) {
        if answered && away_ms <= THRASH_MS {
            self.rotated.inc();
        }
        for (_, within) in HORIZONS.iter().filter(|(horizon, _)| away_ms <= *horizon) {
            self.returns.get_or_create(&HorizonLabel { within }).inc();
        }
    }

    pub(super) fn audited(&self, drawn: &[Audited]) {
        for one in drawn {
            let victim = if one.answered { "alive" } else { "dead" };
            self.audited.get_or_create(&AliveLabel { victim }).inc();
        }
    }

    pub(super) fn blocked(&self) {
        self.blocked.inc();
    }

    pub(super) fn freed_nothing(&self) {
        self.freed_nothing.inc();
    }
}
