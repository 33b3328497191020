//! Promises 1, 2 and 5 to 7: what is held, answered, waited for and left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use wastegate::manager::EndReport;
use wastegate_core::decision::Standing;
use wastegate_core::types::{CloseReason, Health, Tier};

use super::{SECOND, decision, eviction, facts, fails, passes, responsive, rules, suspect};
use crate::check::{admission, ending, limit, policy, probe};
use crate::seen::{Answer, Answered, Counts, Decided, Evicted, Held, Leftovers, Seen};

#[test]
fn promise_1_notices_a_limit_that_does_not_hold() {
    let checker = || limit::Limit {
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
    passes(checker(), counts(3, 3, 3));
    passes(checker(), counts(4, 5, 4));
    fails(checker(), counts(4, 3, 4), "holds 4 of 3");
    fails(checker(), counts(4, 4, 4), "a ceiling of 4");
    fails(checker(), counts(3, 3, 2), "2 in all");
    fails(checker(), counts(5, 5, 5), "the node holds 5 of 4");
    fails(checker(), counts(0, 3, 0), "holds nothing");
}

#[test]
fn promise_2_notices_a_lock_out() {
    let admissions = || admission::Admissions {
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
fn promise_5_notices_a_policy_that_hurts() {
    let completed = || policy::Completed {
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
    let probes = || probe::Probes { deadline: SECOND };
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
    let endings = || ending::Endings {
        listened: SECOND,
        links: BTreeMap::new(),
    };
    let report = |reason| EndReport {
        reason,
        echoed_after: None,
        aborted: false,
        undecided: false,
    };
    let (closed, gone) = (
        report(CloseReason::ClientClosed),
        report(CloseReason::ClientGone),
    );
    let opened = || Seen::Opened { link: 1 };
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
