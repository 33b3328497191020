//! What the build promises of the guests, checked in the sandbox they are made for.
//!
//! These are tests of the guests, not of the host: they use the engine directly, with nothing of
//! the host's between. What the host does with a guest is tested elsewhere.

mod guest;
mod misbehaving;

use wasmtime::Engine;
use wasmtime::component::Component;
use wastegate_policy::Signal;
use wastegate_policy::testing::Fixture;
use wastegate_policy_lru::Lru;

use self::guest::{Guest, field, fuel_for, measured, text};
use super::{ALL_SHIPPED, raw, shipped};

#[test]
fn shipped_policies_are_known_by_the_names_of_their_manifests() {
    for name in ALL_SHIPPED {
        let manifest = Guest::new(shipped(name)).describe().unwrap();
        assert_eq!(text(field(&manifest, "name")), *name);
    }
}

#[test]
fn every_policy_of_the_repository_ships() {
    let policies = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies");
    let mut found: Vec<_> = std::fs::read_dir(policies)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("Cargo.toml").is_file() && !path.ends_with("sdk"))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort_unstable();
    assert_eq!(found, ALL_SHIPPED);
}

#[test]
fn shipped_policies_import_nothing() {
    for name in ALL_SHIPPED {
        assert!(Guest::new(shipped(name)).imports().is_empty(), "{name}");
    }
}

#[test]
fn a_call_of_up_to_a_thousand_rows_never_grows_the_memory() {
    for name in ALL_SHIPPED {
        let policy = Guest::new(shipped(name));
        for rows in [0, 1, 20, 1_000] {
            for needed in [1, rows / 5, rows] {
                let answer = policy.rank(rows, needed).unwrap();
                assert_eq!(answer.growths, 0, "{name}, {needed} of {rows} rows");
                assert_eq!(answer.memory_bytes, 4 * 64 * 1024, "{name}");
            }
        }
    }
}

/// Sizes at which sorting changes its ways are dearer than those around them.
#[test]
fn sizes_in_between_fit_their_fuel() {
    for name in ALL_SHIPPED {
        let policy = Guest::new(shipped(name));
        for rows in [
            2, 16, 17, 33, 48, 49, 64, 65, 80, 100, 129, 150, 200, 300, 500,
        ] {
            for needed in [1, 7, rows / 5, rows] {
                let answer = policy.rank(rows, needed);
                assert!(answer.is_ok(), "{name}, {needed} of {rows}: {answer:?}");
            }
        }
    }
}

#[test]
fn ten_thousand_rows_fit_the_limits_of_a_user() {
    for name in ALL_SHIPPED {
        let policy = Guest::new(shipped(name));
        for needed in [1, 1_000, 10_000] {
            let answer = policy.rank(10_000, needed);
            assert!(answer.is_ok(), "{name}, {needed}: {answer:?}");
        }
    }
}

#[test]
fn small_calls_take_at_most_three_fifths_of_their_fuel() {
    for name in ALL_SHIPPED {
        let policy = Guest::new(shipped(name));
        for rows in [0, 1, 20, 1_000, 10_000] {
            let (fuel, budget) = (policy.rank(rows, 1).unwrap().fuel, fuel_for(rows));
            println!("{name}: 1 of {rows} rows: {fuel} of {budget} fuel");
            assert!(
                fuel <= budget / 5 * 3,
                "{name}: 1 of {rows} rows: {fuel} of {budget} fuel"
            );
        }
    }
}

#[test]
fn a_policy_answers_the_same_in_the_sandbox_as_natively() {
    let native = |rows: u32, needed: u32| {
        let fixture = Fixture::new().needed(needed).held_of(rows, rows);
        let idle = |row| (Signal::IdleMs, measured("idle-ms", row));
        (0..rows)
            .fold(fixture, |fixture, row| fixture.row(&[idle(row)]))
            .victims::<Lru>()
    };
    let lru = Guest::new(shipped("lru"));
    assert_eq!(lru.rank(20, 1).unwrap().rows, native(20, 1));
    assert_eq!(lru.rank(1_000, 100).unwrap().rows, native(1_000, 100));
}

#[test]
fn raw_files_are_wrong_in_the_way_they_are_meant_to_be() {
    let engine = Engine::default();
    for (name, make) in raw::ALL {
        let is_a_component = matches!(
            *name,
            "component-without-world"
                | "wrong-world-version"
                | "forbidden-import"
                | "two-gib-memory"
                | "start-loops"
        );
        assert_eq!(
            Component::new(&engine, make()).is_ok(),
            is_a_component,
            "{name}"
        );
    }
    assert_eq!(
        Guest::new(&raw::forbidden_import()).imports(),
        ["wasi:sockets/tcp@0.2.0"]
    );
}
