//! What the architecture forbids, read from the sources: which room may import which, what only one
//! file may know, and what every file opens with.

use std::fmt::Write as _;
use std::fs;

use crate::reading::{code, imports, root, sources};

/// The rooms of `host/src` from top to bottom: a room imports only rooms below it. `config` is so
/// high because it fills in every room's own `Config`; nobody below it knows where a setting comes
/// from.
const ROOMS: [&str; 26] = [
    "cli",
    "demo",
    "app",
    "config",
    "admin",
    "gateway",
    "admission",
    "cleanup",
    "replay",
    "workbench",
    "rollout",
    "experiment",
    "quality",
    "policy",
    "connection",
    "registry",
    "health",
    "playground",
    "manager",
    "decision",
    "trace",
    "observe",
    "page",
    "stats",
    "files",
    "types",
];

/// Imports that the order would allow and the design does not.
const ABSENT: [(&str, &str, &str); 17] = [
    ("gateway", "cleanup", "it knows admission only"),
    ("gateway", "policy", "it knows nothing of rankings"),
    ("cleanup", "policy", "it holds one `Ranker` and no WASM"),
    (
        "cleanup",
        "connection",
        "it asks ports to close and does not know sockets",
    ),
    ("policy", "registry", "it sees rows, never managers"),
    ("cleanup", "rollout", "it holds one `Ranker`"),
    ("gateway", "rollout", "it knows nothing of rankings"),
    ("workbench", "rollout", "it works on files, not on a server"),
    ("decision", "observe", "it is pure"),
    ("decision", "stats", "it decides and does not judge"),
    ("cleanup", "experiment", "it holds one `Ranker`"),
    ("cleanup", "replay", "it acts on live managers"),
    ("cleanup", "quality", "it tells its `Recorder`"),
    ("quality", "policy", "it judges whoever proposed"),
    (
        "experiment",
        "registry",
        "it sees questions and labels, never managers",
    ),
    ("replay", "registry", "it simulates who is held"),
    ("replay", "connection", "it has no sockets"),
];

/// Tests in their room that look up, and what for.
const UPWARD: [(&str, &str, &str); 3] = [
    (
        "host/src/cleanup/tests/node.rs",
        "admission",
        "which refusal the node's pressure ends in",
    ),
    (
        "host/src/connection/tests/mod.rs",
        "gateway",
        "the codes that clients really see",
    ),
    (
        "host/src/manager/tests/task.rs",
        "health",
        "that a hanging task is judged so",
    ),
];

/// Files that may be longer than [`LINES_MAX`], and why.
const LONG: [(&str, &str); 1] = [("policies/sdk/src/bindings.rs", "generated")];
const LINES_MAX: usize = 400;

/// Files that may read the environment.
const ENVIRONMENT: [&str; 4] = [
    "host/src/config/environment.rs",
    // A test that is told to write its expectation anew.
    "host/src/config/tests/generated.rs",
    "host/src/workbench/files/tests.rs",
    "host/src/testing/blessed.rs",
];

fn room_of(file: &str) -> &str {
    let inner = file.strip_prefix("host/src/").unwrap();
    inner.split(['/', '.']).next().unwrap()
}

fn upward(file: &str, import: &str) -> bool {
    let known = |(from, to, _): &(&str, &str, &str)| *from == file && *to == import;
    UPWARD.iter().any(known)
}

/// Fails with every offence, one a line.
pub(crate) fn none(offences: &str) {
    assert!(offences.is_empty(), "\n{offences}");
}

#[test]
fn rooms_import_only_rooms_below_them() {
    let map = fs::read_to_string(root().join("host/src/lib.rs")).unwrap();
    let order: Vec<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(order, ROOMS, "lib.rs lists the rooms in reading order");
    let place = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut offences = String::new();
    let mut seen = 0;
    for (file, text) in sources(&["host/src"]) {
        let room = room_of(&file);
        let Some(own) = place(room) else { continue };
        for (line, import) in imports(&text) {
            seen += 1;
            let absent = ABSENT
                .iter()
                .find(|(from, to, _)| *from == room && *to == import);
            match place(&import) {
                _ if import == room => {}
                // Fakes that tests of several rooms share; nothing else may know them.
                None if import == "testing" && file.contains("/tests") => {}
                Some(other) if other < own && !upward(&file, &import) => {
                    writeln!(offences, "{file}:{line}: `{room}` is below `{import}`").unwrap();
                }
                Some(_) => {}
                None => writeln!(offences, "{file}:{line}: `{import}` is no room").unwrap(),
            }
            if let Some((_, _, why)) = absent {
                writeln!(
                    offences,
                    "{file}:{line}: `{room}` may not know `{import}`: {why}"
                )
                .unwrap();
            }
        }
    }
    none(&offences);
    assert!(seen > 200, "imports are found: {seen}");
}

#[test]
fn every_file_opens_with_what_it_is_and_is_short_enough_to_read() {
    let mut offences = String::new();
    for (file, text) in sources(&[
        "host/src",
        "host/build",
        "policies",
        "tests/src",
        "tests/tests",
        "tests/guests",
    ]) {
        if file.contains("/target/") {
            continue;
        }
        let lines = text.lines().count();
        let long = LONG.iter().any(|(long, _)| *long == file);
        let generated = LONG.contains(&(file.as_str(), "generated"));
        if !text.starts_with("//!") && !generated {
            writeln!(
                offences,
                "{file}:1: does not open with a `//!` that says what it is"
            )
            .unwrap();
        }
        if lines <= LINES_MAX && long {
            writeln!(offences, "{file}: is short by now; no exception for it").unwrap();
        }
        if lines > LINES_MAX && !long {
            writeln!(
                offences,
                "{file}:{lines}: over {LINES_MAX} lines; split it by noun"
            )
            .unwrap();
        }
    }
    none(&offences);
}

#[test]
fn one_file_reads_the_environment_and_one_knows_close_codes() {
    let mut offences = String::new();
    for (file, text) in sources(&["host/src"]) {
        for (number, line) in code(&text) {
            let reads = ["env::var", "env::vars"]
                .iter()
                .any(|call| line.contains(call));
            if reads && !ENVIRONMENT.contains(&file.as_str()) {
                writeln!(
                    offences,
                    "{file}:{number}: only `config` reads the environment"
                )
                .unwrap();
            }
            // Other numbers of four digits are written with an underscore.
            let unquoted: String = line.split('"').step_by(2).collect::<Vec<_>>().join(" ");
            let numbers = unquoted.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            let close_code = |word: &str| {
                let number = word
                    .parse::<u16>()
                    .is_ok_and(|n| matches!(n, 1_000..=1_015 | 4_000..=4_999));
                word.len() == 4 && number
            };
            // Which codes may be sent at all is the protocol's rule, and stands for no reason of ours.
            let exempt = file == "host/src/gateway/close.rs"
                || file == "host/src/connection/frames/control.rs"
                || file.contains("tests");
            if !exempt && numbers.into_iter().any(close_code) {
                writeln!(
                    offences,
                    "{file}:{number}: only `gateway::close` knows close codes"
                )
                .unwrap();
            }
        }
    }
    none(&offences);
}
