//! Which components are heavy, what they are refused for, and that their compiled form is kept.

use std::fs;
use std::path::Path;

use crate::policy::heavy::HeavyReason;
use crate::policy::program::CallOptions;
use crate::policy::testing::{Guest, config, input, question};
use crate::policy::{Config, Engine, HeavySettings, Params, Policy, Weight, load};
use wastegate_core::types::Scope;
use wastegate_core::types::chain;
use wastegate_core::types::time::Clock;

/// Pages of 64 KiB, more than a small call gets.
const MANY_PAGES: u32 = 64;

fn large_guest() -> Guest {
    Guest {
        pages: MANY_PAGES,
        ..Guest::default()
    }
}

fn refusal(guest: &Guest) -> String {
    chain(&guest.load().unwrap_err())
}

fn load_with(config: Config, guest: &Guest) -> std::sync::Arc<Policy> {
    let engine = Engine::new(config, Clock::system()).unwrap();
    load::policy(&engine, &guest.wasm(), &Params::new())
        .unwrap_or_else(|error| panic!("{}", chain(&error)))
}

#[test]
fn what_fits_a_slot_is_light() {
    let policy = Guest::default().load().unwrap();
    assert_eq!(policy.program().weight(), Weight::Light);
    assert!(!policy.allowance(&question(Scope::User, 20)).is_pooled());
    assert!(policy.allowance(&question(Scope::Node, 20)).is_pooled());
}

#[test]
fn what_starts_with_more_memory_is_heavy_and_answers_the_same() {
    let heavy = large_guest().load().unwrap();
    let weight = heavy.program().weight();
    assert_eq!(weight, Weight::Heavy(HeavyReason::Memory));
    assert!(heavy.allowance(&question(Scope::User, 1)).is_pooled());
    assert_eq!(heavy.allowance(&question(Scope::User, 20)).fuel, 30_000_000);
    let light = Guest::default().load().unwrap();
    for rows in [0, 1, 20, 5_000] {
        let ask = |policy: &Policy| {
            policy
                .program()
                .ask(&input(rows), &[0.5], &CallOptions::default())
                .result
        };
        assert_eq!(ask(&heavy), ask(&light));
    }
}

#[test]
fn more_than_heavy_ones_get_is_refused_with_the_figures() {
    let guest = Guest {
        pages: 2_000,
        ..Guest::default()
    };
    let text = refusal(&guest);
    assert!(
        text.ends_with(
            "it asks for 131072000 bytes of memory from the start; the most is 67108864"
        ),
        "{text}"
    );
}

#[test]
fn each_weight_has_its_own_cap_on_the_file() {
    let light = Config {
        size_bytes_max: 100,
        ..config()
    };
    let engine = Engine::new(light, Clock::system()).unwrap();
    let wasm = Guest::default().wasm();
    let text = chain(&load::program(&engine, &wasm).unwrap_err());
    let bytes = wasm.len();
    assert!(
        text.contains(&format!("has {bytes} bytes and at most 100 are accepted")),
        "{text}"
    );
    load::program(&engine, &large_guest().wasm()).unwrap();

    let heavy = Config {
        heavy: HeavySettings {
            size_bytes_max: 100,
            ..HeavySettings::default()
        },
        ..config()
    };
    let engine = Engine::new(heavy, Clock::system()).unwrap();
    load::program(&engine, &wasm).unwrap();
    let text = chain(&load::program(&engine, &large_guest().wasm()).unwrap_err());
    assert!(
        text.contains("at most 100 are accepted: build it for size and strip it, or raise `policy.heavy.size_bytes_max`"),
        "{text}"
    );
}

fn keeping(directory: &Path) -> Config {
    Config {
        compiled_dir: Some(directory.to_owned()),
        ..config()
    }
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_compiled_form_is_kept_of_heavy_ones_and_answers_the_same() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("compiled");
    load_with(keeping(&directory), &Guest::default());
    assert!(
        files(&directory).is_empty(),
        "light ones compile in no time"
    );

    let compiled = load_with(keeping(&directory), &large_guest());
    let kept = files(&directory);
    assert_eq!(kept.len(), 1);
    let name = kept[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(name.len(), 64 + 1 + 16 + ".cwasm".len(), "{name}");

    let written = fs::metadata(&kept[0]).unwrap().modified().unwrap();
    let revived = load_with(keeping(&directory), &large_guest());
    assert_eq!(
        fs::metadata(&kept[0]).unwrap().modified().unwrap(),
        written,
        "it was not compiled again"
    );
    let ask = |policy: &Policy| {
        policy
            .program()
            .ask(&input(20), &[0.5], &CallOptions::default())
    };
    let (revived, compiled) = (ask(&revived), ask(&compiled));
    assert_eq!(
        (revived.result, revived.fuel),
        (compiled.result, compiled.fuel)
    );
}

/// It has its sum, but it is of another engine, or nothing that the engine wrote.
#[test]
fn what_the_engine_does_not_take_is_compiled_again() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("compiled");
    load_with(keeping(&directory), &large_guest());
    let kept = files(&directory).remove(0);
    let good = fs::read(&kept).unwrap();
    let other = crate::policy::compiled::CompiledDir::open(&directory).unwrap();
    other.keep(kept.file_name().unwrap().to_str().unwrap(), b"not code");
    assert_ne!(fs::read(&kept).unwrap(), good);
    load_with(keeping(&directory), &large_guest());
    assert_eq!(fs::read(&kept).unwrap(), good);
}
