//! Several nodes on one virtual clock over a ledger whose way is faulty: calls are delayed and lost, answers are
//! lost, nodes freeze, crash and start again, links are cut, and the engine loses its last writes.
//!
//! The nodes do what a gateway has to do with the ledger and nothing else. The checkers look at the world from
//! outside: at the ledger after every step, and at the sockets. `SEEDS` lives, each repeatable by its number.

#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod node;
mod seen;
mod world;

use std::time::Duration;

use seen::{Seen, Weather};
use world::World;

/// How many lives are run.
const SEEDS: u64 = 2_000;
/// How long what lasts: faults, clients only, and nothing at all.
const WEATHER: [(Weather, Duration); 3] = [
    (Weather::Storm, Duration::from_secs(20)),
    (Weather::Fair, Duration::from_secs(8)),
    (Weather::Calm, Duration::from_secs(12)),
];

#[test]
fn whatever_fails_the_limit_holds_in_the_ledger_and_all_is_well_in_the_end() {
    let mut seen = Seen::default();
    for seed in 1..=SEEDS {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let lived = runtime.block_on(async {
            let mut world = World::new(seed);
            for (weather, lasting) in WEATHER {
                world.live(lasting, weather).await;
            }
            world.is_well();
            world.seen
        });
        seen.add(lived);
    }
    // A storm in which nothing happens shows nothing.
    seen.has_everything(SEEDS);
    println!("{seen:?}");
}
