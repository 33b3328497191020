//! From what was observed to what is believed. Pure reads: assessing changes nothing, so a page of
//! statistics can never keep a manager alive.

use serde::Serialize;

use super::Config;
use super::answering::{Answering, acknowledges, answering, may_be_late};
use super::backlog::stalled;
use super::phi::phi;
use crate::manager::{Manager, Port, Vitals};
use wastegate_core::types::{Evidence, EvidenceSource, Health, Timestamp};

/// What is believed of a manager, and the numbers behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assessment {
    /// The verdict on its best connection, or on itself if it hangs.
    pub evidence: Evidence,
    /// How many connections are attached to the manager.
    pub connections: u32,
    /// Those not known to be gone, superseded or closing.
    pub connections_alive: u32,
    /// Every connection left was superseded by a newer one of its device.
    pub taken_over: bool,
    /// The least suspicion among its connections.
    pub phi: Option<f64>,
    /// The shortest of the last round trips, ms.
    pub rtt_ms: Option<f64>,
}

/// How good a connection is, by its round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkQuality {
    /// Below the degraded threshold, or never measured.
    Good,
    /// At or above the degraded threshold.
    Degraded,
    /// At or above the poor threshold.
    Poor,
}

impl LinkQuality {
    /// The quality at a round trip.
    #[must_use]
    pub fn of(rtt_ms: Option<f64>, config: &Config) -> Self {
        let at_least =
            |limit: std::time::Duration| rtt_ms.is_some_and(|rtt| rtt >= limit.as_secs_f64() * 1e3);
        if at_least(config.poor_rtt) {
            Self::Poor
        } else if at_least(config.degraded_rtt) {
            Self::Degraded
        } else {
            Self::Good
        }
    }
}

/// What is believed of one connection.
#[must_use]
pub fn judge(port: &Port, config: &Config, now: Timestamp) -> Evidence {
    let vitals = &port.vitals;
    let verdict = |health, at, source| Evidence { health, at, source };
    if port.end().is_some() {
        return verdict(Health::Dead, now, EvidenceSource::Closed);
    }
    if let Some(at) = vitals.gone_at() {
        return verdict(Health::Dead, at, EvidenceSource::Kernel);
    }
    if port.has_left() {
        // Only what was said before it is still to be delivered.
        return verdict(Health::Dead, now, EvidenceSource::Closed);
    }
    let received = vitals.received_at();
    let silence = now.since(received);
    let (missed, failed) = (vitals.missed(), vitals.probe_failed_at());
    let at = failed.max(vitals.missed_at()).unwrap_or(now);
    let silent_for_long = missed >= config.half_open_after_misses && silence >= config.dead_after;
    let ignores = answering(port, config, now) == Answering::Ignores;
    let stalled = stalled(port, config, now).filter(|_| ignores || !silent_for_long);
    if let Some((since, source)) = stalled {
        return verdict(Health::Stalled, since, source);
    }
    if vitals.read_paused() {
        return verdict(Health::Unknown, received, EvidenceSource::None);
    }
    if ignores {
        return ignoring(vitals, config, acknowledges(port), now);
    }
    if missed < config.suspect_after_misses && failed.is_some() && may_be_late(vitals, now) {
        // Less time went by than this client's answers take.
        return verdict(Health::Unknown, at, EvidenceSource::Ping);
    }
    if missed >= config.half_open_after_misses
        || (missed >= config.suspect_after_misses && failed.is_some())
    {
        let dead = silence >= config.dead_after;
        return verdict(
            if dead { Health::Dead } else { Health::HalfOpen },
            at,
            EvidenceSource::Ping,
        );
    }
    if missed >= config.suspect_after_misses || failed.is_some() {
        return verdict(Health::Suspect, at, EvidenceSource::Ping);
    }
    if silence > config.ping_interval + config.pong_deadline {
        // One miss, or our own heartbeat did not run: nothing is known, which is no proof of death.
        return verdict(Health::Unknown, received, EvidenceSource::None);
    }
    let ponged = vitals.pong_at().is_some_and(|pong| pong >= received);
    let source = if ponged {
        EvidenceSource::Ping
    } else {
        EvidenceSource::Traffic
    };
    verdict(Health::Alive, received, source)
}

/// What is believed of a client that answers no ping and takes what is sent: pings that it leaves unanswered
/// say nothing of it. Its traffic does, and the kernel, though that also acknowledges for a process that has
/// stopped.
fn ignoring(
    vitals: &Vitals,
    config: &Config,
    acknowledged: Option<bool>,
    now: Timestamp,
) -> Evidence {
    let received = vitals.received_at();
    let silence = now.since(received);
    let (health, at, source) = if silence <= config.ping_interval + config.pong_deadline {
        (Health::Alive, received, EvidenceSource::Traffic)
    } else if acknowledged == Some(true) {
        (Health::Unknown, now, EvidenceSource::Kernel)
    } else {
        (Health::Unknown, received, EvidenceSource::Traffic)
    };
    Evidence { health, at, source }
}

/// What is believed of a manager: its best connection speaks for it, unless it hangs itself.
#[must_use]
pub fn assess(manager: &Manager, config: &Config, now: Timestamp) -> Assessment {
    let ports = manager.ports();
    let mut assessment = Assessment {
        evidence: Evidence::default(),
        connections: u32::try_from(ports.len()).unwrap_or(u32::MAX),
        connections_alive: 0,
        taken_over: !ports.is_empty() && ports.iter().all(|port| port.is_superseded()),
        phi: None,
        rtt_ms: None,
    };
    let mut best: Option<Evidence> = None;
    for port in &ports {
        let evidence = judge(port, config, now);
        let gone = matches!(evidence.health, Health::HalfOpen | Health::Dead);
        assessment.connections_alive += u32::from(!gone && !port.is_closing());
        if badness(evidence.health) < best.map_or(u8::MAX, |best| badness(best.health)) {
            best = Some(evidence);
        }
        // After a miss the silence goes on, whether or not the next ping is out already.
        let waiting = if port.vitals.missed() > 0 {
            Some(port.vitals.received_at())
        } else {
            port.vitals.waiting_since()
        };
        let waited = waiting.map_or(0.0, |since| now.ms_since(since));
        let suspicion = phi(waited, port.vitals.pong_stats());
        assessment.phi = least(assessment.phi, suspicion);
        assessment.rtt_ms = least(assessment.rtt_ms, port.vitals.rtt_ms());
    }
    assessment.evidence = best.unwrap_or_default();
    let hangs = manager
        .mailbox
        .oldest_since()
        .is_some_and(|since| now.since(since) >= manager.config().stuck_after);
    if hangs && assessment.evidence.health != Health::Dead {
        assessment.evidence = Evidence {
            health: Health::Stuck,
            at: now,
            source: EvidenceSource::Noop,
        };
    }
    assessment
}

fn least(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// How little a verdict speaks for a connection; the smallest speaks for its manager.
const fn badness(health: Health) -> u8 {
    match health {
        Health::Alive => 0,
        Health::Unknown => 1,
        Health::Stuck => 2,
        Health::Suspect => 3,
        Health::Stalled => 4,
        Health::HalfOpen => 5,
        Health::Dead => 6,
    }
}
