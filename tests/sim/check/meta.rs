//! Checkers that cannot fail prove nothing: each is shown what it must let pass and what not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wastegate::decision::{Class, Standing};
use wastegate::manager::EndReport;
use wastegate::types::{CloseReason, Health, Protection, ProtectionReason, Scope, Tier, Timestamp};

use super::Checker;
use crate::rules::{Facts, Rules};
use crate::seen::{
    Answer, Answered, Asked, Counts, Decided, Evicted, Held, Leftovers, Seen, Truth,
};

const SECOND: Duration = Duration::from_secs(1);

/// What a checker says to a stream of observations, one a second.
fn said(mut checker: impl Checker, stream: Vec<Seen>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, seen) in (1..).zip(&stream) {
        checker.see(Timestamp::from_millis(at * 1_000), seen, &mut wrong);
    }
    wrong
}

#[track_caller]
fn passes(checker: impl Checker, stream: Vec<Seen>) {
    assert_eq!(said(checker, stream), Vec::<String>::new());
}

#[track_caller]
fn fails(checker: impl Checker, stream: Vec<Seen>, with: &str) {
    let wrong = said(checker, stream);
    assert!(
        wrong.iter().any(|what| what.contains(with)),
        "{wrong:?} without {with:?}"
    );
}

fn rules() -> Rules {
    Rules {
        enabled: Tier::ALL.into_iter().collect(),
        user_last_tier: Tier::Force,
        node_last_tier: Tier::Aggressive,
        reserve: 1,
        keep_one: false,
        force_rationed: false,
        managers_per_user: 3,
    }
}

fn facts(key: &str, standing: Standing, health: Health) -> Facts {
    Facts {
        user: "ann".to_owned(),
        key: key.to_owned(),
        life: 7,
        standing,
        health,
        taken_over: false,
        protection: Protection::Evictable,
        idle_ms: 10.0,
        age_ms: 1e9,
    }
}

fn responsive(key: &str) -> Facts {
    facts(key, Standing::Attached, Health::Alive)
}

fn suspect(key: &str) -> Facts {
    facts(key, Standing::Attached, Health::Suspect)
}

/// A silent manager leaves at aggressive, for somebody who waits.
fn eviction(tier: Tier, facts: Facts) -> Evicted {
    Evicted {
        tier,
        scope: Scope::User,
        occupancy: 1.0,
        class: facts.kind().unwrap_or(Class::Expired),
        facts,
        truth: Truth::default(),
        newborn: false,
        free: 1,
        knocking: 1,
        links: vec![1],
        still_held: false,
    }
}

/// The first row goes.
fn decision(tier: Tier, rows: Vec<Facts>) -> Decided {
    Decided {
        tier,
        scope: Scope::User,
        needed: 1,
        most: 1,
        fault: None,
        rows,
        outside: Vec::new(),
        waited: Duration::ZERO,
        choices: vec![0],
        victims: vec![0],
        no_such_row: 0,
        repeated: 0,
        not_numbers: 0,
        outcomes: vec!["aborted"],
    }
}

#[test]
fn promise_1_notices_a_limit_that_does_not_hold() {
    let limit = || super::limit::Limit {
        per_user: 3,
        temporary: 2,
        in_all: 4,
    };
    let counts = |held, ceiling, total| {
        let user = "ann".to_owned();
        let users = vec![Held {
            user,
            held,
            ceiling,
        }];
        vec![Seen::Counts(Counts { users, total })]
    };
    passes(limit(), counts(3, 3, 3));
    passes(limit(), counts(4, 5, 4));
    fails(limit(), counts(4, 3, 4), "holds 4 of 3");
    fails(limit(), counts(4, 4, 4), "a ceiling of 4");
    fails(limit(), counts(3, 3, 2), "2 in all");
    fails(limit(), counts(5, 5, 5), "the node holds 5 of 4");
    fails(limit(), counts(0, 3, 0), "holds nothing");
}

#[test]
fn promise_2_notices_a_lock_out() {
    let admissions = || super::admission::Admissions {
        budget: SECOND * 2,
        queue_wait: SECOND * 5,
        rules: rules(),
        open: BTreeMap::new(),
    };
    let knock = || Seen::Knocked {
        knock: 1,
        user: "ann".to_owned(),
        key: "k".to_owned(),
    };
    let answered = |took, answer, around| {
        Seen::Answered(Answered {
            knock: 1,
            user: "ann".to_owned(),
            took,
            queued: false,
            ahead: 0,
            answer,
            around,
        })
    };
    let refused = |why, code, retry_after| Answer::Refused {
        why,
        code,
        retry_after,
        held: 3,
        limit: 3,
    };
    let no = || refused("user-limit", 4_429, SECOND);
    let newborn = || vec![facts("k1", Standing::Newborn, Health::Unknown)];
    let silent = || vec![suspect("k1")];
    passes(
        admissions(),
        vec![knock(), answered(SECOND, no(), newborn())],
    );
    fails(
        admissions(),
        vec![knock(), answered(SECOND, no(), silent())],
        "although these may go",
    );
    let node = refused("node-limit", 4_433, SECOND);
    passes(
        admissions(),
        vec![knock(), answered(SECOND, node, vec![responsive("k1")])],
    );
    fails(
        admissions(),
        vec![knock(), answered(SECOND * 3, Answer::In, vec![])],
        "took 3s of 2s",
    );
    fails(
        admissions(),
        vec![knock(), Seen::Finished(Leftovers::default())],
        "never answered",
    );
    let twice = vec![
        knock(),
        answered(SECOND, Answer::In, vec![]),
        answered(SECOND, Answer::In, vec![]),
    ];
    fails(admissions(), twice, "answered twice");
    for mute in [
        refused("", 4_429, SECOND),
        refused("x", 1_006, SECOND),
        refused("x", 4_429, Duration::ZERO),
    ] {
        fails(
            admissions(),
            vec![knock(), answered(SECOND, mute, vec![])],
            "without a word",
        );
    }
}

#[test]
fn promise_3_notices_who_is_evicted_for_being_quiet() {
    let quiet = |keep_one| super::quiet::Quiet {
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
        quiet(false),
        evicted(Tier::Aggressive, suspect("k"), nothing, 1),
    );
    fails(
        quiet(false),
        evicted(Tier::Aggressive, suspect("k"), able, 1),
        "could have answered",
    );
    fails(
        quiet(false),
        evicted(Tier::Moderate, responsive("k"), nothing, 1),
        "answers and was",
    );
    passes(quiet(false), evicted(Tier::Moderate, stuck(), busy, 1));
    fails(
        quiet(false),
        evicted(Tier::Moderate, stuck(), nothing, 1),
        "evicted as stuck",
    );
    passes(quiet(false), evicted(Tier::Force, responsive("k"), able, 1));
    fails(
        quiet(false),
        evicted(Tier::Force, responsive("k"), able, 2),
        "for nothing",
    );

    let decided = |rows| vec![Seen::Decided(decision(Tier::Force, rows))];
    passes(quiet(true), decided(vec![responsive("a"), responsive("b")]));
    fails(
        quiet(true),
        decided(vec![responsive("a")]),
        "no manager that answers",
    );
    fails(
        quiet(false),
        decided(vec![responsive("a"), suspect("b")]),
        "missed more",
    );
    let held = Facts {
        protection: Protection::Protected(ProtectionReason::InFlight),
        ..responsive("a")
    };
    fails(
        quiet(false),
        decided(vec![held, responsive("b")]),
        "missed more",
    );
    let rows = vec![responsive("a"), responsive("b")];
    let two = Decided {
        victims: vec![0, 1],
        ..decision(Tier::Force, rows)
    };
    fails(
        quiet(false),
        vec![Seen::Decided(two)],
        "force planned 2 for 1",
    );
}

#[test]
fn promise_4_notices_what_the_guard_lets_through() {
    let guard = || super::guard::Guard { rules: rules() };
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
        guard(),
        asked(Tier::Aggressive, vec![suspect("a")], both(), 1),
    );
    fails(
        guard(),
        asked(Tier::Aggressive, both(), both(), 1),
        "b may not be touched",
    );
    fails(
        guard(),
        asked(Tier::Aggressive, vec![], both(), 0),
        "a may be touched",
    );
    fails(
        guard(),
        asked(Tier::Force, both(), both(), 2),
        "would take 2",
    );

    let evicted = |change: fn(&mut Evicted)| {
        let mut one = eviction(Tier::Aggressive, suspect("k"));
        change(&mut one);
        vec![Seen::Evicted(one)]
    };
    passes(guard(), evicted(|_| {}));
    fails(
        guard(),
        evicted(|one| one.tier = Tier::Moderate),
        "was evicted at moderate",
    );
    fails(guard(), evicted(|one| one.truth.pinned = true), "is pinned");
    fails(
        guard(),
        evicted(|one| one.facts.protection = Protection::Pinned),
        "is pinned",
    );
    fails(
        guard(),
        evicted(|one| one.newborn = true),
        "on the way to it",
    );
    fails(
        guard(),
        evicted(|one| one.class = Class::Dead),
        "was taken as Dead",
    );
    fails(
        guard(),
        evicted(|one| one.facts.standing = Standing::Newborn),
        "was evicted",
    );

    let decided = |change: fn(&mut Decided)| {
        let mut one = decision(Tier::Aggressive, vec![suspect("a"), suspect("b")]);
        change(&mut one);
        vec![Seen::Decided(one)]
    };
    passes(guard(), decided(|_| {}));
    fails(
        guard(),
        decided(|one| one.victims = vec![2]),
        "a plan of [2]",
    );
    fails(
        guard(),
        decided(|one| one.victims = vec![0, 0]),
        "a plan of [0, 0]",
    );
    fails(
        guard(),
        decided(|one| one.victims = vec![0, 1]),
        "where 1 may go",
    );
    fails(
        guard(),
        decided(|one| one.choices = vec![9]),
        "1 choices of no row",
    );
    fails(
        guard(),
        decided(|one| one.choices = vec![1, 1]),
        "1 choices of a row twice",
    );
}

#[test]
fn promise_5_notices_a_policy_that_hurts() {
    let completed = || super::policy::Completed {
        keep_one: false,
        deadline: SECOND,
    };
    let decided = |change: fn(&mut Decided)| {
        let mut one = decision(Tier::Moderate, vec![suspect("a")]);
        change(&mut one);
        vec![Seen::Decided(one)]
    };
    passes(completed(), decided(|one| one.victims = vec![]));
    fails(
        completed(),
        decided(|one| (one.victims, one.fault) = (vec![], Some("trap"))),
        "planned 0 of 1",
    );
    fails(
        completed(),
        decided(|one| (one.victims, one.tier) = (vec![], Tier::Force)),
        "planned 0 of 1",
    );
    fails(
        completed(),
        decided(|one| one.waited = SECOND * 2),
        "waited 2s",
    );
}

#[test]
fn promise_6_notices_slow_probes_and_a_verdict_without_one() {
    let probes = || super::probe::Probes { deadline: SECOND };
    let probed = |took| vec![Seen::Probed { managers: 9, took }];
    passes(probes(), probed(SECOND));
    fails(probes(), probed(SECOND * 9), "took 9s");
    let unknown = facts("k", Standing::Attached, Health::Unknown);
    let evicted = |tier| vec![Seen::Evicted(eviction(tier, unknown.clone()))];
    passes(probes(), evicted(Tier::Force));
    fails(probes(), evicted(Tier::Aggressive), "is unknown");
}

#[test]
fn promise_7_notices_what_does_not_end() {
    let endings = || super::ending::Endings {
        close_deadline: SECOND,
        links: BTreeMap::new(),
    };
    let report = |reason| EndReport {
        reason,
        echoed_after: None,
        aborted: false,
    };
    let (closed, gone) = (
        report(CloseReason::ClientClosed),
        report(CloseReason::ClientGone),
    );
    let opened = || Seen::Opened { link: 1, life: 7 };
    let ended = |report, stands| Seen::Ended {
        link: 1,
        report,
        stands,
        code: 1_000,
    };
    let once = || ended(closed, Some(closed));
    let evicted = || Seen::Evicted(eviction(Tier::Aggressive, suspect("k")));
    let finished = |left| Seen::Finished(left);
    let clean = || finished(Leftovers::default());
    passes(endings(), vec![opened(), evicted(), once(), clean()]);
    fails(endings(), vec![once()], "never began");
    fails(endings(), vec![opened(), once(), once()], "ended 2 times");
    fails(
        endings(),
        vec![opened(), ended(closed, Some(gone))],
        "its port as",
    );
    fails(endings(), vec![opened(), clean()], "never ended");
    let told = Seen::Told {
        link: 1,
        code: 4_001,
    };
    fails(endings(), vec![opened(), told, once(), clean()], "was told");
    let idle = || Seen::GaveUp { knock: 1 };
    fails(
        endings(),
        vec![opened(), evicted(), idle(), once()],
        "2s after its eviction",
    );
    let still = Seen::Evicted(Evicted {
        still_held: true,
        ..eviction(Tier::Force, responsive("k"))
    });
    fails(endings(), vec![still], "still has its slot");
    let nothing = Leftovers::default();
    for left in [
        Leftovers {
            total: 1,
            ..nothing
        },
        Leftovers {
            users: 1,
            ..nothing
        },
        Leftovers {
            tasks: 1,
            ..nothing
        },
        Leftovers {
            queued: 1,
            ..nothing
        },
        Leftovers {
            unattended: 1,
            ..nothing
        },
    ] {
        fails(endings(), vec![finished(left)], "1 ");
    }
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
