//! Checkers that cannot fail prove nothing: each is shown what it must let pass and what not.

mod ends;
mod plans;

use std::time::Duration;

use wastegate_core::decision::{Class, Standing};
use wastegate_core::types::{Health, Protection, Scope, Tier, Timestamp};

use super::Checker;
use crate::rules::{Facts, Rules};
use crate::seen::{Decided, Evicted, Seen, Truth};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// What a checker says to a stream of observations, one a second.
pub(super) fn said(mut checker: impl Checker, stream: Vec<Seen>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, seen) in (1..).zip(&stream) {
        checker.see(Timestamp::from_millis(at * 1_000), seen, &mut wrong);
    }
    wrong
}

#[track_caller]
pub(super) fn passes(checker: impl Checker, stream: Vec<Seen>) {
    assert_eq!(said(checker, stream), Vec::<String>::new());
}

#[track_caller]
pub(super) fn fails(checker: impl Checker, stream: Vec<Seen>, with: &str) {
    let wrong = said(checker, stream);
    assert!(
        wrong.iter().any(|what| what.contains(with)),
        "{wrong:?} without {with:?}"
    );
}

pub(super) fn rules() -> Rules {
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

pub(super) fn facts(key: &str, standing: Standing, health: Health) -> Facts {
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
        queued_bytes: 0.0,
    }
}

pub(super) fn responsive(key: &str) -> Facts {
    facts(key, Standing::Attached, Health::Alive)
}

pub(super) fn suspect(key: &str) -> Facts {
    facts(key, Standing::Attached, Health::Suspect)
}

/// A silent manager leaves at aggressive, for somebody who waits.
pub(super) fn eviction(tier: Tier, facts: Facts) -> Evicted {
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
        takes_nothing: Vec::new(),
        links: vec![1],
        still_held: false,
    }
}

/// The first row goes.
pub(super) fn decision(tier: Tier, rows: Vec<Facts>) -> Decided {
    Decided {
        tier,
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
