//! Shadows without sockets: what they see, what they cannot hold up, what is learnt where they part.

use std::sync::mpsc;

use super::*;
use crate::experiment::entry::ArmKey;
use crate::experiment::service::ArmCandidate;
use wastegate_core::decision::testing;
use wastegate_core::decision::testing::{NOW, answer, ask, row, snapshot};
use wastegate_core::decision::{Fault, TierTable};
use wastegate_core::types::Tier;

/// An answer that proposes these rows, or has that fault.
fn ranked(rows: Result<Vec<u32>, Fault>) -> Ranked {
    match rows {
        Ok(rows) => testing::answer(&rows),
        Err(fault) => testing::ranked(Err(fault)),
    }
}

/// A house with one candidate.
struct House(Ask);

impl ExperimentHost for House {
    fn prepare(&self, _: &ArmSpec, _: Option<&ArmKey>) -> Result<ArmCandidate, String> {
        Err("no arms here".to_owned())
    }

    fn candidate(&self, arm: &ArmSpec) -> Result<ShadowCandidate, String> {
        if arm.policy == "missing" {
            return Err("there is no policy `missing`".to_owned());
        }
        Ok(ShadowCandidate {
            about: PolicyRef::builtin(),
            params: [].into(),
            ask: self.0.clone(),
        })
    }

    fn fingerprint(&self, _: &ArmSpec) -> String {
        String::new()
    }

    fn quarantined(&self, _: &str) -> Option<String> {
        None
    }

    fn contract(&self) -> String {
        String::new()
    }

    fn note(&self, _: &str, _: Noted, _: &str, _: &str) {}
}

/// Decides, always in the same order.
struct Fixed;

impl Ranker for Fixed {
    fn rank(&self, _: &Arc<Question>) -> Answer {
        Answer::Ready(answer(&[0, 1, 2]))
    }
}

fn shadows(ask: Ask) -> Arc<Shadows> {
    Shadows::new(Arc::new(House(ask)), Clock::system())
}

fn spec(sample: f64) -> ShadowSpec {
    ShadowSpec {
        name: "s".to_owned(),
        policy: "p".to_owned(),
        params: BTreeMap::new(),
        sample,
    }
}

fn question(seed: u64) -> Arc<Question> {
    let rows = vec![row("a", 30), row("b", 20), row("c", 10)];
    let question = ask(&snapshot(3, rows), &TierTable::default(), Tier::Force, 1);
    Arc::new(Question { seed, ..question })
}

/// A view of a shadow that has been asked so often.
fn after(shadows: &Shadows, asked: u64) -> ShadowView {
    let start = shadows.clock.now();
    loop {
        let view = shadows.view("s").unwrap();
        if view.asked >= asked {
            return view;
        }
        let took = shadows.clock.now().since(start);
        assert!(took < Duration::from_secs(60), "{view:?}");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_sample_is_drawn_by_the_decisions_own_seeds() {
    let shadows = shadows(Arc::new(|_| ranked(Ok(vec![0, 1, 2]))));
    shadows.start(spec(0.25), "ann").unwrap();
    let answered = answer(&[0, 1, 2]);
    let drawn = |seed: u64| (SplitMix64::nth(seed, 1) >> 11) as f64 / (1_u64 << 53) as f64 <= 0.25;
    let expected = (0..200).filter(|&seed| drawn(seed)).count() as u64;
    for seed in 0..200 {
        shadows.offer(&question(seed), &answered);
    }
    let view = after(&shadows, expected);
    assert_eq!(
        (view.decisions, view.asked, view.dropped),
        (200, expected, 0)
    );
    assert!((30..70).contains(&expected));
    assert_eq!(view.agreement.compared, expected);
    assert_eq!(view.agreement.same_first, expected);
    assert_eq!(view.agreement.overlap_at_needed, Some(1.0));
    assert_eq!(view.agreement.kendall_tau_b, Some((1.0, expected)));
}

/// A shadow that hangs holds up nobody: what does not fit is dropped and counted.
#[tokio::test]
async fn who_decides_never_waits_for_a_shadow() {
    let (let_go, gate) = mpsc::sync_channel::<()>(0);
    let gate = Mutex::new(gate);
    let hanging: Ask = Arc::new(move |_| {
        let _ = gate.lock().recv();
        ranked(Ok(vec![2, 1, 0]))
    });
    let shadows = shadows(hanging);
    shadows.start(spec(1.0), "ann").unwrap();
    let shadowed = Shadowed::new(shadows.clone(), Arc::new(Fixed));
    for seed in 0..1_000 {
        let Answer::Ready(_) = shadowed.rank(&question(seed)) else {
            panic!("the answer is there at once")
        };
    }
    let view = shadows.view("s").unwrap();
    assert_eq!(view.decisions, 1_000);
    // One may be with the thread already.
    assert!(
        (1_000 - QUEUE_MAX as u64 - 1..=1_000 - QUEUE_MAX as u64).contains(&view.dropped),
        "{view:?}"
    );
    drop(let_go);
    let view = after(&shadows, 1_000 - view.dropped);
    assert_eq!(view.agreement.kendall_tau_b.map(|(tau, _)| tau), Some(-1.0));
    assert_eq!(view.outcomes.disagreements, view.asked);
}

#[tokio::test]
async fn faults_are_counted_by_kind_and_on_either_side() {
    let shadows = shadows(Arc::new(|question| {
        let fault = Fault::Trap("unreachable".to_owned());
        ranked(if question.seed == 1 {
            Err(fault)
        } else {
            Ok(vec![0])
        })
    }));
    shadows.start(spec(1.0), "ann").unwrap();
    shadows.offer(&question(1), &answer(&[0]));
    shadows.offer(&question(2), &ranked(Err(Fault::Saturated)));
    let view = after(&shadows, 2);
    assert_eq!(view.faults, BTreeMap::from([("trap".into(), 1)]));
    assert_eq!((view.live_faults, view.agreement.compared), (1, 0));
    assert!(view.last_fault.unwrap().contains("unreachable"));
}

#[tokio::test]
async fn bad_requests_are_refused_with_a_remedy() {
    let shadows = shadows(Arc::new(|_| ranked(Ok(vec![]))));
    let refusal = |spec: ShadowSpec| shadows.start(spec, "ann").unwrap_err().to_string();
    assert!(refusal(spec(0.0)).contains("above 0 and at most 1"));
    assert!(
        refusal(ShadowSpec {
            name: "A b".to_owned(),
            ..spec(1.0)
        })
        .contains("a to z")
    );
    assert!(
        refusal(ShadowSpec {
            policy: "missing".to_owned(),
            ..spec(1.0)
        })
        .contains("no policy `missing`")
    );
    shadows.start(spec(1.0), "ann").unwrap();
    assert!(refusal(spec(1.0)).contains("already"));
    for number in 1..SHADOWS_MAX {
        let name = format!("s{number}");
        shadows
            .start(ShadowSpec { name, ..spec(1.0) }, "ann")
            .unwrap();
    }
    assert!(
        refusal(ShadowSpec {
            name: "more".to_owned(),
            ..spec(1.0)
        })
        .contains("stop one first")
    );
    shadows.stop("s", "ann").unwrap();
    assert!(shadows.stop("s", "ann").is_err());
    assert_eq!(shadows.views().len(), SHADOWS_MAX - 1);
}

/// The one that went was wanted back after four seconds; the other had not been touched by then.
#[test]
fn outcomes_of_both_sides_are_told_apart() {
    let mut disagreements = disagreement::Disagreements::default();
    let rows = vec![row("a", 540_000).of("bob"), row("b", 70_000).of("bob")];
    let shot = snapshot(2, rows);
    let place = |key: &str| {
        let place = shot
            .rows
            .iter()
            .position(|row| row.key.as_str() == key)
            .unwrap();
        u32::try_from(place).unwrap()
    };
    let (a, b) = (place("a"), place("b"));
    let question = ask(&shot, &TierTable::default(), Tier::Force, 1);
    disagreements.add(&question, a, b);
    disagreements.ended(shot.rows[a as usize].manager, true);
    disagreements.returned(
        &UserId::new("bob").unwrap(),
        &ManagerKey::new("a").unwrap(),
        4_000,
    );
    let later = Question {
        now: NOW.after(Duration::from_secs(20)),
        ..question.clone()
    };
    disagreements.seen_again(&later);
    let example = &disagreements.examples()[0];
    assert_eq!(
        (example.live.wrong, example.shadow.wrong),
        (Some(true), Some(false))
    );
    assert_eq!(example.live.wanted_after_ms, Some(4_000));
    assert_eq!(disagreements.outcomes().open, 1, "its time is not over");
    disagreements.settle(NOW.after(OUTCOME_WITHIN));
    let outcomes = disagreements.outcomes();
    assert_eq!((outcomes.live_only_wrong, outcomes.open), (1, 0));
    // A second one of the same user is an example and no second vote; one of which a side is not
    // known is neither.
    disagreements.add(&question, a, b);
    disagreements.ended(shot.rows[a as usize].manager, false);
    disagreements.seen_again(&later);
    disagreements.add(&question, a, b);
    disagreements.settle(NOW.after(OUTCOME_WITHIN));
    let outcomes = disagreements.outcomes();
    assert_eq!(
        (
            outcomes.disagreements,
            outcomes.not_counted,
            outcomes.unknown
        ),
        (3, 1, 1)
    );
}
