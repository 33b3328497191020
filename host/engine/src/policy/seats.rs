//! Who answers at which tier.
//!
//! A [`Seat`] is one tier's: the policy that answers there, and the one before it, which takes over
//! while the first is quarantined. [`ActivePolicies`] is all five seats. It is immutable and sits behind
//! one pointer, so a decision that has read it sees one state of affairs, and a change of one tier
//! or of all is one store.
//!
//! Not here: the pointer (`catalog`), who is asked of a seat (`ranker`), and which revision should
//! sit where (`rollout`).

use std::sync::Arc;

use super::accepted::Policy;
use wastegate_core::types::{RevisionId, Tier};

/// A policy that is ready, and the revision that it is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The revision's number.
    pub revision: RevisionId,
    /// The compiled policy, kept alive by this reference.
    pub policy: Arc<Policy>,
}

/// Who answers at one tier. With nobody active the built-in ranking does.
#[derive(Debug, Clone, Default)]
pub struct Seat {
    /// Who is asked.
    pub active: Option<Deployed>,
    /// Who is asked while the breaker of `active` is not closed.
    pub fallback: Option<Deployed>,
}

/// Who answers, tier by tier.
#[derive(Debug, Clone, Default)]
pub struct ActivePolicies {
    /// In the order of [`Tier::ALL`].
    seats: [Seat; 5],
}

impl Seat {
    /// Who sits there, the active one first.
    pub fn deployed(&self) -> impl Iterator<Item = &Deployed> {
        self.active.iter().chain(&self.fallback)
    }

    /// The seat after another one takes it: the one that was active becomes the fallback. If it is
    /// the same revision again, nothing changes but the policy.
    #[must_use]
    pub(crate) fn followed_by(&self, next: Deployed) -> Self {
        let stays = |other: &&Deployed| other.revision != next.revision;
        let fallback = self.deployed().find(stays).cloned();
        Self {
            active: Some(next),
            fallback,
        }
    }
}

impl ActivePolicies {
    /// The same at every tier.
    #[must_use]
    pub fn all(seat: Seat) -> Self {
        Self {
            seats: [seat.clone(), seat.clone(), seat.clone(), seat.clone(), seat],
        }
    }

    /// With another seat at those tiers; the others stay as they are.
    #[must_use]
    pub fn with(&self, tiers: impl IntoIterator<Item = Tier>, seat: &Seat) -> Self {
        let mut changed = self.clone();
        for tier in tiers {
            *changed.place(tier) = seat.clone();
        }
        changed
    }

    /// One tier's seat.
    #[must_use]
    pub const fn seat(&self, tier: Tier) -> &Seat {
        let [proactive, conservative, moderate, aggressive, force] = &self.seats;
        match tier {
            Tier::Proactive => proactive,
            Tier::Conservative => conservative,
            Tier::Moderate => moderate,
            Tier::Aggressive => aggressive,
            Tier::Force => force,
        }
    }

    /// Every tier with its seat, mildest first.
    pub fn seats(&self) -> impl Iterator<Item = (Tier, &Seat)> {
        Tier::ALL.into_iter().zip(&self.seats)
    }

    const fn place(&mut self, tier: Tier) -> &mut Seat {
        let [proactive, conservative, moderate, aggressive, force] = &mut self.seats;
        match tier {
            Tier::Proactive => proactive,
            Tier::Conservative => conservative,
            Tier::Moderate => moderate,
            Tier::Aggressive => aggressive,
            Tier::Force => force,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::Guest;

    fn deployed(policy: &Arc<Policy>, number: u64) -> Deployed {
        Deployed {
            revision: RevisionId::new(number).unwrap(),
            policy: policy.clone(),
        }
    }

    /// The revisions of a seat, 0 for nobody.
    fn revisions(seat: &Seat) -> (u64, u64) {
        let of = |deployed: &Option<Deployed>| deployed.as_ref().map_or(0, |d| d.revision.get());
        (of(&seat.active), of(&seat.fallback))
    }

    #[test]
    fn tiers_change_apart_and_the_one_before_falls_back() {
        let policy = Guest::default().load().unwrap();
        let first = Seat::default().followed_by(deployed(&policy, 1));
        assert_eq!(revisions(&first), (1, 0));
        let second = first.followed_by(deployed(&policy, 2));
        assert_eq!(revisions(&second), (2, 1));
        // The same revision again keeps what it falls back to.
        assert_eq!(revisions(&second.followed_by(deployed(&policy, 2))), (2, 1));

        let all = ActivePolicies::all(first);
        let mixed = all.with([Tier::Proactive, Tier::Force], &second);
        let seen: Vec<u64> = mixed.seats().map(|(_, seat)| revisions(seat).0).collect();
        assert_eq!(seen, [2, 1, 1, 1, 2]);
        for (tier, seat) in mixed.seats() {
            assert_eq!(revisions(mixed.seat(tier)), revisions(seat));
        }
        assert!(all.seats().all(|(_, seat)| revisions(seat) == (1, 0)));
    }
}
