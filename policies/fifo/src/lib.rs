//! `fifo`: the oldest goes first.
//!
//! Score: `age-ms`, the time since the manager was created. A manager of unknown age goes last.
//! It deliberately ignores use, so a long conversation goes before a tab that was opened and
//! forgotten; that makes it a baseline to compare with rather than a policy to run. With more room
//! it may even do worse (Belady, Nelson and Shedler, "An anomaly in space-time characteristics of
//! certain programs running in a paging machine", CACM 12(6), 1969), which a simulator that is
//! honest reproduces.

use wastegate_policy::prelude::*;

/// First in, first out.
#[derive(Debug)]
pub struct Fifo;

manifest! {
    name: "fifo",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts the oldest managers, used or not.",
    scopes: [User, Node],
    signals: { AGE: AgeMs },
    parameters: {},
    reasons: { OLDEST: "oldest" },
}

impl Policy for Fifo {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(top_k(rows, call.enough(rows), |row| {
            Some(Bid::new([row.value(AGE)], OLDEST))
        }))
    }
}

export!(Fifo);

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    #[test]
    fn the_oldest_goes_first_however_busy_it_is() {
        let fixture = Fixture::new()
            .row(&[(Signal::AgeMs, 10.0), (Signal::IdleMs, 10.0)])
            .row(&[(Signal::IdleMs, 99.0)])
            .row(&[(Signal::AgeMs, 30.0), (Signal::IdleMs, 0.0)]);
        assert_eq!(fixture.victims::<Fifo>(), [2, 0, 1]);
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<Fifo>();
    }
}
