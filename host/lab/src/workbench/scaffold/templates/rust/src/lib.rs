//! `{{name}}`: what its user hardly uses goes first, and what is new goes last.
//!
//! Use is the number of activities, each counting half for every hour of its age. A manager that
//! was made a moment ago has had no time to be used, so it waits at the end of the list.

use wastegate_policy::prelude::*;

/// The least used first.
pub struct LeastUsed;

manifest! {
    name: "{{name}}",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts what its user hardly uses, and what is new last.",
    scopes: [User, Node],
    signals: { USED: ActivityDecayed1h, IDLE: IdleMs, AGE: AgeMs },
    parameters: {
        /// How long a manager counts as new, in milliseconds.
        NEW_MS: "new-ms" = 60_000.0 in 0.0..=86_400_000.0,
    },
    reasons: { HARDLY_USED: "hardly used", NEW: "new, and nobody else was left" },
}

impl Policy for LeastUsed {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let new_ms = call.param(NEW_MS);
        Ok(top_k(rows, call.enough(rows), |row| {
            let (used, idle) = (row.value(USED), row.value(IDLE));
            let is_new = row.get(AGE).is_some_and(|age| age < new_ms);
            let (settled, reason) = if is_new {
                (0.0, NEW)
            } else {
                (1.0, HARDLY_USED)
            };
            // Larger is a better victim, and the first number that differs decides: settled before
            // new, then the less used, then who was left alone for longer.
            Some(Bid::new([settled, -used, idle], reason).score(-used))
        }))
    }
}

export!(LeastUsed);

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    #[test]
    fn the_least_used_goes_first_and_the_new_wait() {
        let house = Fixture::full_house(4)
            .with(1, &[(Signal::ActivityDecayed1h, 0.4)])
            .with(
                3,
                &[(Signal::ActivityDecayed1h, 0.0), (Signal::AgeMs, 500.0)],
            );
        assert_eq!(house.victims::<LeastUsed>(), [1, 0, 2, 3]);
        assert_eq!(
            house.param("new-ms", 0.0).victims::<LeastUsed>(),
            [3, 1, 0, 2]
        );
    }

    #[test]
    fn a_recorded_house() {
        let house = Fixture::snapshot(include_str!("../snapshots/full-house.json"));
        assert_eq!(house.victim_keys::<LeastUsed>()[..2], ["chat-14", "chat-8"]);
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<LeastUsed>();
    }
}
