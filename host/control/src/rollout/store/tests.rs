//! The folder after crashes: whatever is missing or cut short, it opens, and what it gives is what
//! was once put there.

use std::fs;

use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::rollout::actor::Actor;
use crate::rollout::revision::Revision;
use crate::rollout::source::{PolicyName, PolicyOrigin};
use wastegate_core::types::{Limits, RevisionId, Tier};
use wastegate_engine::policy::Params;
use wastegate_engine::policy::load::digest;

fn bytes(number: u8) -> Arc<[u8]> {
    vec![number; 64].into()
}

/// The ledger after so many revisions, each activated.
fn ledger(revisions: u8) -> RevisionLedger {
    let mut ledger = RevisionLedger::default();
    for number in 0..revisions {
        let bytes = bytes(number);
        let id = ledger.accept(Revision {
            id: RevisionId::FIRST,
            name: PolicyName::new("lru").unwrap(),
            version: "1.0.0".to_owned(),
            digest: digest(&bytes).as_ref().to_owned(),
            size: 64,
            origin: PolicyOrigin::Upload,
            signature: None,
            signed: None,
            by: Actor::config(),
            at_unix_ms: 0,
            params: Params::new(),
            limits: Limits::NODES,
        });
        ledger.put(&Tier::ALL, Some(id));
    }
    ledger
}

/// A folder after so many changes, and nobody using it.
fn folder(changes: u8) -> TempDir {
    let folder = tempdir().unwrap();
    let (store, found) = Store::open(folder.path()).unwrap();
    assert!(found.ledger.is_none() && found.problems.is_empty());
    for number in 0..changes {
        let bytes = bytes(number);
        store.keep(&digest(&bytes), &bytes).unwrap();
        store.write(&ledger(number + 1)).unwrap();
    }
    folder
}

#[derive(Debug, Clone)]
enum Damage {
    Missing,
    /// To this share of its length.
    Cut(u64),
    /// Something else altogether.
    Other(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Missing),
        (0..100_u64).prop_map(Damage::Cut),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Damage::Other),
    ]
}

fn inflict(path: &Path, damage: &Damage) {
    match damage {
        Damage::Missing => fs::remove_file(path).unwrap(),
        Damage::Cut(percent) => {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            let length = file.metadata().unwrap().len();
            file.set_len(length * percent / 100).unwrap();
        }
        Damage::Other(bytes) => fs::write(path, bytes).unwrap(),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = [folder.to_owned(), folder.join("wasm")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_damage_keeps_it_from_opening(changes in 0..4_u8, which in prop::collection::vec((0..9_usize, damage()), 0..4)) {
        let folder = folder(changes);
        for (place, damage) in &which {
            let files = files(folder.path());
            if let Some(path) = files.get(place % files.len().max(1)) {
                inflict(path, damage);
            }
        }
        let (store, found) = Store::open(folder.path()).unwrap();
        match &found.ledger {
            Some(found) => {
                let was = (1..=changes).map(ledger).any(|was| was == *found);
                prop_assert!(was, "nobody ever wrote {found:?}");
            }
            // It says so, unless there was none, or all of them are missing without a trace.
            None => prop_assert!(found.problems.len() != 1, "{:?}", found.problems),
        }
        for number in 0..changes {
            let whole = bytes(number);
            let kept = store.bytes(&digest(&whole));
            prop_assert!(kept.is_err() || kept.is_ok_and(|kept| kept == whole));
            // And it is mended by bringing it again.
            store.keep(&digest(&whole), &whole).unwrap();
            prop_assert_eq!(store.bytes(&digest(&whole)).unwrap(), whole);
        }
        store.write(&ledger(2)).unwrap();
        drop(store);
        prop_assert_eq!(Store::open(folder.path()).unwrap().1.ledger, Some(ledger(2)));
    }
}

#[test]
fn a_ledger_that_cannot_be_read_is_set_aside_and_the_one_before_it_used() {
    let folder = folder(3);
    fs::write(folder.path().join("ledger.json"), "{}").unwrap();
    let (_store, found) = Store::open(folder.path()).unwrap();
    assert_eq!(found.ledger, Some(ledger(2)));
    let message = found.problems.join("\n");
    for part in [
        "ledger.json: it is not a ledger",
        "set aside as",
        "the last change may be missing",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let aside = fs::read_to_string(folder.path().join("ledger.unreadable.json"));
    assert_eq!(aside.unwrap(), "{}");
}

#[test]
fn one_process_has_the_folder() {
    let folder = folder(1);
    let (_store, _) = Store::open(folder.path()).unwrap();
    let message = Store::open(folder.path()).unwrap_err().to_string();
    assert!(
        message.contains("is in use by another process"),
        "{message}"
    );
}

#[test]
fn a_folder_that_cannot_be_used_is_named_with_its_key() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let message = Store::open(&file.join("state")).unwrap_err().to_string();
    assert!(message.contains("`policy.rollout.state_dir`"), "{message}");
}

#[test]
fn what_is_not_needed_is_removed_and_nobody_else_may_look() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder(3);
    let (store, _) = Store::open(folder.path()).unwrap();
    let kept = digest(&bytes(1)).as_ref().to_owned();
    store.keep_only(&BTreeSet::from([kept.clone()]));
    assert!(store.bytes(&kept).is_ok());
    assert_eq!(fs::read_dir(folder.path().join("wasm")).unwrap().count(), 1);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.path().join("wasm")), 0o700);
    assert_eq!(mode(folder.path().join("ledger.json")), 0o600);
}

#[test]
fn in_memory_it_is_the_same_without_the_folder() {
    let store = Store::in_memory();
    let bytes = bytes(1);
    store.keep(&digest(&bytes), &bytes).unwrap();
    assert_eq!(store.bytes(&digest(&bytes)).unwrap(), bytes);
    store.keep_only(&BTreeSet::new());
    let message = store.bytes(&digest(&bytes)).unwrap_err().to_string();
    assert!(message.contains("are not kept any more"), "{message}");
}
