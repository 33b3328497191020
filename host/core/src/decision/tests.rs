//! Golden plans, and what must hold for any ranking whatsoever.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::builtin::BuiltIn;
use super::testing::{answer, ask, ranked, row, snapshot};
use super::tiers::InvalidTable;
use super::*;
use crate::types::{Health, Protection, ProtectionReason, Scope, Tier};

fn keys(plan: &Plan) -> Vec<&str> {
    plan.victims()
        .iter()
        .map(|victim| victim.key.as_str())
        .collect()
}

fn builtin_plan(snapshot: &Snapshot, table: &TierTable, tier: Tier, needed: u32) -> Plan {
    let question = Arc::new(ask(snapshot, table, tier, needed));
    let Answer::Ready(answer) = BuiltIn.rank(&question) else {
        panic!("the built-in ranking never waits")
    };
    guard::plan(&question, table, &answer)
}

fn keeping_one(keep_one: bool) -> TierTable {
    TierTable::new(TierTable::default().rules(), 1, keep_one).unwrap()
}

const HINTED: Protection = Protection::Protected(ProtectionReason::Hinted);

/// T1: 2 gone, 2 detached, 2 half-open, 2 healthy.
fn eight() -> Vec<Row> {
    vec![
        row("gone-1", 10).with_standing(Standing::Expired),
        row("gone-2", 20).with_health(Health::Dead),
        row("away-1", 1_800_000).with_standing(Standing::Detached),
        row("away-2", 1_800_001).with_standing(Standing::Detached),
        row("zombie-1", 7_200_000).with_health(Health::HalfOpen),
        row("zombie-2", 7_200_001).with_health(Health::HalfOpen),
        row("well-1", 5).with_health(Health::Alive),
        row("well-2", 9_000_000).with_health(Health::Alive),
    ]
}

/// T1: each tier takes what it may and no more; the healthy two survive all three.
#[test]
fn t1_tiers_take_two_four_six() {
    let (snapshot, table) = (snapshot(8, eight()), TierTable::default());
    let taken = |tier| {
        let mut victims = builtin_plan(&snapshot, &table, tier, 8).victims().to_vec();
        victims.sort_by(|a, b| a.key.cmp(&b.key));
        victims
            .into_iter()
            .map(|victim| victim.key.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(taken(Tier::Conservative), ["gone-1", "gone-2"]);
    assert_eq!(
        taken(Tier::Moderate),
        ["away-1", "away-2", "gone-1", "gone-2"]
    );
    assert_eq!(
        taken(Tier::Aggressive),
        [
            "away-1", "away-2", "gone-1", "gone-2", "zombie-1", "zombie-2"
        ]
    );
}

/// T7: 20 healthy managers; force takes exactly one, the one idle longest.
#[test]
fn t7_force_takes_the_one_idle_longest_and_no_more() {
    let rows = (0..20)
        .map(|n| row(&format!("k{n:02}"), n * 1_000 % 19_000))
        .collect();
    let (snapshot, table) = (snapshot(20, rows), TierTable::default());
    for tier in [
        Tier::Proactive,
        Tier::Conservative,
        Tier::Moderate,
        Tier::Aggressive,
    ] {
        assert_eq!(
            keys(&builtin_plan(&snapshot, &table, tier, 1)),
            Vec::<&str>::new()
        );
    }
    assert_eq!(
        keys(&builtin_plan(&snapshot, &table, Tier::Force, 1)),
        ["k18"]
    );
    assert_eq!(
        keys(&builtin_plan(&snapshot, &table, Tier::Force, 0)),
        Vec::<&str>::new()
    );
}

/// T12: rows that do not exist or come twice are struck and counted; the rest is honoured.
#[test]
fn t12_a_lying_ranking_is_struck_and_the_rest_honoured() {
    let (snapshot, table) = (snapshot(8, eight()), TierTable::default());
    let question = ask(&snapshot, &table, Tier::Conservative, 2);
    let plan = guard::plan(&question, &table, &answer(&[99, u32::MAX, 1, 1, 0]));
    assert_eq!(
        plan.victims()
            .iter()
            .map(|victim| victim.row)
            .collect::<Vec<_>>(),
        [1, 0]
    );
    assert_eq!(
        plan.refusals()
            .iter()
            .map(|refusal| refusal.why)
            .collect::<Vec<_>>(),
        [
            RejectReason::NoSuchRow,
            RejectReason::NoSuchRow,
            RejectReason::Repeated
        ]
    );
}

/// The guard does not rely on the question having been narrowed.
#[test]
fn a_question_that_shows_too_much_does_no_harm() {
    let rows = vec![
        row("newborn", 1).with_standing(Standing::Newborn),
        row("pinned", 2)
            .with_protection(Protection::Pinned)
            .with_health(Health::Dead),
        row("hinted", 3)
            .with_protection(HINTED)
            .with_health(Health::HalfOpen),
        row("well", 4),
        row("dead", 5)
            .with_health(Health::Dead)
            .with_protection(HINTED),
    ];
    let (snapshot, table) = (snapshot(5, rows), TierTable::default());
    let question = Question {
        rows: snapshot.rows.clone(),
        ..ask(&snapshot, &table, Tier::Aggressive, 5)
    };
    let plan = guard::plan(&question, &table, &answer(&[4, 3, 2, 1, 0]));
    assert_eq!(keys(&plan), ["dead"]);
    assert_eq!(
        plan.refusals()
            .iter()
            .map(|refusal| refusal.why)
            .collect::<Vec<_>>(),
        [
            RejectReason::Newborn,
            RejectReason::Pinned,
            RejectReason::Protected,
            RejectReason::NotAtThisTier
        ]
    );
}

/// T14: protected managers are skipped below force; if only they remain, force still makes room.
#[test]
fn t14_protection_yields_at_force_only() {
    let rows = (0..20)
        .map(|n| row(&format!("k{n:02}"), n).with_protection(HINTED))
        .collect();
    let (snapshot, table) = (snapshot(20, rows), TierTable::default());
    assert!(
        builtin_plan(&snapshot, &table, Tier::Moderate, 1)
            .victims()
            .is_empty()
    );
    assert_eq!(
        keys(&builtin_plan(&snapshot, &table, Tier::Force, 1)),
        ["k19"]
    );
}

/// T15: the same input gives the same plan, and ties go to the last activity, then the key.
#[test]
fn t15_ties_are_broken_by_activity_then_key() {
    let rows = ["c", "a", "b"].map(|key| row(key, 50).with_health(Health::HalfOpen));
    let (snapshot, table) = (snapshot(3, rows.to_vec()), TierTable::default());
    assert_eq!(
        keys(&builtin_plan(&snapshot, &table, Tier::Aggressive, 2)),
        ["a", "b", "c"]
    );
}

/// U2 for the last one: with `keep_one`, nobody is left with nothing that answers.
#[test]
fn the_last_responsive_one_is_kept_if_asked_for() {
    let rows = vec![row("a", 5), row("b", 9).of("bob"), row("c", 1).of("bob")];
    let table = keeping_one(true);
    let snapshot = Snapshot {
        scope: Scope::Node,
        ..snapshot(3, rows)
    };
    let question = ask(&snapshot, &table, Tier::Force, 3);
    let plan = guard::plan(&question, &table, &answer(&[0, 1, 2]));
    assert_eq!(keys(&plan), ["b"]);
    assert_eq!(
        plan.refusals()
            .iter()
            .map(|refusal| refusal.why)
            .collect::<Vec<_>>(),
        [RejectReason::LastResponsive, RejectReason::LastResponsive]
    );
}

/// A pinned one that still answers counts as the one that is kept.
#[test]
fn a_pinned_manager_counts_as_the_one_kept() {
    let rows = vec![row("a", 5), row("b", 9).with_protection(Protection::Pinned)];
    let table = keeping_one(true);
    assert_eq!(
        keys(&builtin_plan(&snapshot(2, rows), &table, Tier::Force, 1)),
        ["a"]
    );
}

/// Envoy's documented example: 92 % between 85 and 95 % of 600 s down to 2 s is 181.4 s.
#[test]
fn the_scaled_idle_time_matches_envoys_example() {
    let table = TierTable::default();
    let ttl = table.rule(Tier::Proactive).idle_ttl.unwrap();
    assert!((ttl.ms_at(0.92) - 181_400.0).abs() < 1e-6);
    assert_eq!((ttl.ms_at(0.0), ttl.ms_at(0.85)), (600_000.0, 600_000.0));
    assert_eq!((ttl.ms_at(0.95), ttl.ms_at(7.0)), (2_000.0, 2_000.0));
}

#[test]
fn a_table_that_breaks_a_promise_is_refused() {
    let change = |tier: Tier, change: &dyn Fn(&mut TierRule)| {
        let mut rules = TierTable::default().rules();
        change(
            rules
                .iter_mut()
                .zip(Tier::ALL)
                .find(|(_, each)| *each == tier)
                .unwrap()
                .0,
        );
        TierTable::new(rules, 1, false).unwrap_err()
    };
    assert_eq!(
        change(Tier::Moderate, &|rule| rule.admits.push(Class::Responsive)),
        InvalidTable::ResponsiveBelowForce(Tier::Moderate)
    );
    assert_eq!(
        change(Tier::Force, &|rule| rule.take = Take::NeededAndReserve),
        InvalidTable::ForceTakesMore
    );
    let ttl = IdleTtl {
        max: Duration::ZERO,
        min: Duration::from_secs(1),
        scale: 0.1,
        saturation: 0.9,
    };
    assert_eq!(
        change(Tier::Proactive, &|rule| rule.idle_ttl = Some(ttl)),
        InvalidTable::IdleTtl(Tier::Proactive)
    );
}

fn any_row() -> impl Strategy<Value = Row> {
    let standing = prop_oneof![
        Just(Standing::Newborn),
        Just(Standing::NeverAttached),
        Just(Standing::Attached),
        Just(Standing::Attached),
        Just(Standing::Detached),
        Just(Standing::Expired),
    ];
    let protection = prop_oneof![
        Just(Protection::Evictable),
        Just(HINTED),
        Just(Protection::Pinned)
    ];
    let health = proptest::sample::select(Health::ALL.to_vec());
    (
        0_u64..1_000_000,
        standing,
        health,
        protection,
        any::<bool>(),
        0..3_u8,
    )
        .prop_map(
            |(idle, standing, health, protection, taken_over, user)| Row {
                taken_over,
                ..row(&format!("k{idle}"), idle)
                    .with_standing(standing)
                    .with_health(health)
                    .with_protection(protection)
                    .of(&format!("u{user}"))
            },
        )
}

fn any_answer() -> impl Strategy<Value = Ranked> {
    let score = prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY)];
    let choice = (prop_oneof![0_u32..30, any::<u32>()], score, any::<u16>())
        .prop_map(|(row, score, reason)| Choice { row, score, reason });
    let choices = proptest::collection::vec(choice, 0..60);
    prop_oneof![
        4 => choices.prop_map(|choices| ranked(Ok(Ranking { choices }))),
        1 => Just(ranked(Err(Fault::OutOfFuel(1)))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Promises 3, 4 and 5 for any managers, any ranking and any demand.
    #[test]
    fn no_ranking_breaks_a_promise(
        rows in proptest::collection::vec(any_row(), 0..30),
        answer in any_answer(),
        tier in proptest::sample::select(Tier::ALL.to_vec()),
        needed in 0_u32..12,
        narrowed in any::<bool>(),
        keep_one in any::<bool>(),
    ) {
        let table = keeping_one(keep_one);
        let snapshot = snapshot(20, rows);
        let mut question = ask(&snapshot, &table, tier, needed);
        if !narrowed && !keep_one {
            question.rows.clone_from(&snapshot.rows);
        }
        let plan = guard::plan(&question, &table, &answer);
        let row_of = |victim: &Victim| question.rows.get(victim.row as usize).unwrap();
        let eligible: Vec<&Row> = question
            .rows
            .iter()
            .filter(|row| table.admits(tier, question.occupancy(), row))
            .collect();

        let mut seen = std::collections::HashSet::new();
        for victim in plan.victims() {
            let row = row_of(victim);
            prop_assert_eq!(row.manager, victim.manager);
            prop_assert!(seen.insert(victim.row), "taken twice");
            prop_assert!(table.admits(tier, question.occupancy(), row), "not at this tier");
            prop_assert!(row.standing != Standing::Newborn && row.protection != Protection::Pinned);
            if tier != Tier::Force {
                prop_assert!(row.class() != Some(Class::Responsive), "quiet is not dead");
            }
        }
        let most = table.most(tier, needed, eligible.len() as u32) as usize;
        prop_assert!(plan.victims().len() <= most);

        if tier == Tier::Force && !keep_one {
            prop_assert_eq!(plan.victims().len(), eligible.len().min(needed as usize));
        }
        if tier == Tier::Force {
            let spared = |row: &&Row| !plan.victims().iter().any(|victim| victim.manager == row.manager);
            let worse_left = eligible.iter().copied().filter(spared)
                .any(|row| row.class() != Some(Class::Responsive));
            let responsive_taken = plan.victims().iter()
                .any(|victim| victim.class == Class::Responsive);
            prop_assert!(!(worse_left && responsive_taken), "worst first");
        }
        if tier == Tier::Force && keep_one {
            for victim in plan.victims().iter().filter(|v| v.class == Class::Responsive) {
                let user = &row_of(victim).user;
                let left = snapshot.rows.iter()
                    .filter(|row| &row.user == user && row.class() == Some(Class::Responsive))
                    .filter(|row| !plan.victims().iter().any(|v| v.manager == row.manager))
                    .count();
                prop_assert!(left >= 1, "left with nothing that answers");
            }
        }
        if answer.outcome.is_err() {
            let everyone = most.min(eligible.len());
            prop_assert!(keep_one || plan.victims().len() == everyone, "a fault loses no room");
        }
        // The same input gives the same plan.
        prop_assert_eq!(&guard::plan(&question, &table, &answer), &plan);
    }

    /// The built-in ranking sorts no further than asked, and the head is that of the full order.
    #[test]
    fn the_head_of_the_order_is_the_order_of_the_head(
        rows in proptest::collection::vec(any_row(), 0..40),
        most in 0_u32..50,
    ) {
        let (snapshot, table) = (snapshot(20, rows), TierTable::default());
        let question = ask(&snapshot, &table, Tier::Force, 3);
        let mut full = builtin::order(&question);
        full.truncate(most as usize);
        prop_assert_eq!(builtin::best(&question, most), full);
    }
}
