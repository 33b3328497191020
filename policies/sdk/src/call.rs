//! One decision to make, as a policy reads it.
//!
//! Parameters are read through the constants that [`manifest!`](crate::manifest!) declares, never
//! by position; there is no way here to build a call, that is the host's and the fixtures' part.

use std::ops::Range;

use crate::bindings::wastegate::policy::types as wire;
use crate::{Param, Rows, Scope, Tier};

/// Up to this many rows a complete order costs next to nothing.
const ORDERED_ANYWAY_ROWS: usize = 64;

/// The least surplus over `needed` when there are more rows than that.
const SURPLUS_MIN_ROWS: usize = 16;

/// One decision to make.
///
/// ```
/// # use wastegate_policy::prelude::*;
/// # use wastegate_policy::testing::Fixture;
/// manifest! {
///     name: "half-full", version: "1.0.0", summary: "Lets go while the house is half full.",
///     scopes: [User],
///     signals: { IDLE: IdleMs },
///     parameters: {
///         /// Up to which share of the limit nobody has to go.
///         SHARE: "share" = 0.5 in 0.0..=1.0,
///     },
///     reasons: { IDLING: "idle" },
/// }
/// # struct HalfFull;
/// # impl Policy for HalfFull {
/// #     const MANIFEST: Manifest = MANIFEST;
///
/// fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
///     if call.tier != Tier::Force && call.occupancy() <= call.param(SHARE) {
///         return Ok(Vec::new());
///     }
///     let bid = |row: Row<'_>| Some(Bid::new([row.value(IDLE)], IDLING));
///     Ok(top_k(rows, call.enough(rows), bid))
/// }
/// # }
/// # let house = Fixture::full_house(6).tier(Tier::Moderate);
/// # assert_eq!(house.clone().held_of(6, 20).victims::<HalfFull>(), []);
/// # assert_eq!(house.held_of(6, 6).victims::<HalfFull>().len(), 6);
/// ```
#[derive(Clone, Debug)]
pub struct Call {
    /// How hard the host is looking for room.
    pub tier: Tier,
    /// Whose managers the rows are.
    pub scope: Scope,
    /// How many managers have to go. A shorter answer means "no more from me".
    pub needed: u32,
    /// The limit that the scope is held to, in managers.
    pub limit: u32,
    /// How many managers the scope holds now; may be more than there are rows, since a tier shows
    /// only those it allows.
    pub held: u32,
    /// When the decision is made: milliseconds on the host's monotonic clock. Only differences
    /// mean anything, and every signal is one already: a policy hardly ever needs this.
    pub now_ms: u64,
    /// The decision's seed: all the randomness there is. See [`random`](crate::random).
    pub seed: u64,
    params: Vec<f64>,
}

impl Call {
    /// The value of a declared parameter, within its declared range.
    #[must_use]
    pub fn param(&self, param: Param) -> f64 {
        // The guest glue refuses a call with fewer values than were declared.
        self.params.get(param.index()).copied().unwrap_or(f64::NAN)
    }

    /// How full the scope is: `held / limit`, and infinite where nothing is allowed at all.
    #[must_use]
    pub fn occupancy(&self) -> f64 {
        if self.limit == 0 {
            f64::INFINITY
        } else {
            f64::from(self.held) / f64::from(self.limit)
        }
    }

    /// How many choices to offer.
    ///
    /// The host strikes what must not go (pinned, newborn, active again since), so an answer of
    /// exactly `needed` can turn out too short. Up to 64 rows this is every row; beyond, `needed`
    /// and a quarter more, at least 16 more.
    #[must_use]
    pub fn enough(&self, rows: &Rows<'_>) -> usize {
        let (needed, len) = (self.needed as usize, rows.len());
        if len <= ORDERED_ANYWAY_ROWS {
            return len;
        }
        needed
            .saturating_add(SURPLUS_MIN_ROWS.max(needed / 4))
            .min(len)
    }

    /// The same call with some of its parameters only, for a policy within another.
    pub(crate) fn narrowed(&self, params: Range<usize>) -> Self {
        Self {
            params: self.params.get(params).unwrap_or_default().to_vec(),
            ..*self
        }
    }

    pub(crate) fn params_len(&self) -> usize {
        self.params.len()
    }
}

impl From<wire::Call> for Call {
    fn from(call: wire::Call) -> Self {
        let wire::Call {
            tier,
            scope,
            needed,
            limit,
            held,
            now_ms,
            seed,
            params,
        } = call;
        Self {
            tier,
            scope,
            needed,
            limit,
            held,
            now_ms,
            seed,
            params,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(needed: u32, limit: u32, held: u32) -> Call {
        let (tier, scope) = (Tier::Force, Scope::User);
        Call {
            tier,
            scope,
            needed,
            limit,
            held,
            now_ms: 0,
            seed: 0,
            params: Vec::new(),
        }
    }

    #[test]
    fn occupancy_is_held_over_limit() {
        assert_eq!(call(1, 20, 15).occupancy(), 0.75);
        assert_eq!(call(1, 0, 15).occupancy(), f64::INFINITY);
    }

    #[test]
    fn enough_is_everything_when_small_and_a_surplus_when_large() {
        let enough = |needed, len: usize| {
            let column = vec![0.0; len];
            call(needed, 20, 20).enough(&Rows::new(&[&column], 1).unwrap())
        };
        assert_eq!(enough(1, 0), 0);
        assert_eq!(enough(1, 64), 64);
        assert_eq!(enough(1, 65), 17);
        assert_eq!(enough(100, 10_000), 125);
        assert_eq!(enough(u32::MAX, 10_000), 10_000);
    }
}
