//! No package is there in two versions without a reason: each costs build time, and two versions of a type do not
//! go together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use crate::reading::root;

/// `deny.toml`, which `tests/nightly.sh` gives to `cargo deny`.
fn rules() -> toml::Table {
    let text = fs::read_to_string(root().join("deny.toml")).unwrap();
    text.parse().unwrap()
}

/// The packages that a target's build has in several versions, tests included.
fn doubled(target: &str, versions: &mut BTreeMap<String, BTreeSet<String>>) {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--duplicates"])
        .args(["--depth=0", "--prefix=none", "--edges=normal,build,dev"])
        .args(["--target", target])
        .current_dir(root())
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        if let Some((name, rest)) = line.split_once(" v") {
            let version = rest.split(' ').next().unwrap().to_owned();
            versions.entry(name.to_owned()).or_default().insert(version);
        }
    }
}

/// A version as it is ordered.
fn order(version: &str) -> Vec<u64> {
    let parts = version.split(['.', '+', '-']);
    parts.map_while(|part| part.parse().ok()).collect()
}

/// `deny.toml` has each package that is there in several versions, but for the newest, with a reason, and no other.
#[test]
fn every_doubled_package_has_its_reason_in_deny_toml() {
    let rules = rules();
    let mut versions = BTreeMap::new();
    for target in rules["graph"]["targets"].as_array().unwrap() {
        doubled(target.as_str().unwrap(), &mut versions);
    }
    let mut found = BTreeSet::new();
    for (name, versions) in &versions {
        let newest = versions.iter().max_by_key(|version| order(version));
        let older = versions.iter().filter(|version| Some(*version) != newest);
        found.extend(older.map(|version| format!("{name}@{version}")));
    }
    let mut allowed = BTreeSet::new();
    for exception in rules["bans"]["skip"].as_array().unwrap() {
        let reason = exception["reason"].as_str().unwrap();
        assert!(reason.len() > 3, "{exception}");
        allowed.insert(exception["crate"].as_str().unwrap().to_owned());
    }
    assert!(!found.is_empty(), "cargo lists none any more");
    assert_eq!(
        found, allowed,
        "give a reason in `bans.skip` of deny.toml, or take it out there"
    );
}
