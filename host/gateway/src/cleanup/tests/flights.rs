//! One cleanup per user at a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::super::flight::{Flights, JoinReason};
use super::*;
use crate::testing::{Peer, Setup, ranked, settle};
use wastegate_core::decision::{Answer, Question, Ranker};

/// R9: whatever runs at once, each manager goes once, and the counts add up.
#[tokio::test(start_paused = true)]
async fn r9_each_manager_is_evicted_at_most_once() {
    let world = Setup::default().build();
    world.dead("ann", 0..4).await;
    world.detached("ann", 4..8).await;
    world.fill("ann", 8..14, Peer::Silent);
    world.healthy("ann", 14..20);
    world.pass(1).await;
    let (a, b, c, d) = tokio::join!(
        world.run("ann", Tier::Conservative, 20),
        world.run("ann", Tier::Moderate, 20),
        world.run("ann", Tier::Aggressive, 20),
        world.run("ann", Tier::Aggressive, 20),
    );
    assert_eq!(a + b + c + d, 14);
    assert_eq!(world.held("ann"), 6);
    let evicted = world.notes.evicted_ids();
    assert_eq!(evicted.iter().collect::<HashSet<_>>().len(), evicted.len());
    assert_eq!(evicted.len(), 14);
}

/// Failure mode 33: whoever comes meanwhile shares the result, and it is enough for all of them.
#[tokio::test(start_paused = true)]
async fn joiners_share_one_cleanup() {
    let world = Setup::default().build();
    world.dead("ann", 0..5).await;
    world.healthy("ann", 5..20);
    let ann = user("ann");
    let room = || world.cleaner.make_room(&ann, Pass::BelowForce);
    let (a, b, c) = tokio::join!(room(), room(), room());
    assert!(Arc::ptr_eq(&a, &b) && Arc::ptr_eq(&b, &c));
    assert_eq!(
        world.notes.tiers(),
        [(Tier::Conservative, 4)],
        "three and the reserve"
    );
    assert_eq!(world.cleaner.flights.running(), 0);
}

/// Proposes nobody at the first tier, after a while; then everybody.
struct Hesitating;

impl Ranker for Hesitating {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let rows = u32::try_from(question.rows.len()).unwrap();
        let rows = if question.tier == Tier::Moderate {
            0..0
        } else {
            0..rows
        };
        Answer::Pending(Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            ranked(Ok(rows.collect()))
        }))
    }
}

/// Who gave up needs no room any more; nor does its leaving end the cleanup of the others.
#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_lowers_the_demand() {
    let world = Setup::default().ranked_by(Hesitating).build();
    world.detached("ann", 0..20).await;
    let ann = user("ann");
    let give_up = Duration::from_millis(50);
    let impatient =
        || tokio::time::timeout(give_up, world.cleaner.make_room(&ann, Pass::BelowForce));
    let (a, b, c) = tokio::join!(
        impatient(),
        impatient(),
        world.cleaner.make_room(&ann, Pass::BelowForce)
    );
    assert!(a.is_err() && b.is_err());
    assert_eq!((c.enough, c.freed), (true, 2), "one and the reserve");
}

#[tokio::test(start_paused = true)]
async fn with_nobody_left_to_wait_nothing_is_evicted() {
    let world = Setup::default().ranked_by(Hesitating).build();
    world.detached("ann", 0..20).await;
    let ann = user("ann");
    let wait = tokio::time::timeout(
        Duration::from_millis(50),
        world.cleaner.make_room(&ann, Pass::BelowForce),
    );
    assert!(wait.await.is_err());
    world.pass(5).await;
    assert_eq!(
        (world.held("ann"), world.cleaner.flights.running()),
        (20, 0)
    );
}

/// A result that is still being read belongs to a flight that is over: its readers leave without
/// lowering the demand of the next one.
#[tokio::test(start_paused = true)]
async fn leaving_an_old_flight_does_not_touch_the_next() {
    let flights = Flights::default();
    let (old, landing) = flights.join(&"ann", JoinReason::Room);
    landing.unwrap().land(Cleanup::default());
    let (_new, landing) = flights.join(&"ann", JoinReason::Room);
    let landing = landing.unwrap();
    drop(old);
    assert_eq!(landing.waiting(), 1);
    let (joined, ours) = flights.join(&"ann", JoinReason::Room);
    assert!(ours.is_none());
    assert_eq!(landing.waiting(), 2);
    drop(joined);
    assert_eq!(landing.waiting(), 1);
}

/// A cleanup that ends without a result keeps nobody waiting, and the next one is a new one.
#[tokio::test(start_paused = true)]
async fn a_flight_that_crashes_still_lands() {
    let flights = Flights::default();
    let (first, landing) = flights.join(&"ann", JoinReason::Room);
    let (second, _) = flights.join(&"ann", JoinReason::Room);
    drop(landing);
    assert_eq!(*first.landed().await, Cleanup::default());
    assert_eq!(*second.landed().await, Cleanup::default());
    assert_eq!(flights.running(), 0);
    settle().await;
}
