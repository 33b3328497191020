//! Calls that stand in for the host's.
//!
//! Every quantity is distinct from row to row, as on a real node nearly all are, so that two
//! different answers to the same rows in another order are the policy's doing.

use crate::testing::Fixture;
use crate::{DeviceClass, Health, Protection, Scope, Signal, Tier, Unit, random};

/// A call with so many rows, a tenth of which have to go.
pub(super) fn call(scope: Scope, tier: Tier, rows: u32, seed: u64) -> Fixture {
    let mut fixture = Fixture::new()
        .scope(scope)
        .tier(tier)
        .needed(1 + rows / 10)
        .held_of(rows, rows.max(1))
        .seed(seed);
    for row in 0..rows {
        let known = |&signal: &Signal| Some((signal, value(signal, scope, seed, row)?));
        fixture = fixture.row(&Signal::ALL.iter().filter_map(known).collect::<Vec<_>>());
    }
    fixture
}

/// A plausible value, distinct from row to row where the signal measures something.
fn value(signal: Signal, scope: Scope, seed: u64, row: u32) -> Option<f64> {
    let bits = random::mix(seed ^ ((signal as u64) << 32), u64::from(row));
    let one_of = |codes: &[f64]| codes.get(bits as usize % codes.len()).copied();
    match (signal, signal.unit()) {
        (Signal::UserHeld | Signal::UserLimit, _) if scope == Scope::User => None,
        (Signal::DetachedMs | Signal::QueueHeadAgeMs | Signal::PongAgeMs, _)
            if bits.is_multiple_of(3) =>
        {
            None
        }
        (Signal::Health, _) => one_of(
            &Health::ALL
                .iter()
                .map(|h| h.to_signal())
                .collect::<Vec<_>>(),
        ),
        (Signal::Protection, _) => one_of(
            &Protection::ALL
                .iter()
                .map(|p| p.to_signal())
                .collect::<Vec<_>>(),
        ),
        (Signal::DeviceClass, _) => one_of(
            &DeviceClass::ALL
                .iter()
                .map(|d| d.to_signal())
                .collect::<Vec<_>>(),
        ),
        (Signal::Visibility, _) if bits.is_multiple_of(3) => None,
        (Signal::Priority, _) => one_of(&[0.0, 0.0, 0.0, 1.0, -1.0]),
        (_, Unit::Milliseconds | Unit::Bytes) => {
            // The row in the low digits keeps values apart.
            Some(((bits % 8_640) * 10_000) as f64 + f64::from(row))
        }
        (_, Unit::Count) => Some((bits % 8) as f64),
        (_, Unit::PerMinute | Unit::Scale) => Some(random::unit(bits) * 10.0),
        (_, Unit::Code) => Some((bits % 2) as f64),
    }
}
