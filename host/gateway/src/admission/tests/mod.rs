//! The room against fakes: a virtual clock, peers that behave as told, no network.

mod budget;
mod cancelled;
mod limits;
mod queue;
mod slots;

use super::*;
use crate::testing::{Setup, World};
use wastegate_core::types::Tier;

/// A user whose managers all answer, at a limit where none of them may be evicted.
fn full(limit: u32, change: impl FnOnce(&mut Setup)) -> (World, Vec<crate::testing::Client>) {
    let mut setup = Setup::of_limit(limit).up_to(Tier::Aggressive);
    change(&mut setup);
    let world = setup.build();
    let clients = world.healthy("ann", 0..limit as usize);
    (world, clients)
}
