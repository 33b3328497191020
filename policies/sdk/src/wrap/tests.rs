//! What wrapped policies answer, what their manifests say, and that they keep the laws.

use super::{Blend, Protect};
use crate::prelude::*;
use crate::testing::{Fixture, check_laws};

mod longest_idle {
    use crate::prelude::*;

    crate::manifest! {
        name: "longest-idle",
        version: "2.3.4",
        summary: "Evicts the idle.",
        scopes: [User, Node],
        signals: { IDLE: IdleMs },
        parameters: {
            /// Who idles for less is not proposed, in milliseconds.
            PATIENCE_MS: "patience-ms" = 0.0 in 0.0..=1_000_000.0,
        },
        reasons: { IDLE_LONG: "idle", SAME: "the same in both" },
    }

    pub(super) struct LongestIdle;

    impl Policy for LongestIdle {
        const MANIFEST: Manifest = MANIFEST;

        fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
            let _ = SAME;
            Ok(top_k(rows, call.enough(rows), |row| {
                let idle = row.value(IDLE);
                (idle.is_nan() || idle >= call.param(PATIENCE_MS))
                    .then(|| Bid::new([idle], IDLE_LONG))
            }))
        }
    }
}

mod most_bytes {
    use crate::prelude::*;

    crate::manifest! {
        name: "most-bytes",
        version: "1.0.0",
        summary: "Evicts the large.",
        scopes: [Node, User],
        signals: { QUEUED: QueuedBytes, IDLE: IdleMs },
        parameters: {
            /// Who holds less is small, in bytes.
            FLOOR: "floor-bytes" = 1.0 in 0.0..=1_000_000.0,
        },
        reasons: { SMALL: "the same in both", LARGE: "large" },
    }

    pub(super) struct MostBytes;

    impl Policy for MostBytes {
        const MANIFEST: Manifest = MANIFEST;

        fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
            Ok(top_k(rows, call.enough(rows), |row| {
                let queued = row.value(QUEUED);
                let large = queued >= call.param(FLOOR);
                let reason = if large { LARGE } else { SMALL };
                let key = [if large { queued } else { 0.0 }, row.value(IDLE)];
                Some(Bid::new(key, reason))
            }))
        }
    }
}

use longest_idle::LongestIdle;
use most_bytes::MostBytes;

type Both = Blend<LongestIdle, MostBytes>;
type Guarded = Protect<LongestIdle>;

fn said<P: Policy>(fixture: &Fixture) -> Vec<(u32, f64, &'static str)> {
    let choices = fixture.rank::<P>().unwrap();
    let phrase = |choice: &Choice| P::MANIFEST.reasons[usize::from(choice.reason.index())];
    choices
        .iter()
        .map(|choice| (choice.row, choice.score, phrase(choice)))
        .collect()
}

fn idle_and_queued(rows: &[(f64, f64)]) -> Fixture {
    let row = |fixture: Fixture, &(idle, queued)| {
        fixture.row(&[(Signal::IdleMs, idle), (Signal::QueuedBytes, queued)])
    };
    rows.iter().fold(Fixture::new(), row)
}

#[test]
fn manifests_are_merged() {
    let manifest = Both::MANIFEST;
    assert_eq!(manifest.name, "blend-longest-idle-most-bytes");
    assert_eq!(manifest.version, "2.3.4");
    assert_eq!(
        manifest.summary,
        "Weighs the ranks of two policies. Evicts the idle. Evicts the large."
    );
    assert_eq!(manifest.signals, ["idle-ms", "queued-bytes"]);
    assert_eq!(manifest.reasons, ["idle", "the same in both", "large"]);
    let names: Vec<_> = manifest.parameters.iter().map(|p| p.name).collect();
    assert_eq!(names, ["blend-weight", "patience-ms", "floor-bytes"]);
    assert_eq!(manifest.scopes, [Scope::User, Scope::Node]);

    let manifest = Protect::<MostBytes>::MANIFEST;
    assert_eq!(manifest.name, "protect-most-bytes");
    assert_eq!(
        manifest.signals,
        [
            "idle-ms",
            "age-ms",
            "priority",
            "protection",
            "visibility",
            "in-flight",
            "queued-bytes"
        ]
    );
    assert_eq!(manifest.parameters.last().unwrap().name, "floor-bytes");
    assert_eq!(manifest.reasons.len(), 3);
}

/// Idle: rows 0, 1, 2, 3 get 4, 3, 2, 1. Bytes: rows 3, 1, 2, 0 get 4, 3, 2, 1. Half and half that is
/// 2.5, 3, 2, 2.5; of the two that are even the first policy prefers row 0.
#[test]
fn ranks_are_summed_and_ties_go_to_the_first_policy() {
    let fixture = idle_and_queued(&[(40.0, 10.0), (30.0, 30.0), (20.0, 20.0), (10.0, 40.0)]);
    assert_eq!(
        said::<Both>(&fixture),
        [
            (1, 0.75, "idle"),
            (0, 0.625, "idle"),
            (3, 0.625, "large"),
            (2, 0.5, "idle")
        ]
    );
    let only_a = fixture.clone().param("blend-weight", 1.0);
    assert_eq!(only_a.victims::<Both>(), [0, 1, 2, 3]);
    let only_b = fixture.clone().param("blend-weight", 0.0);
    assert_eq!(only_b.victims::<Both>(), [3, 1, 2, 0]);
    // 0.75 * 4 + 0.25 * 1 = 3.25; 3; 2; 0.75 * 1 + 0.25 * 4 = 1.75.
    let mostly_a = fixture.param("blend-weight", 0.75);
    assert_eq!(mostly_a.victims::<Both>(), [0, 1, 2, 3]);
}

#[test]
fn each_policy_keeps_its_parameters_and_reasons() {
    let fixture = idle_and_queued(&[(40.0, 10.0), (30.0, 30.0), (20.0, 99.0)])
        .param("patience-ms", 35.0)
        .param("floor-bytes", 50.0);
    // The first names row 0 alone: 3 points. The second: 2 is large, then 0 and 1 by idle time.
    assert_eq!(
        said::<Both>(&fixture),
        [
            (0, 2.5 / 3.0, "idle"),
            (2, 0.5, "large"),
            (1, 0.5 / 3.0, "the same in both")
        ]
    );
}

#[test]
fn of_many_rows_the_best_of_each_are_blended() {
    let many: Vec<_> = (0..500)
        .map(|i| (f64::from(i), f64::from(499 - i)))
        .collect();
    let answer = idle_and_queued(&many).needed(2).victims::<Both>();
    assert_eq!(answer.len(), 18);
    // Each names 24; they have none in common, and even ones go to the first policy's.
    assert_eq!(answer[..4], [499, 0, 498, 1]);
}

#[test]
fn the_shielded_come_last_or_not_at_all() {
    let calm = [(Signal::IdleMs, 100_000.0), (Signal::AgeMs, 900_000.0)];
    let with = |signal, value| [calm[0], calm[1], (signal, value)];
    let fixture = Fixture::new()
        .row(&[(Signal::IdleMs, 59_999.0), (Signal::AgeMs, 900_000.0)])
        .row(&[(Signal::IdleMs, 70_000.0), (Signal::AgeMs, 29_999.0)])
        .row(&with(Signal::Priority, 1.0))
        .row(&with(Signal::Protection, Protection::Protected.to_signal()))
        .row(&with(Signal::Visibility, Visibility::Visible.to_signal()))
        .row(&with(Signal::InFlight, 1.0))
        .row(&[(Signal::IdleMs, 60_000.0), (Signal::AgeMs, 30_000.0)])
        .row(&with(Signal::Visibility, Visibility::Hidden.to_signal()))
        .row(&[]);
    assert_eq!(fixture.victims::<Guarded>(), [7, 6, 8, 2, 3, 4, 5, 1, 0]);
    let told = said::<Guarded>(&fixture);
    assert_eq!(told[1], (6, 60_000.0, "idle"));
    assert_eq!(
        told[8],
        (0, 59_999.0, "protected, and too few others were left")
    );
    let strictly = fixture.clone().param("protect-strictly", 1.0);
    assert_eq!(strictly.victims::<Guarded>(), [7, 6, 8]);

    let all = fixture.victims::<LongestIdle>();
    let off = fixture
        .param("protect-active-ms", 0.0)
        .param("protect-newborn-ms", 0.0)
        .param("protect-priority", 2.0)
        .param("protect-hinted", 0.0)
        .param("protect-in-flight", 0.0);
    assert_eq!(off.victims::<Guarded>(), all);
}

#[test]
fn of_many_rows_the_shielded_do_not_crowd_out_the_others() {
    // The idle by far are shielded; those who are not would not be among the best of all.
    let fixture = (0..300).fold(Fixture::new().needed(5), |fixture, i| {
        let (idle, priority) = if i < 290 { (1e9, 1.0) } else { (1e6, 0.0) };
        fixture.row(&[
            (Signal::IdleMs, idle + f64::from(i)),
            (Signal::Priority, priority),
        ])
    });
    let victims = fixture.victims::<Guarded>();
    assert_eq!(victims.len(), 21);
    assert_eq!(
        victims[..11],
        [299, 298, 297, 296, 295, 294, 293, 292, 291, 290, 289]
    );
}

#[test]
fn a_blend_keeps_the_laws() {
    check_laws::<Both>();
}

#[test]
fn the_protected_keep_the_laws() {
    check_laws::<Guarded>();
}

#[test]
fn wrapped_in_each_other_they_keep_the_laws() {
    check_laws::<Protect<Both>>();
}
