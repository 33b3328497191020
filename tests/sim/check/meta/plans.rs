//! Promises 3 and 4, and the table both go by: who is asked about, chosen and evicted.

use std::collections::BTreeSet;

use wastegate_core::decision::{Class, Standing};
use wastegate_core::types::{Health, Protection, ProtectionReason, Scope, Tier};

use super::{SECOND, decision, eviction, facts, fails, passes, responsive, rules, suspect};
use crate::check::{guard, quiet, stalled};
use crate::rules::Facts;
use crate::seen::{Asked, Decided, Evicted, Seen, Truth};

#[test]
fn promise_3_notices_who_is_evicted_for_being_quiet() {
    let checker = |keep_one| quiet::Quiet {
        probe_deadline: SECOND,
        stuck_after: SECOND * 5,
        keep_one,
    };
    let evicted = |tier, facts, truth, free| {
        vec![Seen::Evicted(Evicted {
            truth,
            free,
            ..eviction(tier, facts)
        })]
    };
    let nothing = Truth::default();
    let able = Truth {
        able_for: Some(SECOND * 2),
        ..nothing
    };
    let busy = Truth {
        busy_for: Some(SECOND * 6),
        ..nothing
    };
    let stuck = || facts("k", Standing::Attached, Health::Stuck);
    passes(
        checker(false),
        evicted(Tier::Aggressive, suspect("k"), nothing, 1),
    );
    fails(
        checker(false),
        evicted(Tier::Aggressive, suspect("k"), able, 1),
        "could have answered",
    );
    fails(
        checker(false),
        evicted(Tier::Moderate, responsive("k"), nothing, 1),
        "answers and was",
    );
    passes(checker(false), evicted(Tier::Moderate, stuck(), busy, 1));
    fails(
        checker(false),
        evicted(Tier::Moderate, stuck(), nothing, 1),
        "evicted as stuck",
    );
    passes(
        checker(false),
        evicted(Tier::Force, responsive("k"), able, 1),
    );
    fails(
        checker(false),
        evicted(Tier::Force, responsive("k"), able, 2),
        "for nothing",
    );

    let decided = |rows| vec![Seen::Decided(decision(Tier::Force, rows))];
    passes(
        checker(true),
        decided(vec![responsive("a"), responsive("b")]),
    );
    fails(
        checker(true),
        decided(vec![responsive("a")]),
        "no manager that answers",
    );
    fails(
        checker(false),
        decided(vec![responsive("a"), suspect("b")]),
        "missed more",
    );
    let held = Facts {
        protection: Protection::Protected(ProtectionReason::InFlight),
        ..responsive("a")
    };
    fails(
        checker(false),
        decided(vec![held, responsive("b")]),
        "missed more",
    );
    let rows = vec![responsive("a"), responsive("b")];
    let two = Decided {
        victims: vec![0, 1],
        ..decision(Tier::Force, rows)
    };
    fails(
        checker(false),
        vec![Seen::Decided(two)],
        "force planned 2 for 1",
    );
}

/// Not who is slow for a moment, not one that cannot answer itself, and not in its place.
#[test]
fn the_stalled_are_noticed_beside_a_live_one_that_goes() {
    let checker = || stalled::Stalled {
        known_after: SECOND * 3,
        probe_deadline: SECOND,
    };
    let evicted = |facts, able_for, lasting| {
        let truth = Truth {
            able_for,
            ..Truth::default()
        };
        vec![Seen::Evicted(Evicted {
            truth,
            takes_nothing: vec![("ann/stopped".to_owned(), lasting)],
            ..eviction(Tier::Force, facts)
        })]
    };
    let live = || responsive("k");
    passes(checker(), evicted(live(), Some(SECOND * 9), SECOND * 2));
    passes(checker(), evicted(live(), None, SECOND * 9));
    passes(checker(), evicted(suspect("k"), None, SECOND * 9));
    fails(
        checker(),
        evicted(live(), Some(SECOND * 9), SECOND * 4),
        "ann/stopped has taken nothing for 4s",
    );
}

#[test]
fn promise_4_notices_what_the_guard_lets_through() {
    let checker = || guard::Guard { rules: rules() };
    let asked = |tier, rows: Vec<Facts>, around: Vec<Facts>, most| {
        let (scope, needed, occupancy) = (Scope::User, 1, 1.0);
        vec![Seen::Asked(Asked {
            tier,
            scope,
            needed,
            most,
            occupancy,
            rows,
            around,
        })]
    };
    let both = || vec![suspect("a"), responsive("b")];
    passes(
        checker(),
        asked(Tier::Aggressive, vec![suspect("a")], both(), 1),
    );
    fails(
        checker(),
        asked(Tier::Aggressive, both(), both(), 1),
        "b may not be touched",
    );
    fails(
        checker(),
        asked(Tier::Aggressive, vec![], both(), 0),
        "a may be touched",
    );
    fails(
        checker(),
        asked(Tier::Force, both(), both(), 2),
        "would take 2",
    );

    let evicted = |change: fn(&mut Evicted)| {
        let mut one = eviction(Tier::Aggressive, suspect("k"));
        change(&mut one);
        vec![Seen::Evicted(one)]
    };
    passes(checker(), evicted(|_| {}));
    fails(
        checker(),
        evicted(|one| one.tier = Tier::Moderate),
        "was evicted at moderate",
    );
    fails(
        checker(),
        evicted(|one| one.truth.pinned = true),
        "is pinned",
    );
    fails(
        checker(),
        evicted(|one| one.facts.protection = Protection::Pinned),
        "is pinned",
    );
    fails(
        checker(),
        evicted(|one| one.newborn = true),
        "on the way to it",
    );
    fails(
        checker(),
        evicted(|one| one.class = Class::Dead),
        "was taken as Dead",
    );
    fails(
        checker(),
        evicted(|one| one.facts.standing = Standing::Newborn),
        "was evicted",
    );

    let decided = |change: fn(&mut Decided)| {
        let mut one = decision(Tier::Aggressive, vec![suspect("a"), suspect("b")]);
        change(&mut one);
        vec![Seen::Decided(one)]
    };
    passes(checker(), decided(|_| {}));
    fails(
        checker(),
        decided(|one| one.victims = vec![2]),
        "a plan of [2]",
    );
    fails(
        checker(),
        decided(|one| one.victims = vec![0, 0]),
        "a plan of [0, 0]",
    );
    fails(
        checker(),
        decided(|one| one.victims = vec![0, 1]),
        "where 1 may go",
    );
    fails(
        checker(),
        decided(|one| one.choices = vec![9]),
        "1 choices of no row",
    );
    fails(
        checker(),
        decided(|one| one.choices = vec![1, 1]),
        "1 choices of a row twice",
    );
}

/// The rules of this side are the table of the design, row by row.
#[test]
fn the_rules_are_the_designs() {
    let detached = facts("k", Standing::Detached, Health::Unknown);
    let expired = facts("k", Standing::Expired, Health::Unknown);
    let half_open = facts("k", Standing::Attached, Health::HalfOpen);
    let stuck = facts("k", Standing::Attached, Health::Stuck);
    let newborn = facts("k", Standing::Newborn, Health::Dead);
    let from = |facts: &Facts| {
        let tiers = Tier::ADMISSION.into_iter();
        tiers
            .filter(|tier| rules().may_touch(*tier, 0.5, facts))
            .collect::<BTreeSet<Tier>>()
    };
    let since = |tier: Tier| {
        Tier::ADMISSION
            .into_iter()
            .filter(|other| *other >= tier)
            .collect()
    };
    assert_eq!(from(&expired), since(Tier::Conservative));
    assert_eq!(from(&detached), since(Tier::Moderate));
    assert_eq!(from(&stuck), since(Tier::Moderate));
    assert_eq!(from(&half_open), since(Tier::Aggressive));
    assert_eq!(from(&suspect("k")), since(Tier::Aggressive));
    assert_eq!(from(&responsive("k")), since(Tier::Force));
    assert_eq!(from(&newborn), BTreeSet::new());
}
