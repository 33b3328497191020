//! `lru`: what its user has left alone for longest goes first.
//!
//! Score: `idle-ms`, the time since the last *user* activity; pings, pongs and pushes do not
//! count. A manager whose idle time is unknown goes last. It looks at nothing else: not at health,
//! not at protection, not at size.
//!
//! This is the control that every other policy has to beat, and on per-user sets of some twenty
//! managers it is hard to beat: frequency-based policies that win in web caches (LFU, LRU-2,
//! S3-FIFO) lost to it on chat-like traces. Source: folklore; analysed by Sleator and Tarjan,
//! "Amortized efficiency of list update and paging rules", CACM 28(2), 1985.

use wastegate_policy::prelude::*;

/// Least recently used first.
#[derive(Debug)]
pub struct Lru;

manifest! {
    name: "lru",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts the managers that their users have left alone for longest.",
    scopes: [User, Node],
    signals: { IDLE: IdleMs },
    parameters: {},
    reasons: { LEFT_ALONE: "least recently used" },
}

impl Policy for Lru {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(top_k(rows, call.enough(rows), |row| {
            Some(Bid::new([row.value(IDLE)], LEFT_ALONE))
        }))
    }
}

export!(Lru);

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    fn idle(values: &[f64]) -> Fixture {
        let row = |fixture: Fixture, &value| fixture.row(&[(Signal::IdleMs, value)]);
        values.iter().fold(Fixture::new(), row)
    }

    #[test]
    fn the_longest_idle_goes_first_and_the_unknown_last() {
        assert_eq!(
            idle(&[10.0, f64::NAN, 30.0, 20.0]).victims::<Lru>(),
            [2, 3, 0, 1]
        );
    }

    #[test]
    fn the_score_is_the_idle_time() {
        let choices = idle(&[10.0, f64::NAN]).rank::<Lru>().unwrap();
        assert_eq!(
            choices
                .iter()
                .map(|choice| choice.score)
                .collect::<Vec<_>>(),
            [10.0, 0.0]
        );
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<Lru>();
    }
}
