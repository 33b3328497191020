//! What the architecture forbids, read from the sources: which room may import which, what only one
//! file may know, and what every file opens with.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `host/src` from top to bottom: a room imports only rooms below it. `config` is so
/// high because it fills in every room's own `Config`; nobody below it knows where a setting comes
/// from.
const ROOMS: [&str; 17] = [
    "cli",
    "demo",
    "app",
    "config",
    "admin",
    "gateway",
    "admission",
    "cleanup",
    "policy",
    "connection",
    "registry",
    "health",
    "playground",
    "manager",
    "decision",
    "observe",
    "types",
];

/// Imports that the order would allow and the design does not.
const ABSENT: [(&str, &str, &str); 6] = [
    ("gateway", "cleanup", "it knows admission only"),
    ("gateway", "policy", "it knows nothing of rankings"),
    ("cleanup", "policy", "it holds one `Ranker` and no WASM"),
    (
        "cleanup",
        "connection",
        "it asks ports to close and does not know sockets",
    ),
    ("policy", "registry", "it sees rows, never managers"),
    ("decision", "observe", "it is pure"),
];

/// Files that may be longer than [`LINES_MAX`], and why.
const LONG: [(&str, &str); 2] = [
    ("policies/sdk/src/bindings.rs", "generated"),
    ("host/src/cleanup/driver.rs", "the loop over the tiers"),
];
const LINES_MAX: usize = 400;

/// Files that may read the environment.
const ENVIRONMENT: [&str; 2] = [
    "host/src/config/environment.rs",
    // A test that is told to write its expectation anew.
    "host/src/config/tests/generated.rs",
];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The Rust files below some folders, by their path from the root, with their text.
pub(crate) fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let root = root();
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            files.push((name, fs::read_to_string(path).unwrap()));
        }
    }
    files.sort();
    assert!(
        files.len() > 5,
        "the sources are where they are expected: {folders:?}"
    );
    files
}

/// The lines of a file that are code, with their numbers.
pub(crate) fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = |line: &str| !line.trim_start().starts_with("//");
    (1..).zip(text.lines()).filter(move |(_, line)| code(line))
}

/// The rooms that a file names by `crate::`, with the lines where it does.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut group = 0;
    for (number, line) in code(text) {
        let mut rest = line;
        if group == 0 {
            while let Some((_, behind)) = rest.split_once("crate::") {
                if let Some(items) = behind.strip_prefix('{') {
                    (group, rest) = (1, items);
                    break;
                }
                found.push((number, word(behind)));
                rest = behind;
            }
        }
        // A group of several: the first word of each item that is not within a deeper group.
        let mut starts = true;
        for (at, letter) in rest
            .char_indices()
            .take_while(|_| group > 0)
            .collect::<Vec<_>>()
        {
            match letter {
                '{' => group += 1,
                '}' => group -= 1,
                ',' => starts = true,
                _ if letter.is_alphabetic() && starts && group == 1 => {
                    found.push((number, word(&rest[at..])));
                    starts = false;
                }
                _ => {}
            }
            if group == 0 {
                break;
            }
        }
    }
    found
}

pub(crate) fn word(text: &str) -> String {
    text.chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}

fn room_of(file: &str) -> &str {
    let inner = file.strip_prefix("host/src/").unwrap();
    inner.split(['/', '.']).next().unwrap()
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
                Some(other) if other < own => {
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
fn imports_are_read_as_rust_reads_them() {
    let text = "use crate::types::{UserId, Tier};\n// use crate::cli;\nuse crate::{\n    admission, \
                cleanup::{Cleaner, node},\n    health,\n};\nlet a: crate::app::App;\n";
    let found: Vec<(usize, String)> = imports(text);
    let expected = [
        (1, "types"),
        (4, "admission"),
        (4, "cleanup"),
        (5, "health"),
        (7, "app"),
    ];
    assert_eq!(found, expected.map(|(line, room)| (line, room.to_owned())));
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
            let exempt = file == "host/src/gateway/close.rs" || file.contains("tests");
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
