//! `scaled-idle-timeout`: the fuller the scope, the shorter the patience with the idle.
//!
//! ```text
//! occupancy = held / limit
//! ttl       = min + (max - min) * clamp((saturation - occupancy) / (saturation - scale), 0, 1)
//! overdue   = idle-ms - ttl, where nothing is in flight
//! order     = overdue, longest first;  only what is overdue;  score = overdue
//! ```
//!
//! Up to `scale` everybody may idle for `max-ms`, from `saturation` on for `min-ms`, and in between
//! it shortens evenly: there is no cliff at which everybody is thrown out at once. With the
//! defaults and 92 % occupancy the patience is 181.4 s.
//!
//! It answers with fewer than were asked for, or with nobody, when that is how many are overdue:
//! below the force tier that sends the host to the next tier, at force the host's own ranking tops
//! it up. Where idle time is unknown the time since the last connection left stands in for it; who
//! is known to be neither idle nor detached is not overdue.
//!
//! Source: the scaled trigger of Envoy's overload manager, `reduce_timeouts`.

use wastegate_policy::prelude::*;

/// Idle for longer than the occupancy allows.
#[derive(Debug)]
pub struct ScaledIdleTimeout;

manifest! {
    name: "scaled-idle-timeout",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts what has been idle for longer than a timeout that shrinks as the scope fills.",
    scopes: [User, Node],
    signals: { IDLE: IdleMs, DETACHED: DetachedMs, IN_FLIGHT: InFlight },
    parameters: {
        /// The patience with an idle manager while there is room, in milliseconds.
        MAX_MS: "max-ms" = 600_000.0 in 0.0..=604_800_000.0,
        /// The patience that is left when the scope is saturated, in milliseconds.
        MIN_MS: "min-ms" = 2_000.0 in 0.0..=604_800_000.0,
        /// The occupancy from which patience shrinks, as a share of the limit.
        SCALE: "scale" = 0.85 in 0.0..=1.0,
        /// The occupancy at which patience is at its least, as a share of the limit.
        SATURATION: "saturation" = 0.95 in 0.0..=1.0,
    },
    reasons: {
        DETACHED_TOO_LONG: "nobody connected for longer than the scaled timeout",
        IDLE_TOO_LONG: "idle for longer than the scaled timeout",
    },
}

impl Policy for ScaledIdleTimeout {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let ttl = Trigger::from_params(call)?.ttl_ms(call.occupancy());
        Ok(top_k(rows, call.enough(rows), |row| {
            let detached = row.get(DETACHED);
            let overdue = row.get(IDLE).or(detached)? - ttl;
            if overdue <= 0.0 || row.is_set(IN_FLIGHT) {
                return None;
            }
            let reason = if detached.is_some() {
                DETACHED_TOO_LONG
            } else {
                IDLE_TOO_LONG
            };
            Some(Bid::new([overdue], reason))
        }))
    }
}

export!(ScaledIdleTimeout);

/// A timeout that falls from `max_ms` to `min_ms` while occupancy rises from `scale` to
/// `saturation`.
struct Trigger {
    max_ms: f64,
    min_ms: f64,
    scale: f64,
    saturation: f64,
}

impl Trigger {
    /// Each value is within its own range already; together they may still make no sense.
    fn from_params(call: &Call) -> Result<Self, String> {
        let [max_ms, min_ms] = [call.param(MAX_MS), call.param(MIN_MS)];
        let [scale, saturation] = [call.param(SCALE), call.param(SATURATION)];
        if min_ms > max_ms {
            return Err("`min-ms` must not be more than `max-ms`".to_owned());
        }
        if scale >= saturation {
            return Err("`scale` must be less than `saturation`".to_owned());
        }
        Ok(Self {
            max_ms,
            min_ms,
            scale,
            saturation,
        })
    }

    fn ttl_ms(&self, occupancy: f64) -> f64 {
        let room = (self.saturation - occupancy) / (self.saturation - self.scale);
        self.min_ms + (self.max_ms - self.min_ms) * room.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    fn idle(values: &[f64]) -> Fixture {
        let row = |fixture: Fixture, &value| fixture.row(&[(Signal::IdleMs, value)]);
        values
            .iter()
            .fold(Fixture::new().tier(Tier::Proactive), row)
    }

    #[test]
    fn the_timeout_is_the_one_of_envoys_documentation() {
        let trigger = Trigger {
            max_ms: 600_000.0,
            min_ms: 2_000.0,
            scale: 0.85,
            saturation: 0.95,
        };
        assert!((trigger.ttl_ms(0.92) - 181_400.0).abs() < 1e-6);
        assert_eq!(trigger.ttl_ms(0.0), 600_000.0);
        assert_eq!(trigger.ttl_ms(0.85), 600_000.0);
        assert_eq!(trigger.ttl_ms(0.95), 2_000.0);
        assert_eq!(trigger.ttl_ms(7.0), 2_000.0);
        assert_eq!(trigger.ttl_ms(f64::INFINITY), 2_000.0);
    }

    #[test]
    fn only_the_overdue_go_and_the_longest_overdue_first() {
        let rows = [181_000.0, 182_000.0, 999_000.0];
        assert_eq!(
            idle(&rows).held_of(92, 100).victims::<ScaledIdleTimeout>(),
            [2, 1]
        );
        assert_eq!(
            idle(&rows).held_of(10, 100).victims::<ScaledIdleTimeout>(),
            [2]
        );
        assert_eq!(
            idle(&rows).held_of(20, 20).victims::<ScaledIdleTimeout>(),
            [2, 1, 0]
        );
        assert_eq!(
            idle(&[1_999.0])
                .held_of(20, 20)
                .victims::<ScaledIdleTimeout>(),
            []
        );
    }

    #[test]
    fn the_score_is_by_how_much() {
        let choices = idle(&[5_000.0])
            .held_of(20, 20)
            .rank::<ScaledIdleTimeout>()
            .unwrap();
        assert_eq!(
            choices,
            [Choice {
                row: 0,
                score: 3_000.0,
                reason: IDLE_TOO_LONG
            }]
        );
    }

    #[test]
    fn the_detached_are_called_so_and_what_is_in_flight_waits() {
        let fixture = Fixture::new()
            .held_of(20, 20)
            .row(&[(Signal::DetachedMs, 9_000.0)])
            .row(&[(Signal::IdleMs, 10_000.0), (Signal::DetachedMs, 5_000.0)])
            .row(&[(Signal::IdleMs, 99_000.0), (Signal::InFlight, 1.0)])
            .row(&[(Signal::InFlight, 0.0)]);
        let choices = fixture.rank::<ScaledIdleTimeout>().unwrap();
        let said: Vec<_> = choices
            .iter()
            .map(|choice| (choice.row, choice.reason))
            .collect();
        assert_eq!(said, [(1, DETACHED_TOO_LONG), (0, DETACHED_TOO_LONG)]);
    }

    #[test]
    fn parameters_that_contradict_each_other_are_an_error() {
        let upside_down = idle(&[]).param("min-ms", 5.0).param("max-ms", 4.0);
        assert!(
            upside_down
                .rank::<ScaledIdleTimeout>()
                .unwrap_err()
                .contains("`min-ms`")
        );
        let empty = idle(&[]).param("scale", 0.95);
        assert!(
            empty
                .rank::<ScaledIdleTimeout>()
                .unwrap_err()
                .contains("`saturation`")
        );
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<ScaledIdleTimeout>();
    }
}
