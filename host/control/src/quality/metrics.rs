//! The room's metrics: what became of victims, who came back, what freed nothing.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use wastegate::observe::metrics::begin;

use super::audit::Audited;
use super::{HORIZONS, THRASH_MS};
use wastegate_core::decision::VictimOutcome;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AliveLabel {
    /// `alive`, `dead`, `undecided` or `unattended`.
    victim: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HorizonLabel {
    within: &'static str,
}

/// What came of evictions.
#[derive(Debug, Clone)]
pub struct Metrics {
    victims: Family<AliveLabel, Counter>,
    returns: Family<HorizonLabel, Counter>,
    rotated: Counter,
    blocked: Counter,
    freed_nothing: Counter,
    audited: Family<AliveLabel, Counter>,
}

/// What a manager of which this is known counts as.
const fn victim(outcome: VictimOutcome) -> Option<&'static str> {
    Some(match outcome {
        VictimOutcome::Spared | VictimOutcome::Elsewhere => return None,
        VictimOutcome::Echoed { .. } => ALIVE,
        VictimOutcome::Gone | VictimOutcome::Aborted => DEAD,
        VictimOutcome::Undecided => "undecided",
        VictimOutcome::Released => "unattended",
    })
}

const ALIVE: &str = "alive";
const DEAD: &str = "dead";

impl Default for Metrics {
    fn default() -> Self {
        let (victims, returns, audited) = (Family::default(), Family::default(), Family::default());
        let ends = VictimOutcome::EVICTED.into_iter().filter_map(victim);
        begin(&victims, ends.map(|victim| AliveLabel { victim }));
        begin(
            &returns,
            HORIZONS.map(|(_, within)| HorizonLabel { within }),
        );
        begin(&audited, [ALIVE, DEAD].map(|victim| AliveLabel { victim }));
        Self {
            victims,
            returns,
            rotated: Counter::default(),
            blocked: Counter::default(),
            freed_nothing: Counter::default(),
            audited,
        }
    }
}

impl Metrics {
    /// Registers under `wastegate_quality_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "victims",
            "Evicted managers, by whether they answered the gateway's Close: `alive`, `dead`, `undecided` where silence shows nothing, `unattended` without a connection",
            self.victims.clone(),
        );
        registry.register(
            "returns",
            "Evicted managers that their client asked for again, by how soon; each counts at every horizon that it is within",
            self.returns.clone(),
        );
        registry.register(
            "rotated",
            "Rotation: managers that were evicted while they answered and that their client asked for again within a minute",
            self.rotated.clone(),
        );
        registry.register(
            "blocked",
            "Admissions that were refused",
            self.blocked.clone(),
        );
        registry.register(
            "freed_nothing",
            "Runs of a tier that might evict a manager and freed no slot",
            self.freed_nothing.clone(),
        );
        registry.register(
            "audited",
            "Managers that were drawn at random and probed, by whether they answered",
            self.audited.clone(),
        );
    }

    pub(super) fn ended(&self, outcome: VictimOutcome) {
        if let Some(victim) = victim(outcome) {
            self.victims.get_or_create(&AliveLabel { victim }).inc();
        }
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
            let victim = if one.answered { ALIVE } else { DEAD };
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
