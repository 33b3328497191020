//! The contract may grow only by what old guests survive: `wit/policy.wit` against the frozen 1.0.0.
//!
//! The direction that matters is old guests on a new host. The host of the present contract offers
//! its imports and calls its exports, so a later 1.x may offer more imports and may ask for fewer
//! exports; whatever an old guest already knows keeps its exact shape. That the frozen text is not
//! edited is `kept`'s to hold, by its digest.

use std::fs;

use wit_component::semver_check;
use wit_parser::{Resolve, WorldId};

use crate::reading::root;

const PRESENT: &str = "wit/policy.wit";
const FROZEN: &str = "tests/kept/1.0.0/policy.wit";
const WORLD: &str = "policy";

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Whether a guest that was built for `old` runs on a host of `new`, and why not.
fn old_guests_survive(old: &str, new: &str) -> Result<(), String> {
    let mut resolve = Resolve::default();
    // One set of packages holds each version once, and the check looks at shapes only.
    let old = world(&mut resolve, "old.wit", &numbered(old, "0.0.1"));
    let new = world(&mut resolve, "new.wit", &numbered(new, "0.0.2"));
    semver_check(resolve, old, new).map_err(|error| format!("{error:#}"))
}

fn numbered(contract: &str, version: &str) -> String {
    let start = contract.find("package wastegate:policy@").unwrap();
    let end = start + contract[start..].find(';').unwrap();
    let (before, after) = (&contract[..start], &contract[end..]);
    format!("{before}package wastegate:policy@{version}{after}")
}

fn world(resolve: &mut Resolve, path: &str, contract: &str) -> WorldId {
    let package = resolve.push_str(path, contract).unwrap();
    resolve.select_world(&[package], Some(WORLD)).unwrap()
}

fn version(contract: &str) -> (u32, u32, u32) {
    let (_, after) = contract.split_once("package wastegate:policy@").unwrap();
    let (version, _) = after.split_once(';').unwrap();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap());
    let mut next = || numbers.next().unwrap();
    (next(), next(), next())
}

#[test]
fn guests_built_for_1_0_0_survive_the_present_contract() {
    let (present, frozen) = (text(PRESENT), text(FROZEN));
    assert_eq!(version(&frozen), (1, 0, 0));
    assert_eq!(
        version(&present).0,
        1,
        "a 2.0 is another package, beside this one"
    );
    if let Err(why) = old_guests_survive(&frozen, &present) {
        panic!("{PRESENT} breaks every policy that was built for 1.0.0: {why}");
    }
}

/// A contract that is edited in one place, which has to be there.
fn edited(from: &str, to: &str) -> String {
    let frozen = text(FROZEN);
    assert_eq!(frozen.matches(from).count(), 1, "{from}");
    frozen.replace(from, to)
}

#[test]
fn the_check_lets_pass_what_old_guests_survive() {
    let log = "log: func(level: level, message: string);";
    let survived = [
        ("as it is", text(FROZEN)),
        (
            "another comment",
            edited("/// Whose managers the rows are.", "/// Whose they are."),
        ),
        (
            "one more function to call",
            edited(log, &format!("{log}\n    flush: func();")),
        ),
        (
            "one more interface to call",
            edited(
                "import log;",
                "import log;\n    import more: interface { now: func() -> u64; }",
            ),
        ),
        (
            "an export that is no longer asked for",
            edited("export ranker;", "import types;"),
        ),
    ];
    for (what, contract) in survived {
        assert_eq!(
            old_guests_survive(&text(FROZEN), &contract),
            Ok(()),
            "{what}"
        );
    }
}

#[test]
fn the_check_catches_what_old_guests_do_not_survive() {
    let describe = "describe: func() -> manifest;";
    let log = "log: func(level: level, message: string);";
    let broken = [
        (
            "a field more",
            edited("seed: u64,", "seed: u64,\n        mood: u32,"),
        ),
        ("a field less", edited("        held: u32,\n", "")),
        ("a field renamed", edited("needed: u32,", "wanted: u32,")),
        (
            "a field of another type",
            edited("score: f64,", "score: f32,"),
        ),
        (
            "an optional field more",
            edited("score: f64,", "score: f64,\n        note: option<string>,"),
        ),
        (
            "a tier more",
            edited("        force,\n", "        force,\n        fury,\n"),
        ),
        ("a level less", edited("        debug,\n", "")),
        (
            "one more function to implement",
            edited(describe, &format!("{describe}\n    reset: func();")),
        ),
        (
            "an interface more to implement",
            edited(
                "export ranker;",
                "export ranker;\n    export extra: interface { f: func(); }",
            ),
        ),
        (
            "a function that may not be called any more",
            edited(log, ""),
        ),
        ("an import that is gone", edited("    import log;\n", "")),
        (
            "another result",
            edited("result<list<choice>, string>", "list<choice>"),
        ),
        (
            "another argument",
            edited("message: string", "message: list<u8>"),
        ),
    ];
    for (what, contract) in broken {
        let why = old_guests_survive(&text(FROZEN), &contract).expect_err(what);
        assert!(why.contains("not semver-compatible"), "{what}: {why}");
    }
}

/// A new required export is a break that old guests do not survive, and the reverse direction would
/// let it pass: that the check is asked the right way round is worth a test of its own.
#[test]
fn the_check_is_asked_the_right_way_round() {
    let describe = "describe: func() -> manifest;";
    let more = edited(describe, &format!("{describe}\n    reset: func();"));
    assert!(old_guests_survive(&text(FROZEN), &more).is_err());
    assert_eq!(old_guests_survive(&more, &text(FROZEN)), Ok(()));
}
