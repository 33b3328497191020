//! `phi-accrual`: whose pong is overdue beyond doubt goes first, then the idle.
//!
//! ```text
//! phi     = -log10(P(a pong comes later than this, going by the peer's own pongs))
//! suspect = phi >= threshold
//! order   = (phi of a suspect, and 0 of the others; idle-ms), larger first
//! score   = phi of a suspect, and 0 of the others
//! ```
//!
//! The host computes `phi` for each peer from its own history of pongs, so one threshold serves a
//! desktop that answers within a millisecond and a phone that answers within seconds: at threshold
//! `t` an innocent peer is suspected once in `10^t` looks. Whose phi is unknown (too few pongs,
//! nobody connected) is not suspected, and a phi below the threshold says nothing at all: those are
//! ranked by idle time alone.
//!
//! Good where dead peers that the kernel still calls connected are the problem, and as the policy of
//! a mild tier with `only-suspects`. Bad at everything that a pong does not show: who is busy, who is
//! large, who is detached. A tab that the browser throttles answers late without being dead; its own
//! history of pongs forgives that only after it has been slow for a while.
//!
//! Source: Hayashibara, Défago, Yared and Katayama, "The φ accrual failure detector", SRDS 2004,
//! section 4. The threshold of 8 is what Cassandra and Akka come with.

use wastegate_policy::prelude::*;

/// The suspected first, then the idle.
#[derive(Debug)]
pub struct PhiAccrual;

manifest! {
    name: "phi-accrual",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts whose pong is overdue beyond doubt, then what its user has left alone for longest.",
    scopes: [User, Node],
    signals: { PHI: Phi, IDLE: IdleMs },
    parameters: {
        /// From which phi on a peer is suspected; 8 is one false suspicion in a hundred million looks.
        THRESHOLD: "threshold" = 8.0 in 0.1..=64.0,
        /// 1 to propose suspects and nobody else, 0 to go on with the idle.
        ONLY_SUSPECTS: "only-suspects" = 0.0 in 0.0..=1.0,
    },
    reasons: { SUSPECTED: "pong overdue beyond doubt", LEFT_ALONE: "least recently used" },
}

impl Policy for PhiAccrual {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let threshold = call.param(THRESHOLD);
        let only_suspects = call.param(ONLY_SUSPECTS) != 0.0;
        Ok(top_k(rows, call.enough(rows), |row| {
            let phi = row.value(PHI);
            // An unknown phi compares as less than any threshold.
            if phi >= threshold {
                Some(Bid::new([phi, row.value(IDLE)], SUSPECTED))
            } else if only_suspects {
                None
            } else {
                Some(Bid::new([0.0, row.value(IDLE)], LEFT_ALONE))
            }
        }))
    }
}

export!(PhiAccrual);

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    fn fixture(rows: &[(f64, f64)]) -> Fixture {
        let row = |fixture: Fixture, &(phi, idle)| {
            fixture.row(&[(Signal::Phi, phi), (Signal::IdleMs, idle)])
        };
        rows.iter().fold(Fixture::new(), row)
    }

    #[test]
    fn suspects_go_by_suspicion_and_the_others_by_idle_time() {
        let rows = [
            (7.9, 10.0),
            (8.0, 1.0),
            (0.3, 30.0),
            (12.5, 2.0),
            (1.0, 20.0),
        ];
        assert_eq!(fixture(&rows).victims::<PhiAccrual>(), [3, 1, 2, 4, 0]);
    }

    /// A pong that is late by a chance of one in ten thousand has phi 4, by definition.
    #[test]
    fn the_threshold_is_a_chance() {
        let phi = -(1e-4_f64).log10();
        let one = fixture(&[(phi, 1.0), (0.0, 2.0)]);
        assert_eq!(
            one.clone().param("threshold", 4.0).victims::<PhiAccrual>(),
            [0, 1]
        );
        assert_eq!(one.param("threshold", 4.1).victims::<PhiAccrual>(), [1, 0]);
    }

    #[test]
    fn an_unknown_phi_is_no_suspicion() {
        let unknown = fixture(&[(f64::NAN, 5.0), (9.0, 1.0), (f64::NAN, 6.0)]);
        assert_eq!(unknown.victims::<PhiAccrual>(), [1, 2, 0]);
    }

    #[test]
    fn only_suspects_means_nobody_else() {
        let rows = fixture(&[(7.0, 9.0), (9.0, 1.0)]).param("only-suspects", 1.0);
        let choices = rows.rank::<PhiAccrual>().unwrap();
        let expected = Choice {
            row: 1,
            score: 9.0,
            reason: SUSPECTED,
        };
        assert_eq!(choices, [expected]);
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<PhiAccrual>();
    }
}
