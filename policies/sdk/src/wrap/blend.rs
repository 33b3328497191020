//! [`Blend`]: two policies vote, and the sum of their votes decides.

use std::marker::PhantomData;

use super::inner::Inner;
use super::merge::{NAME_BYTES_MAX, Names, Parameters, SENTENCE_BYTES_MAX, Text, common};
use crate::{Bid, Call, Choice, Manifest, Param, Parameter, Policy, Reason, Rows, top_k};

/// Ranks by the weighted sum of the ranks that two policies give (a weighted Borda count).
///
/// ```text
/// points  = of each policy: depth for its best victim, one less for the next, ...;
///           0 for those that it does not name
/// sum     = blend-weight * points of A + (1 - blend-weight) * points of B
/// order   = (sum, points of A, points of B), larger first;  score = sum / depth, from 0 to 1
/// reason  = that of the policy that gave the larger share of the sum, A's if they gave the same
/// ```
///
/// Ranks and not scores are added, because the scores of two policies have nothing in common: no
/// number of milliseconds is a number of bytes. So it takes no account of *how much* better a victim
/// is. Up to 64 rows each policy is asked to rank everybody and `depth` is the number of rows. Of more,
/// each names its best, four times what is needed and a surplus, and those that only one of them
/// names get its points alone: that keeps the price of a call in proportion.
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

/// Of many rows, each policy names so many times what is needed.
const DEPTH: u32 = 4;

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
        let mut deep = call.clone();
        deep.needed = call.needed.saturating_mul(DEPTH);
        let depth = deep.enough(rows);
        let a = votes(&Self::A.ask::<A>(&deep, rows)?, depth, rows.len());
        let b = votes(&Self::B.ask::<B>(&deep, rows)?, depth, rows.len());
        let weight = call.param(WEIGHT);
        let mut votes = a.iter().zip(&b);
        Ok(top_k(rows, call.enough(rows), |_| {
            // Rows come one after another, and so do their votes.
            let (a, b) = votes.next()?;
            let (of_a, of_b) = (weight * a.points, (1.0 - weight) * b.points);
            let sum = of_a + of_b;
            let reason = match (a.reason, b.reason) {
                (Some(a), Some(b)) => {
                    if of_a >= of_b {
                        a
                    } else {
                        b
                    }
                }
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => return None,
            };
            Some(Bid::new([sum, a.points, b.points], reason).score(sum / depth as f64))
        }))
    }
}

/// What a policy thinks of a row; no reason where it does not name it.
#[derive(Clone, Copy)]
struct Vote {
    points: f64,
    reason: Option<Reason>,
}

fn votes(choices: &[Choice], depth: usize, rows: usize) -> Vec<Vote> {
    let none = Vote {
        points: 0.0,
        reason: None,
    };
    let mut votes = vec![none; rows];
    for (place, choice) in choices.iter().enumerate() {
        if let Some(vote) = votes.get_mut(choice.row as usize) {
            vote.points = depth.saturating_sub(place) as f64;
            vote.reason = Some(choice.reason);
        }
    }
    votes
}
