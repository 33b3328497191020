//! What the architecture forbids, read from the sources: which room may import which, what only one
//! file may know, and what every file opens with.

use std::fmt::Write as _;
use std::fs;

use crate::reading::{CRATES, FILES, code, imports, room_of, root, sources};

/// The rooms of `host` from top to bottom, crate by crate: a room imports only rooms below it. `config` is so
/// high because it fills in every room's own `Config`; nobody below it knows where a setting comes
/// from.
const ROOMS: [&str; 43] = [
    "cli",
    "demo",
    "app",
    "config",
    "playground",
    "admin",
    "webhook",
    "otlp",
    "levers",
    "sharing",
    "rollout",
    "experiment",
    "quality",
    "why",
    "history",
    "page",
    "console",
    "replay",
    "workbench",
    "trace",
    "embed",
    "gateway",
    "admission",
    "cleanup",
    "cluster",
    "connection",
    "registry",
    "health",
    "manager",
    "observe",
    "outbound",
    "cryptography",
    "tasks",
    "redis",
    "local",
    "shared",
    "ledger",
    "policy",
    "files",
    "decision",
    "stats",
    "signals",
    "types",
];

/// Which crates of ours each one may have, by their packages.
const NEEDS: [(&str, &[&str]); 8] = [
    (
        "cli",
        &[
            "wastegate",
            "wastegate-cluster",
            "wastegate-control",
            "wastegate-core",
            "wastegate-engine",
            "wastegate-files",
            "wastegate-lab",
        ],
    ),
    (
        "control",
        &[
            "wastegate",
            "wastegate-cluster",
            "wastegate-core",
            "wastegate-engine",
            "wastegate-files",
        ],
    ),
    ("lab", &["wastegate-core", "wastegate-engine"]),
    (
        "gateway",
        &["wastegate-cluster", "wastegate-core", "wastegate-files"],
    ),
    ("cluster", &["wastegate-core"]),
    ("engine", &["wastegate-core", "wastegate-files"]),
    ("files", &[]),
    ("core", &[]),
];

/// Imports that the order would allow and the design does not.
const ABSENT: [(&str, &str, &str); 6] = [
    ("gateway", "cleanup", "it knows admission only"),
    (
        "cleanup",
        "connection",
        "it asks ports to close and does not know sockets",
    ),
    ("decision", "stats", "it decides and does not judge"),
    ("quality", "policy", "it judges whoever proposed"),
    (
        "experiment",
        "policy",
        "it does not know how a policy is called",
    ),
    (
        "experiment",
        "registry",
        "it sees questions and labels, never managers",
    ),
];

/// Tests in their room that look up, and what for.
const UPWARD: [(&str, &str, &str); 3] = [
    (
        "host/gateway/src/cleanup/tests/node.rs",
        "admission",
        "which refusal the node's pressure ends in",
    ),
    (
        "host/gateway/src/connection/tests/mod.rs",
        "gateway",
        "the codes that clients really see",
    ),
    (
        "host/gateway/src/manager/tests/task.rs",
        "health",
        "that a hanging task is judged so",
    ),
];

/// Files that may be longer than [`LINES_MAX`], and why.
const LONG: [(&str, &str); 1] = [("policies/sdk/src/bindings.rs", "generated")];
const LINES_MAX: usize = 400;

/// Files that may read the environment.
const ENVIRONMENT: [&str; 1] = ["host/cli/src/config/environment.rs"];

fn upward(file: &str, import: &str) -> bool {
    let known = |(from, to, _): &(&str, &str, &str)| *from == file && *to == import;
    UPWARD.iter().any(known)
}

/// Fails with every offence, one a line.
pub(crate) fn none(offences: &str) {
    assert!(offences.is_empty(), "\n{offences}");
}

/// The rooms of a crate, as its `lib.rs` lists them.
fn rooms(folder: &str) -> Vec<String> {
    let map = fs::read_to_string(root().join(format!("host/{folder}/src/lib.rs"))).unwrap();
    let rooms = map
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    if folder == FILES {
        return vec![FILES.to_owned()];
    }
    rooms.map(str::to_owned).collect()
}

#[test]
fn rooms_import_only_rooms_below_them() {
    let order: Vec<String> = CRATES
        .iter()
        .flat_map(|(folder, _)| rooms(folder))
        .collect();
    assert_eq!(order, ROOMS, "each lib.rs lists its rooms in reading order");
    let place = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut offences = String::new();
    let mut seen = 0;
    for (file, text) in sources(&["host"]) {
        let Some((_, room, _)) = room_of(&file) else {
            continue;
        };
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
fn the_map_in_the_architecture_has_every_crate_and_room() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let cells = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let names: Vec<&str> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|name| name.strip_prefix("host/").unwrap_or(name))
        .collect();
    let folders = CRATES.iter().map(|(folder, _)| *folder);
    let (top, map) = names.split_at(CRATES.len());
    assert_eq!(top, folders.clone().collect::<Vec<_>>());
    let mut expected = Vec::new();
    for folder in folders {
        expected.push(folder.to_owned());
        expected.extend(rooms(folder).into_iter().filter(|room| room != FILES));
    }
    assert_eq!(map, expected);
}

#[test]
fn crates_need_only_what_the_table_says() {
    for ((folder, _), (of, allowed)) in CRATES.iter().zip(NEEDS) {
        assert_eq!(*folder, of, "both tables have the same order");
        let path = root().join(format!("host/{folder}/Cargo.toml"));
        let manifest = fs::read_to_string(path).unwrap();
        let begin = manifest.split_once("[dependencies]").unwrap().1;
        let section = begin.split("\n[").next().unwrap();
        let ours: Vec<&str> = section
            .lines()
            .filter_map(|line| Some(line.split_once(['.', ' '])?.0))
            .filter(|name| name.starts_with("wastegate"))
            .collect();
        assert_eq!(ours, allowed, "host/{folder}/Cargo.toml");
    }
}

#[test]
fn every_file_opens_with_what_it_is_and_is_short_enough_to_read() {
    let mut offences = String::new();
    for (file, text) in sources(&[
        "host",
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
    for (file, text) in sources(&["host"]) {
        if room_of(&file).is_none() {
            // Build scripts, benches and examples.
            continue;
        }
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
            // Sentences may go over lines, and name a standard by its number.
            let unquoted = unquoted.replace("RFC ", "RFC_");
            let numbers = unquoted.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            let close_code = |word: &str| {
                let number = word
                    .parse::<u16>()
                    .is_ok_and(|n| matches!(n, 1_000..=1_015 | 4_000..=4_999));
                word.len() == 4 && number
            };
            // Which codes may be sent at all is the protocol's rule, and stands for no reason of ours.
            let exempt = file == "host/gateway/src/gateway/close.rs"
                || file == "host/gateway/src/connection/frames/control.rs"
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
