//! Where a configured policy goes, by what the configuration and its source said before: the pure part of
//! a start.

use crate::rollout::ledger::{Chosen, Move, RevisionLedger, Watched};
use crate::rollout::revision::Revision;
use crate::rollout::source::PolicyOrigin;
use wastegate_core::types::Tier;

/// Where a configured policy may be put: everywhere, or where nothing ever was if no policy was configured
/// before, since anything else there is what an operator did while the first one was awaited.
pub(super) fn open_to(ledger: &RevisionLedger) -> Vec<Tier> {
    match ledger.chosen() {
        Some(_) => Tier::ALL.to_vec(),
        None => ledger.untouched(),
    }
}

/// Puts the configured revision where it belongs among `tiers`, going by what the configuration and its
/// source said before, and takes down what they say now.
pub(super) fn follow(
    ledger: &mut RevisionLedger,
    now: Chosen,
    origin: &PolicyOrigin,
    tiers: &[Tier],
) -> (Vec<Move>, &'static str) {
    let before = ledger.chosen().cloned();
    let revision = ledger.revision(now.revision).cloned();
    let source = Watched::of(origin);
    let is_same = |before: &&Chosen| {
        before.source == now.source && before.params == now.params && before.limits == now.limits
    };
    let (goes_to, why) = match (&before, before.as_ref().filter(is_same), &revision) {
        (_, Some(before), Some(revision)) => match news(ledger, before, revision, source) {
            Some(tiers) => (tiers, "the configured source has another content"),
            None => (
                Vec::new(),
                "the configuration is as before, so the policy that was active goes on",
            ),
        },
        (None, _, _) => (tiers.to_vec(), "the first start"),
        (Some(_), _, _) => (tiers.to_vec(), "the configuration changed"),
    };
    let mut goes_to = goes_to;
    goes_to.retain(|tier| tiers.contains(tier));
    let moves = ledger.put(&goes_to, Some(now.revision));
    ledger.note_left(&moves);
    if let (Some(source), Some(revision)) = (source, revision) {
        ledger.report(source, &revision.name, &revision.digest);
    }
    ledger.choose(now);
    (moves, why)
}

/// Where other content of the same source goes: where its last content is active, and where that was
/// and went by a rollback. None if that is what it reported last.
fn news(
    ledger: &RevisionLedger,
    before: &Chosen,
    now: &Revision,
    source: Option<Watched>,
) -> Option<Vec<Tier>> {
    let reported = source.and_then(|source| ledger.reported(source, &now.name));
    let chosen = ledger.revision(before.revision);
    let last = match (reported, chosen) {
        (Some(reported), _) => Some(&reported.digest),
        (None, chosen) => chosen.map(|chosen| &chosen.digest),
    };
    if last == Some(&now.digest) {
        return None;
    }
    let goes = |tier: &Tier| {
        let active = ledger.active(*tier).and_then(|id| ledger.revision(id));
        active.is_some_and(|active| {
            let is_set_so = active.params == now.params && active.limits == now.limits;
            let is_last = is_set_so && Some(&active.digest) == last;
            let went_back = is_set_so
                && active.name == now.name
                && reported.is_some_and(|reported| reported.left.contains(tier));
            // A ledger that does not know what the source reported last shows it in its seats.
            let was_seen =
                source.is_some() && reported.is_none() && ledger.was_rolled_back(*tier, now.id);
            (active.id == before.revision || is_last || went_back) && !was_seen
        })
    };
    Some(Tier::ALL.into_iter().filter(goes).collect())
}
