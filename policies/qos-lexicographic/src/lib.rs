//! `qos-lexicographic`: what is gone before what is there, and of what is there the least recently used.
//!
//! The first difference decides, the better victim first:
//!
//! ```text
//! 1. class         dead > taken over > stuck > half-open > stalled > suspect
//!                       > detached > everything else
//! 2. protection    evictable before protected; pinned never
//! 3. priority      less important first, unknown is ordinary
//! 4. in-flight     nothing in flight before something
//! 5. idle-ms       longer first, unknown last
//! ```
//!
//! The score is the class, from 7 (dead) to 0. No weights: a weight would let a long idle time
//! outvote evidence of life, and nobody can say by how much it should. `unknown` health is no class
//! of its own, since no evidence is never evidence of death. Nor is a hidden page: until version 2 it
//! went before a visible one, and on conversations whose users read elsewhere and come back that cost
//! half as many managers again as idle time alone (`policies/README.md` has the figures).
//!
//! Sources: the kubelet's ranking of pods for eviction and the `oom_score_adj` bands of Android's
//! lmkd for lexicographic bands; Chrome's tab discarding for protected and pinned.

use wastegate_policy::prelude::*;

/// Evidence first, then importance, then idle time.
#[derive(Debug)]
pub struct QosLexicographic;

manifest! {
    name: "qos-lexicographic",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts by evidence of death first, then by protection and importance, then the idle.",
    scopes: [User, Node],
    signals: {
        HEALTH: Health,
        TAKEN_OVER: TakenOver,
        DETACHED: DetachedMs,
        PROTECTION: Protection,
        PRIORITY: Priority,
        IN_FLIGHT: InFlight,
        IDLE: IdleMs,
    },
    parameters: {},
    reasons: {
        DEAD: "dead",
        REPLACED: "taken over by a newer connection",
        STUCK: "stuck",
        HALF_OPEN: "half-open",
        STALLED: "not reading",
        SUSPECT: "suspect",
        NOBODY_THERE: "nobody connected",
        LEFT_ALONE: "least recently used",
    },
}

impl Policy for QosLexicographic {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(top_k(rows, call.enough(rows), |row| {
            let unprotected = match Protection::from_signal(row.value(PROTECTION)) {
                Protection::Evictable => 1.0,
                Protection::Protected => 0.0,
                // The host would strike it, and it would crowd out one that may go.
                Protection::Pinned => return None,
            };
            let (class, reason) = class(row);
            let unimportance = -row.get(PRIORITY).unwrap_or(0.0);
            let at_rest = if row.is_set(IN_FLIGHT) { 0.0 } else { 1.0 };
            // Two whole numbers, the lower of which is 0 or 1, fit into one component: comparing
            // is most of the work.
            let key = [
                2.0 * class + unprotected,
                2.0 * unimportance + at_rest,
                row.value(IDLE),
            ];
            Some(Bid::new(key, reason).score(class))
        }))
    }
}

export!(QosLexicographic);

/// What is known against a manager, the strongest evidence highest, and how to say it.
fn class(row: Row<'_>) -> (f64, Reason) {
    match Health::from_signal(row.value(HEALTH)) {
        Health::Dead => (7.0, DEAD),
        _ if row.is_set(TAKEN_OVER) => (6.0, REPLACED),
        Health::Stuck => (5.0, STUCK),
        Health::HalfOpen => (4.0, HALF_OPEN),
        Health::Stalled => (3.0, STALLED),
        Health::Suspect => (2.0, SUSPECT),
        Health::Unknown | Health::Alive => {
            if row.get(DETACHED).is_some() {
                (1.0, NOBODY_THERE)
            } else {
                (0.0, LEFT_ALONE)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    type Known<'a> = &'a [(Signal, f64)];

    fn health(health: Health) -> (Signal, f64) {
        (Signal::Health, health.to_signal())
    }

    fn victims(rows: &[Known<'_>]) -> Vec<u32> {
        let fixture = rows.iter().fold(Fixture::new(), |fixture, row| {
            // Protection is always known to the host.
            let mut row = row.to_vec();
            if row.iter().all(|(signal, _)| *signal != Signal::Protection) {
                row.push((Signal::Protection, Protection::Evictable.to_signal()));
            }
            fixture.row(&row)
        });
        fixture.victims::<QosLexicographic>()
    }

    #[test]
    fn evidence_of_death_comes_before_everything() {
        const IDLE_LONG: (Signal, f64) = (Signal::IdleMs, 1e9);
        let rows: [Known<'_>; 9] = [
            &[IDLE_LONG, health(Health::Alive)],
            &[IDLE_LONG, (Signal::DetachedMs, 1.0)],
            &[health(Health::Suspect)],
            &[health(Health::Stalled)],
            &[health(Health::HalfOpen)],
            &[health(Health::Stuck)],
            &[(Signal::TakenOver, 1.0), health(Health::Stalled)],
            &[health(Health::Dead), (Signal::Priority, 9.0)],
            &[(Signal::IdleMs, 1.0), (Signal::TakenOver, 0.0)],
        ];
        assert_eq!(victims(&rows), [7, 6, 5, 4, 3, 2, 1, 0, 8]);
    }

    #[test]
    fn within_a_class_protection_then_priority_then_flight_then_idleness() {
        let protected = (Signal::Protection, Protection::Protected.to_signal());
        let rows: [Known<'_>; 6] = [
            &[protected, (Signal::IdleMs, 900.0), (Signal::Priority, -5.0)],
            &[(Signal::Priority, 1.0), (Signal::IdleMs, 800.0)],
            &[(Signal::InFlight, 2.0), (Signal::IdleMs, 700.0)],
            &[
                (Signal::InFlight, 0.0),
                (Signal::IdleMs, 10.0),
                (Signal::Priority, 0.0),
            ],
            &[(Signal::IdleMs, 20.0)],
            &[
                (Signal::Priority, -1.0),
                (Signal::InFlight, 1.0),
                (Signal::IdleMs, 1.0),
            ],
        ];
        assert_eq!(victims(&rows), [5, 4, 3, 2, 1, 0]);
    }

    #[test]
    fn a_pinned_manager_is_never_proposed() {
        let pinned = (Signal::Protection, Protection::Pinned.to_signal());
        assert_eq!(
            victims(&[&[pinned, health(Health::Dead)], &[(Signal::IdleMs, 1.0)]]),
            [1]
        );
    }

    #[test]
    fn unknown_health_is_not_held_against_anyone() {
        let rows: [Known<'_>; 2] = [
            &[health(Health::Unknown), (Signal::IdleMs, 5.0)],
            &[health(Health::Alive), (Signal::IdleMs, 6.0)],
        ];
        assert_eq!(victims(&rows), [1, 0]);
    }

    #[test]
    fn the_reason_tells_the_class() {
        let fixture = Fixture::new()
            .row(&[health(Health::HalfOpen)])
            .row(&[(Signal::TakenOver, 1.0)])
            .row(&[(Signal::IdleMs, 3.0)]);
        let choices = fixture.rank::<QosLexicographic>().unwrap();
        let said: Vec<_> = choices.iter().map(|c| (c.row, c.score, c.reason)).collect();
        assert_eq!(
            said,
            [
                (1, 6.0, REPLACED),
                (0, 4.0, HALF_OPEN),
                (2, 0.0, LEFT_ALONE)
            ]
        );
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<QosLexicographic>();
    }
}
