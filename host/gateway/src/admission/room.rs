//! Finding a place for one newcomer, from what costs nobody anything to what costs a manager that
//! answers: a free slot, what does not answer, temporary slots, `force`.

use std::time::Duration;

use super::counting::CountedIn;
use super::denied::DenialReason;
use super::ladder::Admission;
use super::offer::{Displace, Newcomer};
use super::way::Way;
use crate::cleanup::{Cleanup, Displacement, Pass};
use crate::cluster::HeldOverNodes;
use crate::registry::{Entrance, Permit};
use wastegate_core::decision::{Granted, LendOrder};
use wastegate_core::types::{ManagerKey, Timestamp, UserId};

/// Between two looks at what other nodes hold.
const ELSEWHERE_LOOK: Duration = Duration::from_millis(250);
/// The least time between two looks in a cluster. Each look takes a slot here and gives it back, which wakes the user's
/// other newcomers; without a pause they would wake each other without end.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Where the tiers left a newcomer.
pub(super) enum Step {
    In(Permit),
    /// A manager that answers would have to go.
    Promised,
    Out(Out),
}

/// Nothing may go.
#[derive(Clone, Copy)]
pub(super) struct Out {
    pub(super) why: DenialReason,
    pub(super) held: u32,
    pub(super) limit: u32,
    /// When another try makes sense, if that is known.
    pub(super) retry_after: Option<Duration>,
}

/// What one look for room came to.
pub(super) enum Look {
    /// Something was freed: enter again.
    Again,
    /// A manager that answers would have to go.
    Promised,
    /// Nothing may go now.
    Nothing {
        /// Some managers' first connections are on their way.
        newborns: bool,
        /// Why `force` was of no help.
        displacement: Displacement,
    },
}

impl Admission {
    /// Tries to enter, making room as long as that helps and the budget lasts.
    pub(super) async fn find_room(
        &self,
        newcomer: Newcomer<'_>,
        displace: Displace,
        way: &mut Way,
    ) -> Step {
        let Newcomer { user, key, .. } = newcomer;
        let watch = self.registry.watch(user);
        loop {
            // Ask before looking, so that nothing that changes meanwhile is missed.
            let mut changed = std::pin::pin!(watch.next());
            changed.as_mut().enable();
            let now = self.clock.now();
            let out = |why, held, limit| Out {
                why,
                held,
                limit,
                retry_after: None,
            };
            let (mut full, look) = match self.registry.enter(user, key, now) {
                Entrance::Open(permit) => {
                    match self.count_in(permit, newcomer, displace, way).await {
                        CountedIn::In(permit) => return Step::In(permit),
                        CountedIn::Out(out) => return Step::Out(out),
                        CountedIn::Full(out, look) => (out, look),
                    }
                }
                Entrance::Blocked(term) => return Step::Out(self.blocked(user, term)),
                Entrance::Draining => return Step::Out(self.draining(user)),
                Entrance::NodeFull { held, limit } => {
                    let look = self.look_on_node(displace, way).await;
                    (out(DenialReason::NodeLimit, held, limit), look)
                }
                Entrance::UserFull { held, limit } => {
                    let look = self.look(user, key, displace, way).await;
                    (out(DenialReason::UserLimit, held, limit), look)
                }
            };
            match look {
                Look::Promised => return Step::Promised,
                Look::Again if self.clock.now() < way.deadline => {}
                Look::Again => return Step::Out(full),
                Look::Nothing {
                    newborns,
                    displacement,
                } => {
                    if full.why == DenialReason::UserLimit {
                        self.explain(newcomer, displacement, &mut full, way, !newborns);
                    }
                    if !newborns {
                        return Step::Out(full);
                    }
                    // Until something changes, or a newborn's time is up: then it may go.
                    let now = self.clock.now();
                    let grown = self.registry.next_grown(user, now).unwrap_or(way.deadline);
                    let mut wait = grown.min(way.deadline).since(now);
                    // Of newborns on other nodes nothing tells this one.
                    if self.cluster.is_some() {
                        tokio::time::sleep(LOOK_PAUSE.min(wait)).await;
                        wait = wait.min(ELSEWHERE_LOOK).saturating_sub(LOOK_PAUSE);
                    }
                    let changed = tokio::time::timeout(wait, changed).await;
                    let is_late = self.clock.now() >= way.deadline;
                    if is_late && (changed.is_err() || self.cluster.is_some()) {
                        return Step::Out(full);
                    }
                }
            }
        }
    }

    /// One look for room for a user's newcomer on this node, within the time that is left.
    pub(super) async fn look(
        &self,
        user: &UserId,
        key: &ManagerKey,
        displace: Displace,
        way: &mut Way,
    ) -> Look {
        self.look_over(user, key, displace, way, None).await
    }

    /// The same over what a user holds on all nodes, where that is given. What has to leave the ledger for the newcomer
    /// is noted on its way.
    pub(super) async fn look_over(
        &self,
        user: &UserId,
        key: &ManagerKey,
        displace: Displace,
        way: &mut Way,
        held: Option<&HeldOverNodes>,
    ) -> Look {
        let displacement = self.cleaner.may_displace(user, key);
        let may = displacement == Displacement::Allowed;
        let below = if may {
            Pass::BelowForce
        } else {
            Pass::BelowForceOnly
        };
        let nothing = |newborns| Look::Nothing {
            newborns,
            displacement,
        };
        let mut newborns = false;
        // For an admission that was promised a place a moment ago, these tiers have failed already.
        if !(may && way.has_looked) {
            let Some(cleanup) = self.pass(user, below, way, held).await else {
                return nothing(false);
            };
            if helped(&cleanup) {
                return Look::Again;
            }
            newborns = cleanup.newborns;
        }
        way.has_looked = false;
        let order = self.registry.limits().temporary_slots_order;
        let borrows = self.cleaner.may_borrow(user, key);
        if borrows && order == LendOrder::BeforeForce && self.lend(user, way, held).await {
            return Look::Again;
        }
        let could = || match held {
            None => self.cleaner.could_displace(user),
            Some(held) => self.cleaner.could_displace_over_nodes(held),
        };
        if may && displace == Displace::Later && could() {
            return Look::Promised;
        }
        if may && displace == Displace::Now {
            let Some(cleanup) = self.pass(user, Pass::Force, way, held).await else {
                return nothing(false);
            };
            if helped(&cleanup) {
                if cleanup.freed > 0 {
                    self.cleaner.displaced_for(user, key);
                }
                return Look::Again;
            }
            newborns |= cleanup.newborns;
        }
        if borrows && order == LendOrder::AfterForce && self.lend(user, way, held).await {
            return Look::Again;
        }
        nothing(newborns)
    }

    /// The same where the node is full.
    pub(super) async fn look_on_node(&self, displace: Displace, way: &mut Way) -> Look {
        let nothing = Look::Nothing {
            newborns: false,
            displacement: Displacement::Off,
        };
        for pass in [Pass::BelowForce, Pass::Force] {
            if pass == Pass::Force && displace == Displace::Later {
                let could = self.cleaner.could_displace_on_node();
                return if could { Look::Promised } else { nothing };
            }
            let left = self.left(way);
            let room = self.cleaner.make_room_on_node(pass);
            let Ok(cleanup) = tokio::time::timeout(left, room).await else {
                return nothing;
            };
            way.note(&cleanup);
            if helped(&cleanup) {
                return Look::Again;
            }
        }
        nothing
    }

    /// One pass of the tiers; none if the time is over before it ends.
    async fn pass(
        &self,
        user: &UserId,
        pass: Pass,
        way: &mut Way,
        held: Option<&HeldOverNodes>,
    ) -> Option<Cleanup> {
        if let Some(held) = held {
            let room = self
                .cleaner
                .make_room_over_nodes(user, pass, held, way.look_until);
            let room = tokio::time::timeout(self.left(way), room).await.ok()?;
            way.note(&room.cleanup);
            way.victims.extend(room.victims);
            return Some(room.cleanup);
        }
        let room = self.cleaner.make_room(user, pass);
        let cleanup = tokio::time::timeout(self.left(way), room).await.ok()?;
        way.note(&cleanup);
        Some((*cleanup).clone())
    }

    fn left(&self, way: &Way) -> Duration {
        way.look_until.since(self.clock.now())
    }

    /// Lends a user its temporary slots. True if there is one to be had now. In a cluster the ledger lends them, and
    /// this node only where it is away.
    async fn lend(&self, user: &UserId, way: &mut Way, held: Option<&HeldOverNodes>) -> bool {
        let (now, lending) = (self.clock.now(), self.registry.limits().lending());
        if let (Some(cluster), Some(held)) = (&self.cluster, held)
            && !held.is_alone()
        {
            let lent = cluster.lend(user, now, self.left(way)).await;
            // Held beyond the raised limit means that they are all used.
            let is_free =
                lent.is_some() && held.held < self.registry.own_limit(user) + lending.slots;
            if is_free {
                // Here too, so that this node lets them in and knows when they end.
                self.registry.temporary().grant(user, &lending, now);
                way.lent = true;
                self.cleaner.look();
            }
            return is_free;
        }
        match self.registry.temporary().grant(user, &lending, now) {
            Granted::Until(_) => {
                way.lent = true;
                self.cleaner.look();
                true
            }
            Granted::Running(_) => {
                let is_free = self.registry.held(user) < self.registry.limit(user, now);
                way.lent |= is_free;
                is_free
            }
            Granted::CoolingDown(until) => {
                way.cool_down = Some(until);
                false
            }
            Granted::Off => false,
        }
    }

    /// Says why `force` was of no help, and when that may be different.
    pub(super) fn explain(
        &self,
        newcomer: Newcomer<'_>,
        displacement: Displacement,
        full: &mut Out,
        way: &Way,
        is_final: bool,
    ) {
        let first = self.retry_after();
        let cool_down = |until: Timestamp| until.since(self.clock.now()).max(first);
        match displacement {
            Displacement::Held if is_final => {
                let wait = self.cleaner.hold_back(newcomer.user, newcomer.key, first);
                (full.why, full.retry_after) = (DenialReason::Displaced, Some(wait));
            }
            Displacement::Held => full.why = DenialReason::Displaced,
            Displacement::Spent(left) => full.retry_after = Some(left.max(first)),
            Displacement::Off | Displacement::Allowed => {
                full.retry_after = way.cool_down.map(cool_down);
            }
        }
    }
}

fn helped(cleanup: &Cleanup) -> bool {
    cleanup.enough || cleanup.freed > 0
}
