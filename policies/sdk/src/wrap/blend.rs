//! [`Blend`]: two policies vote, and the sum of their votes decides.

use std::marker::PhantomData;

use super::inner::Inner;
use super::merge::{NAME_BYTES_MAX, Names, Parameters, SENTENCE_BYTES_MAX, Text, common};
use crate::ranking::best_of;
use crate::{Bid, Call, Choice, Manifest, Param, Parameter, Policy, Reason, Rows};

/// Ranks by the weighted sum of the ranks that two policies give (a weighted Borda count).
///
/// ```text
/// points  = of each policy: depth for its best victim, one less for the next, ...;
///           0 for those that it does not name
/// sum     = blend-weight * points of A + (1 - blend-weight) * points of B
/// order   = sum, larger first; of equal ones in the order of A, and then in that of B
/// score   = sum / depth, from 0 to 1
/// reason  = that of the policy that gave the larger share of the sum, A's if they gave the same
/// ```
///
/// Ranks and not scores are added, because the scores of two policies have nothing in common: no
/// number of milliseconds is a number of bytes. So it takes no account of *how much* better a victim
/// is. Up to 64 rows each policy is asked to rank everybody and `depth` is the number of rows. Of more,
/// each names what is needed and a surplus, and those that only one of them names get its points alone.
///
/// It costs what both policies cost and one more sort. The default fuel is meant for one: from some
/// 25 to some hundreds of rows in no order at all two small policies together run out of it, so give a
/// blend twice the fuel a row (`policy.limits.fuel_per_row`).
///
/// Whoever either names is named; who is named by neither is not. Rows that a policy cannot tell apart
/// get different points from it all the same, the earlier row more, so a policy that ranks by few
/// coarse classes should end its key with something finer.
///
/// Source: Borda, "Mémoire sur les élections au scrutin", 1781; Dwork, Kumar, Naor and Sivakumar,
/// "Rank aggregation methods for the web", WWW 2001, for the count over lists that end early.
#[derive(Debug)]
pub struct Blend<A, B>(PhantomData<(A, B)>);

const OWN: [Parameter; 1] = [Parameter {
    name: "blend-weight",
    default: 0.5,
    min: 0.0,
    max: 1.0,
    doc: "The weight of the first policy's ranks, from 0 to 1; the second has the rest.",
}];
const WEIGHT: Param = Param::at(0);

impl<A: Policy, B: Policy> Blend<A, B> {
    const SIGNALS: &'static Names = &Names::of(&[A::MANIFEST.signals, B::MANIFEST.signals]);
    const REASONS: &'static Names = &Names::of(&[A::MANIFEST.reasons, B::MANIFEST.reasons]);
    const PARAMETERS: &'static Parameters =
        &Parameters::of(&[&OWN, A::MANIFEST.parameters, B::MANIFEST.parameters]);
    const NAME: &'static Text<NAME_BYTES_MAX> =
        &Text::of(&["blend-", A::MANIFEST.name, "-", B::MANIFEST.name]);
    const SUMMARY: &'static Text<SENTENCE_BYTES_MAX> = &Text::of(&[
        "Weighs the ranks of two policies. ",
        A::MANIFEST.summary,
        " ",
        B::MANIFEST.summary,
    ]);
    const A: &'static Inner = &Inner::of(&A::MANIFEST, Self::SIGNALS, Self::REASONS, OWN.len());
    const B: &'static Inner = &Inner::of(
        &B::MANIFEST,
        Self::SIGNALS,
        Self::REASONS,
        OWN.len() + A::MANIFEST.parameters.len(),
    );
}

impl<A: Policy, B: Policy> Policy for Blend<A, B> {
    const MANIFEST: Manifest = Manifest {
        name: Self::NAME.as_str(),
        version: A::MANIFEST.version,
        summary: Self::SUMMARY.as_str(),
        signals: Self::SIGNALS.all(),
        parameters: Self::PARAMETERS.all(),
        reasons: Self::REASONS.all(),
        scopes: common(A::MANIFEST.scopes, B::MANIFEST.scopes),
    }
    .checked();

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let depth = call.enough(rows);
        let a = Self::A.ask::<A>(call, rows)?;
        let b = Self::B.ask::<B>(call, rows)?;
        let weight = call.param(WEIGHT);
        let full = depth as f64;
        let bid = |row, of_a: Option<Vote>, of_b: Option<Vote>| {
            let a = of_a.map_or(0.0, |vote| weight * vote.points);
            let b = of_b.map_or(0.0, |vote| (1.0 - weight) * vote.points);
            let larger = if b > a { of_b.or(of_a) } else { of_a.or(of_b) };
            let reason = larger.map_or(Reason::at(0), |vote| vote.reason);
            (row, Bid::new([a + b], reason).score((a + b) / full))
        };
        // Sorting is stable: of equal sums the one that A prefers comes first, and then whom only B
        // names.
        let mut of_b = Votes::new(&b, depth, rows.len());
        let mut bids = Vec::with_capacity(a.len() + b.len());
        for (place, choice) in a.iter().enumerate() {
            let vote = Vote::new(choice, depth, place);
            bids.push(bid(choice.row, Some(vote), of_b.take(choice.row)));
        }
        for choice in &b {
            if let Some(vote) = of_b.take(choice.row) {
                bids.push(bid(choice.row, None, Some(vote)));
            }
        }
        Ok(best_of(bids.into_iter(), depth))
    }
}

/// What a policy thinks of a row that it names.
#[derive(Clone, Copy)]
struct Vote {
    points: f64,
    reason: Reason,
}

impl Vote {
    fn new(choice: &Choice, depth: usize, place: usize) -> Self {
        Self {
            points: depth.saturating_sub(place) as f64,
            reason: choice.reason,
        }
    }
}

/// The votes of a policy by row, each to be taken once.
struct Votes<'a> {
    choices: &'a [Choice],
    depth: usize,
    /// One more than the place of each row among the choices, and 0 where it is not.
    places: Vec<u32>,
}

impl<'a> Votes<'a> {
    fn new(choices: &'a [Choice], depth: usize, rows: usize) -> Self {
        let mut places = vec![0; rows];
        for (place, choice) in (1..).zip(choices) {
            if let Some(known) = places.get_mut(choice.row as usize) {
                *known = place;
            }
        }
        Self {
            choices,
            depth,
            places,
        }
    }

    fn take(&mut self, row: u32) -> Option<Vote> {
        let place = std::mem::take(self.places.get_mut(row as usize)?);
        let place = (place as usize).checked_sub(1)?;
        let choice = self.choices.get(place)?;
        Some(Vote::new(choice, self.depth, place))
    }
}
