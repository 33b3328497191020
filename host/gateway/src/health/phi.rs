//! The phi accrual failure detector (Hayashibara et al. 2004), over pong delays.
//!
//! Suspicion grows continuously with the time a pong is overdue, measured against the delays this
//! peer has shown. It ranks; it never convicts: client links switch regimes (foreground, hidden,
//! other network), so the verdict stays with misses and probes.

use crate::manager::PongStats;

/// Delays vary by at least this much, whatever was seen, ms (Akka's default).
const DEVIATION_MIN_MS: f64 = 100.0;
/// Below so many samples there is no distribution to speak of.
const SAMPLES_MIN: u32 = 2;

/// `φ = −log₁₀(1 − F(elapsed))`, with the logistic approximation of the normal distribution that
/// Akka uses (`PhiAccrualFailureDetector.phi`). None until there are enough samples.
#[must_use]
pub fn phi(elapsed_ms: f64, stats: PongStats) -> Option<f64> {
    if stats.samples < SAMPLES_MIN {
        return None;
    }
    Some(phi_of(
        elapsed_ms,
        stats.mean_ms,
        stats.variance_ms2.sqrt().max(DEVIATION_MIN_MS),
    ))
}

fn phi_of(elapsed_ms: f64, mean_ms: f64, deviation_ms: f64) -> f64 {
    let y = (elapsed_ms - mean_ms) / deviation_ms;
    let e = (-y * (1.597_6 + 0.070_566 * y * y)).exp();
    // Two forms of the same value; each keeps its precision on its side of the mean.
    if elapsed_ms > mean_ms {
        -(e / (1.0 + e)).log10()
    } else {
        -(1.0 - 1.0 / (1.0 + e)).log10()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Akka's AccrualFailureDetectorSpec: mean 1000 ms, deviation 100 ms.
    #[test]
    fn matches_akkas_vectors() {
        let exact = [
            (1_000.0, std::f64::consts::LOG10_2),
            (1_200.0, 1.642_828),
            (1_400.0, 4.736_695),
            (1_500.0, 7.299_947),
            (1_600.0, 10.782_601),
        ];
        for (elapsed, expected) in exact {
            assert!(
                (phi_of(elapsed, 1_000.0, 100.0) - expected).abs() < 1e-6,
                "at {elapsed} ms"
            );
        }
        for (elapsed, expected) in [(0.0, 0.0), (500.0, 0.1), (1_700.0, 15.3)] {
            assert!(
                (phi_of(elapsed, 1_000.0, 100.0) - expected).abs() < 0.1,
                "at {elapsed} ms"
            );
        }
    }

    #[test]
    fn says_nothing_without_samples() {
        assert_eq!(phi(5_000.0, PongStats::default()), None);
        let one = PongStats {
            samples: 1,
            mean_ms: 10.0,
            variance_ms2: 0.0,
        };
        assert_eq!(phi(5_000.0, one), None);
        assert!(phi(10_000.0, PongStats { samples: 2, ..one }).unwrap() > 8.0);
    }
}
