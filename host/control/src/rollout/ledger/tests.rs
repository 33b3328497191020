//! The ledger by properties: whatever operators do, everything seated is there, a rollback is the
//! way back, and what is written down is read again.

use proptest::prelude::*;

use super::*;
use crate::rollout::actor::Actor;
use crate::rollout::source::PolicyOrigin;

/// A change that somebody makes.
#[derive(Debug, Clone)]
enum Act {
    /// A file of a policy: which policy, which bytes.
    Accept(u8, u8),
    /// A seat or all, and the n-th revision from the end, or the built-in ranking.
    Put(Option<Tier>, Option<usize>),
    Rollback(Option<Tier>),
    GiveUp(Tier),
    Prune(usize),
}

fn tier() -> impl Strategy<Value = Tier> {
    prop::sample::select(Tier::ALL.to_vec())
}

fn act() -> impl Strategy<Value = Act> {
    let place = || prop::option::of(tier());
    prop_oneof![
        4 => (0..3_u8, 0..5_u8).prop_map(|(policy, bytes)| Act::Accept(policy, bytes)),
        6 => (place(), prop::option::weighted(0.8, 0..8_usize)).prop_map(|(tier, which)| Act::Put(tier, which)),
        3 => place().prop_map(Act::Rollback),
        1 => tier().prop_map(Act::GiveUp),
        2 => (1..4_usize).prop_map(Act::Prune),
    ]
}

fn revision(policy: u8, bytes: u8) -> Revision {
    Revision {
        id: RevisionId::FIRST,
        name: PolicyName::new(&format!("p{policy}")).unwrap(),
        version: "1.0.0".to_owned(),
        digest: format!("{policy:032x}{bytes:032x}"),
        size: u64::from(bytes) + 1,
        origin: PolicyOrigin::Upload,
        signature: None,
        signed: None,
        by: Actor::config(),
        at_unix_ms: 0,
        params: Params::new(),
        limits: Limits::NODES,
    }
}

fn tiers(tier: Option<Tier>) -> Vec<Tier> {
    tier.map_or_else(|| Tier::ALL.to_vec(), |tier| vec![tier])
}

/// Who is active, tier by tier.
fn seats(ledger: &RevisionLedger) -> [Option<RevisionId>; 5] {
    Tier::ALL.map(|tier| ledger.active(tier))
}

fn perform(ledger: &mut RevisionLedger, act: &Act) {
    match *act {
        Act::Accept(policy, bytes) => {
            ledger.accept(revision(policy, bytes));
        }
        Act::Put(tier, which) => {
            let known: Vec<RevisionId> = ledger.revisions().rev().map(|known| known.id).collect();
            let which = which.and_then(|which| known.get(which % known.len().max(1)).copied());
            ledger.put(&tiers(tier), which);
        }
        Act::Rollback(tier) => {
            // Nothing to go back to is an answer too.
            let _ = ledger.rollback(tier);
        }
        Act::GiveUp(tier) => ledger.give_up(tier),
        Act::Prune(kept) => {
            ledger.prune(kept);
        }
    }
}

proptest! {
    /// Whatever is done, in whatever order.
    #[test]
    fn what_sits_in_a_seat_is_there_and_numbers_are_never_given_twice(acts in prop::collection::vec(act(), 0..60)) {
        let mut ledger = RevisionLedger::default();
        let mut given = std::collections::BTreeMap::new();
        for act in &acts {
            let before = ledger.clone();
            perform(&mut ledger, act);
            for tier in Tier::ALL {
                let active = ledger.active(tier).map(|id| ledger.revision(id));
                prop_assert_ne!(active, Some(None), "{:?} seated somebody unknown", act);
                if let Some(fallback) = ledger.fallback(tier) {
                    let fallback = ledger.revision(fallback).unwrap();
                    prop_assert_ne!(&fallback.digest, &active.flatten().unwrap().digest);
                }
                prop_assert!(ledger.history(tier).count() <= HISTORY_MAX);
            }
            if let Act::Prune(_) = act {
                prop_assert_eq!(seats(&ledger), seats(&before));
                for tier in Tier::ALL {
                    prop_assert_eq!(ledger.fallback(tier), before.fallback(tier));
                }
            }
            for known in ledger.revisions() {
                let digest = given.entry(known.id).or_insert_with(|| known.digest.clone());
                prop_assert_eq!(&*digest, &known.digest, "{} was given twice", known.id);
            }
            prop_assert!(ledger.last() >= before.last());
            prop_assert_eq!(&RevisionLedger::from_json(&ledger.to_json()).unwrap(), &ledger);
        }
    }

    /// Rollbacks of everything walk back through exactly what was active, change by change.
    #[test]
    fn rollbacks_are_the_way_back(puts in prop::collection::vec((prop::option::of(tier()), 0..5_usize), 0..30)) {
        let mut ledger = RevisionLedger::default();
        let ids: Vec<RevisionId> = (0..4).map(|bytes| ledger.accept(revision(0, bytes))).collect();
        ledger.put(&Tier::ALL, ids.first().copied());
        let mut was = vec![seats(&ledger)];
        for (tier, which) in puts {
            let moved = ledger.put(&tiers(tier), ids.get(which).copied());
            if !moved.is_empty() {
                was.push(seats(&ledger));
            }
        }
        while let Some(now) = was.pop() {
            prop_assert_eq!(seats(&ledger), now);
            let undone = ledger.rollback(None);
            prop_assert_eq!(undone.is_ok(), !was.is_empty(), "{:?}", undone);
        }
    }

    /// A rollback of one tier walks back through that tier's own, and touches no other.
    #[test]
    fn a_tier_goes_back_alone(puts in prop::collection::vec((prop::option::of(tier()), 0..5_usize), 0..30), at in tier()) {
        let mut ledger = RevisionLedger::default();
        let ids: Vec<RevisionId> = (0..4).map(|bytes| ledger.accept(revision(0, bytes))).collect();
        ledger.put(&Tier::ALL, ids.first().copied());
        let mut was = vec![ledger.active(at)];
        for (tier, which) in puts {
            ledger.put(&tiers(tier), ids.get(which).copied());
            if was.last() != Some(&ledger.active(at)) {
                was.push(ledger.active(at));
            }
        }
        let others = |ledger: &RevisionLedger| -> Vec<_> {
            let others = Tier::ALL.into_iter().filter(|tier| *tier != at);
            others.map(|tier| ledger.active(tier)).collect()
        };
        let untouched = others(&ledger);
        while let Some(now) = was.pop() {
            prop_assert_eq!(ledger.active(at), now);
            prop_assert_eq!(ledger.rollback(Some(at)).is_ok(), !was.is_empty());
            prop_assert_eq!(&others(&ledger), &untouched);
        }
    }

    /// A ledger that somebody edited is read as it is or refused, and never panics.
    #[test]
    fn a_damaged_ledger_is_refused_or_holds_together(cut in 0.0..1.0_f64, with in "[0-9a-z\",:{}\\[\\]]{0,6}") {
        let mut ledger = RevisionLedger::default();
        for bytes in 0..3 {
            let id = ledger.accept(revision(0, bytes));
            ledger.put(&Tier::ALL, Some(id));
        }
        let mut text = ledger.to_json();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short text")]
        let at = (cut * text.len() as f64) as usize;
        text.replace_range(at..(at + with.len()).min(text.len()), &with);
        if let Ok(read) = RevisionLedger::from_json(&text) {
            for id in Tier::ALL.iter().filter_map(|tier| read.active(*tier)) {
                prop_assert!(read.revision(id).is_some());
            }
        }
    }
}

#[test]
fn who_stands_in_has_other_bytes_and_nobody_stands_in_past_the_built_in_ranking() {
    let mut ledger = RevisionLedger::default();
    let first = ledger.accept(revision(0, 1));
    let second = ledger.accept(revision(0, 2));
    let mut set = revision(0, 2);
    set.params.insert("a".to_owned(), 1.0);
    let third = ledger.accept(set);
    for id in [first, second, third] {
        ledger.put(&Tier::ALL, Some(id));
    }
    // The second one has the same bytes, so the same breaker leaves it alone.
    assert_eq!(ledger.fallback(Tier::Force), Some(first));
    ledger.put(&Tier::ALL, None);
    ledger.put(&Tier::ALL, Some(second));
    assert_eq!(ledger.fallback(Tier::Force), None);
    // Where it was put back by a rollback, what is beneath it stands in as before.
    ledger.rollback(None).unwrap();
    ledger.rollback(None).unwrap();
    assert_eq!(seats(&ledger), [Some(third); 5]);
    assert_eq!(ledger.fallback(Tier::Force), Some(first));
}

#[test]
fn the_same_again_is_the_same_revision_and_may_bring_its_signature() {
    let mut ledger = RevisionLedger::default();
    let id = ledger.accept(revision(0, 1));
    let mut signed = revision(0, 1);
    signed.signature = Some("untrusted comment: …".to_owned());
    assert_eq!(ledger.accept(signed.clone()), id);
    assert_eq!(ledger.revision(id).unwrap().signature, signed.signature);
    assert_eq!(ledger.accept(revision(0, 1)), id);
    assert_eq!(ledger.revision(id).unwrap().signature, signed.signature);
}

#[test]
fn the_newest_of_each_policy_are_kept_and_whoever_is_seated() {
    let mut ledger = RevisionLedger::default();
    let ids: Vec<RevisionId> = (0..6)
        .map(|bytes| ledger.accept(revision(0, bytes)))
        .collect();
    let other = ledger.accept(revision(1, 0));
    ledger.put(&Tier::ALL, Some(ids[0]));
    ledger.put(&Tier::ALL, Some(ids[1]));
    let gone: Vec<RevisionId> = ledger.prune(2).iter().map(|gone| gone.id).collect();
    // The two newest stay, and the two in the seats besides.
    assert_eq!(gone, [ids[3], ids[2]]);
    assert!(ledger.prune(2).is_empty(), "once is enough");
    assert!(ledger.revision(other).is_some());
    assert_eq!(ledger.active(Tier::Force), Some(ids[1]));
    assert_eq!(ledger.fallback(Tier::Force), Some(ids[0]));
    assert!(ledger.has_served(ids[0]) && !ledger.has_served(ids[5]));
    let next = ledger.accept(revision(0, 3));
    assert!(next > other, "{next} was given before");
}

#[test]
fn what_contradicts_itself_is_refused_with_what_is_wrong() {
    let mut ledger = RevisionLedger::default();
    let id = ledger.accept(revision(0, 1));
    ledger.put(&Tier::ALL, Some(id));
    let good = ledger.to_json();
    for (from, to, says) in [
        (
            "\"v\": 1",
            "\"v\": 2",
            "it is of version 2, and this host reads version 1",
        ),
        (
            "\"last\": 1",
            "\"last\": null",
            "r1 is above the last number",
        ),
        ("\"id\": 1", "\"id\": 0", "it is not a ledger"),
        (
            "\"changes\": 1",
            "\"changes\": 0",
            "the changes of proactive are not in order",
        ),
        (
            "\"revision\": 1",
            "\"revision\": 9",
            "r9 is in the seat of proactive and is not there",
        ),
        ("\"size\"", "\"sise\"", "unknown field `sise`"),
        (
            "\"digest\": \"0",
            "\"digest\": \"X",
            "the digest of r1 is not 64",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let message = RevisionLedger::from_json(&good.replace(from, to))
            .unwrap_err()
            .to_string();
        assert!(message.contains(says), "{message}");
    }
}
