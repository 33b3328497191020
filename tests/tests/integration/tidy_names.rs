//! One public name, one type: what a reader finds under a name does not depend on the room.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::reading::{code, imports, room_of, sources, word};
use crate::tidy::none;

/// Names that a room's own type may have, because other rooms write the room in front of them, as in
/// `cleanup::Config`: every room has its settings and its metrics.
const BEHIND_A_ROOM: [&str; 2] = ["Config", "Metrics"];

/// What begins the definition of a type.
const TYPES: [&str; 5] = ["struct ", "enum ", "trait ", "type ", "union "];

/// The public types that a file defines, with their lines. `unreachable_pub` is on, so what says `pub` is
/// public.
fn public_types(text: &str) -> impl Iterator<Item = (usize, String)> {
    code(text).filter_map(|(number, line)| {
        let rest = line.trim_start().strip_prefix("pub ")?;
        let name = TYPES.iter().find_map(|kind| rest.strip_prefix(kind))?;
        Some((number, word(name)))
    })
}

/// Files of a room that are no part of what it offers.
fn is_test(inner: &str) -> bool {
    inner
        .split(['/', '.'])
        .any(|part| part == "tests" || part == "testing" || part == "templates")
}

#[test]
fn no_public_type_name_is_in_two_rooms() {
    let mut rooms: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    for (file, text) in sources(&["host"]) {
        let Some((folder, room, inner)) = room_of(&file) else {
            continue;
        };
        if is_test(inner) {
            continue;
        }
        for (line, name) in public_types(&text) {
            let room = (folder.to_owned(), room.to_owned());
            rooms.entry(name.clone()).or_default().insert(room);
            write!(places.entry(name).or_default(), " {file}:{line}").unwrap();
        }
    }
    assert!(rooms.len() > 300, "types are found: {}", rooms.len());
    let mut offences = String::new();
    for (name, rooms) in &rooms {
        let idiom = BEHIND_A_ROOM.contains(&name.as_str());
        match rooms.len() {
            1 if idiom => {
                writeln!(offences, "`{name}` is in one room; no exception for it").unwrap()
            }
            2.. if !idiom => {
                writeln!(offences, "`{name}` is in several rooms:{}", places[name]).unwrap();
            }
            _ => {}
        }
    }
    none(&offences);
}

#[test]
fn names_that_every_room_has_are_read_with_their_room() {
    let mut offences = String::new();
    for (file, text) in sources(&["host"]) {
        let Some((_, own, inner)) = room_of(&file) else {
            continue;
        };
        let own = own.to_owned();
        for (number, name) in bare(&text) {
            let line = text.lines().nth(number - 1).unwrap();
            let foreign = imports(line).iter().any(|(_, room)| *room != own);
            if foreign && !is_test(inner) {
                writeln!(offences, "{file}:{number}: write the room before `{name}`").unwrap();
            }
        }
    }
    none(&offences);
}

/// The imports of a file by which one of [`BEHIND_A_ROOM`] loses its room: the line of the `use`, and which.
fn bare(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let mut begin = 0;
    for (number, line) in code(text) {
        let start = line.trim_start();
        let start = start.strip_prefix("pub ").unwrap_or(start);
        if begin == 0 && start.starts_with("use ") {
            begin = number;
        }
        if begin > 0 {
            let part = |letter: char| letter.is_alphanumeric() || letter == '_';
            let words = line.split(|letter| !part(letter));
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            for name in BEHIND_A_ROOM {
                let renamed = |at: usize| {
                    let beside = [at.checked_sub(1), at.checked_add(1)];
                    let mut beside = beside.into_iter().flatten();
                    beside.any(|at| words.get(at) == Some(&"as"))
                };
                let at = words.iter().position(|word| *word == name);
                if at.is_some_and(|at| !renamed(at)) {
                    found.push((begin, name));
                }
            }
        }
        if line.contains(';') {
            begin = 0;
        }
    }
    found
}

#[test]
fn a_name_without_its_room_is_found() {
    let text = "use crate::cleanup::{\n    Cleaner, Config,\n};\nuse crate::observe;\n\
                use crate::health::Config as Health;\n\
                pub use crate::signals::Lifetimes as Config;\nlet a: cleanup::Config;\n";
    assert_eq!(bare(text), [(1, "Config")]);
}

#[test]
fn public_types_are_read_as_rust_reads_them() {
    let text = "pub struct A;\npub(crate) enum B {}\n// pub enum C {}\n    pub trait D {}\npub type E<T> = T;\n";
    let names: Vec<String> = public_types(text).map(|(_, name)| name).collect();
    assert_eq!(names, ["A", "D", "E"]);
}
