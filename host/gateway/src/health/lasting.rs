//! For how long a manager has had no peer.

use super::Config;
use super::verdict::judge;
use crate::manager::{Manager, Port};
use wastegate_core::types::{Health, Timestamp};

/// Since when every connection of a manager is dead or stalled; none if one is not, or if it has none.
#[must_use]
pub fn lost_since(manager: &Manager, config: &Config, now: Timestamp) -> Option<Timestamp> {
    let mut latest = None;
    for port in manager.ports() {
        latest = latest.max(Some(port_lost_since(&port, config, now)?));
    }
    latest
}

fn port_lost_since(port: &Port, config: &Config, now: Timestamp) -> Option<Timestamp> {
    let evidence = judge(port, config, now);
    match evidence.health {
        // The verdict is renewed with every heartbeat that is missed; the silence is what lasts.
        Health::Dead => {
            let silent = port.vitals.received_at().after(config.dead_after);
            let dead = silent.max(missed_since(port, config).unwrap_or(silent));
            Some(port.vitals.gone_at().unwrap_or(dead).min(now))
        }
        Health::Stalled => Some(evidence.at),
        _ => None,
    }
}

/// When so many pings had been missed that silence could be called death.
fn missed_since(port: &Port, config: &Config) -> Option<Timestamp> {
    let misses_before = config.half_open_after_misses.saturating_sub(1);
    let asked = port.vitals.asked_since()?;
    Some(asked.after(config.ping_interval * misses_before + config.pong_deadline))
}
