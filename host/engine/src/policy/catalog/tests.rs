//! Loading, activating and keeping the last good one.

use super::*;
use crate::policy::shipped;
use crate::policy::testing::{Guest, engine};
use wastegate_core::types::chain;

fn pick(name: &str) -> Pick {
    Pick::Shipped(name.to_owned())
}

fn catalog() -> Arc<Catalog> {
    Arc::new(Catalog::new(engine(), shipped::table(), Metrics::default()))
}

#[test]
fn a_shipped_policy_is_compiled_when_it_is_asked_for_and_once() {
    let catalog = catalog();
    assert!(catalog.current().is_none());
    assert_eq!(catalog.engine().programs(), 0);
    let first = catalog.activate(&pick("lru"), &Params::new()).unwrap();
    let again = catalog.activate(&pick("lru"), &Params::new()).unwrap();
    assert!(Arc::ptr_eq(first.program(), again.program()));
    assert_eq!(catalog.engine().programs(), 1);
}

#[test]
fn the_last_good_one_stays_when_another_fails() {
    let catalog = catalog();
    let good = catalog.activate(&pick("lru"), &Params::new()).unwrap();
    let bad = Pick::Bytes(Guest::ranks("(unreachable)").wasm().into());
    assert!(catalog.activate(&bad, &Params::new()).is_err());
    assert!(Arc::ptr_eq(&good, &catalog.current().unwrap()));
}

#[tokio::test]
async fn who_holds_a_policy_keeps_it_whatever_is_swapped() {
    let catalog = catalog();
    let bytes = Pick::Bytes(Guest::default().wasm().into());
    catalog.activate_async(bytes, Params::new()).await.unwrap();
    let before = catalog.active_policies();
    catalog
        .activate_async(pick("fifo"), Params::new())
        .await
        .unwrap();
    let seat = before.seat(Tier::Force).clone();
    assert_eq!(&*seat.active.unwrap().policy.about().name, "largest");
    assert_eq!(&*catalog.current().unwrap().about().name, "fifo");
    catalog.install(ActivePolicies::clone(&before));
    assert_eq!(&*catalog.current().unwrap().about().name, "largest");
    catalog.deactivate();
    assert!(catalog.current().is_none());
}

#[test]
fn a_mistyped_name_is_told_the_nearest() {
    assert_eq!(
        catalog()
            .prepare(&pick("lur"), &Params::new(), &Limits::NODES)
            .unwrap_err()
            .to_string(),
        "there is no policy `lur` in this host; did you mean `lru`?"
    );
}

/// Compiled code is held by whoever may still be asked, and by nobody else.
#[test]
fn of_a_hundred_policies_in_a_row_only_those_in_seats_stay() {
    let catalog = catalog();
    let policy = |number: u32| {
        let guest = Guest::says(|manifest| manifest.version = format!("1.0.{number}"));
        Pick::Bytes(guest.wasm().into())
    };
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..100 {
        let active = catalog.activate(&policy(number), &Params::new()).unwrap();
        seen.insert(active.about().digest.clone());
        drop(active);
        assert!(
            catalog.engine().programs() <= 2,
            "the active one and the one before"
        );
    }
    assert_eq!((seen.len(), catalog.engine().programs()), (100, 2));
    assert!(
        catalog.compiled.lock().len() <= 3,
        "nor are the names of the others kept"
    );

    // Whoever keeps one warm keeps it; another revision of the same bytes shares its code.
    let limits = Limits {
        fuel_per_row: Some(2_000),
        ..Limits::NODES
    };
    let warm = catalog.prepare(&policy(7), &Params::new(), &Limits::NODES);
    let warm = warm.unwrap();
    let other = catalog
        .prepare(&policy(7), &Params::new(), &limits)
        .unwrap();
    assert!(Arc::ptr_eq(warm.program(), other.program()));
    assert_eq!((*other.limits(), catalog.engine().programs()), (limits, 3));
    catalog.deactivate();
    assert_eq!(catalog.engine().programs(), 1);
    drop((warm, other));
    assert_eq!(catalog.engine().programs(), 0);
}

#[test]
fn limits_out_of_range_and_limits_too_tight_are_refused_when_loaded() {
    let catalog = catalog();
    let prepare = |limits: Limits| {
        let policy = catalog.prepare(&pick("lru"), &Params::new(), &limits);
        policy.map(drop).map_err(|error| chain(&error))
    };
    let much = Limits {
        memory_bytes: Some(u64::MAX),
        ..Limits::NODES
    };
    let error = prepare(much).unwrap_err();
    assert!(error.contains("the limit `memory_bytes` is"), "{error}");
    // The kit runs within them.
    let little = Limits {
        fuel_base: Some(10),
        fuel_per_row: Some(0),
        ..Limits::NODES
    };
    let error = prepare(little).unwrap_err();
    assert!(
        error.contains("used all of its 10 units of fuel"),
        "{error}"
    );
    let enough = Limits {
        fuel_per_row: Some(5_000),
        memory_bytes: Some(8 << 20),
        ..Limits::NODES
    };
    assert_eq!(prepare(enough), Ok(()));
}
