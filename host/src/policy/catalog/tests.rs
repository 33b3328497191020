//! Loading, activating and keeping the last good one.

use super::*;
use crate::policy::shipped;
use crate::policy::testing::{Guest, engine};

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
    let before = catalog.in_charge();
    catalog
        .activate_async(pick("fifo"), Params::new())
        .await
        .unwrap();
    let seat = before.seat(Tier::Force).clone();
    assert_eq!(&*seat.active.unwrap().policy.about().name, "largest");
    assert_eq!(&*catalog.current().unwrap().about().name, "fifo");
    catalog.install(InCharge::clone(&before));
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
