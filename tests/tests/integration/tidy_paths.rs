//! The paths that ARCHITECTURE names: each begins at a room or at a type, and leads to what is there.

use std::fmt::Write as _;
use std::fs;

use crate::reading::{CRATES, room_of, root, sources, word};
use crate::tidy::none;

/// Libraries of others that the page names.
const OTHERS: [&str; 2] = ["tokio", "std"];

/// The files of a room: their path within it (`head.rs`, `upstream/mod.rs`) and their text.
type Files<'a> = Vec<(&'a str, &'a str)>;

/// The paths in backticks of a text.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(|quoted| quoted.strip_suffix("()").unwrap_or(quoted))
        .filter(move |quoted| quoted.contains("::") && quoted.chars().all(part))
}

/// Whether a text declares an item of this name: a function, a type, a constant, a field, or a variant.
fn declares(text: &str, name: &str) -> bool {
    const KINDS: [&str; 8] = [
        "fn ", "struct ", "enum ", "trait ", "type ", "const ", "static ", "mod ",
    ];
    text.lines().any(|line| {
        let line = line.trim_start();
        let item = KINDS.iter().any(|kind| {
            line.split_once(kind)
                .is_some_and(|(_, rest)| word(rest) == name)
        });
        let line = line.strip_prefix("pub ").unwrap_or(line);
        // A variant or a field opens its line.
        item || (word(line) == name && line[name.len()..].starts_with([',', ' ', '(', ':']))
    })
}

/// Whether the segments lead from these files to a module or an item, and to a part of that.
fn leads(files: &Files<'_>, segments: &[&str]) -> bool {
    let Some((first, rest)) = segments.split_first() else {
        return true;
    };
    let (file, folder) = (format!("{first}.rs"), format!("{first}/"));
    let module: Files<'_> = files
        .iter()
        .filter_map(|(path, text)| {
            let inner = path.strip_prefix(&folder);
            inner
                .or((*path == file).then_some("mod.rs"))
                .map(|inner| (inner, *text))
        })
        .collect();
    if !module.is_empty() {
        return leads(&module, rest);
    }
    let is_there = |name: &&str| files.iter().any(|(_, text)| declares(text, name));
    segments.iter().all(is_there)
}

#[test]
fn paths_in_the_architecture_lead_somewhere() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let sources = sources(&["host"]);
    let rooms: Vec<(&str, &str, &str, &str)> = sources
        .iter()
        .filter_map(|(file, text)| {
            let (folder, room, inner) = room_of(file)?;
            Some((
                folder,
                room,
                inner
                    .strip_prefix(room)
                    .unwrap_or(inner)
                    .trim_start_matches('/'),
                text.as_str(),
            ))
        })
        .collect();
    let everything: Files<'_> = rooms
        .iter()
        .map(|(.., inner, text)| (*inner, *text))
        .collect();
    let mut offences = String::new();
    let mut seen = 0;
    for path in paths(&page) {
        let segments: Vec<&str> = path.split("::").collect();
        let first = segments[0];
        if OTHERS.contains(&first) {
            continue;
        }
        seen += 1;
        let of_room: Files<'_> = rooms
            .iter()
            .filter(|(_, room, ..)| *room == first)
            .map(|(.., inner, text)| (*inner, *text))
            .collect();
        let begins_at_a_type = first.starts_with(char::is_uppercase);
        let (files, segments) = if begins_at_a_type {
            (&everything, segments.as_slice())
        } else {
            (&of_room, &segments[1..])
        };
        if files.is_empty() {
            let crates = CRATES.iter().any(|(folder, _)| *folder == first);
            let kind = if crates { "a crate" } else { "no room" };
            writeln!(
                offences,
                "`{path}`: `{first}` is {kind}; a path begins at a room"
            )
            .unwrap();
        } else if !leads(files, segments) {
            writeln!(offences, "`{path}` leads nowhere").unwrap();
        }
    }
    none(&offences);
    assert!(seen > 80, "paths are found: {seen}");
}

#[test]
fn a_path_is_followed_through_modules_to_an_item() {
    let room: Files<'_> = vec![
        (
            "mod.rs",
            "mod head;\nmod upstream;\npub struct Gateway {\n    rules: Rules,\n}\n",
        ),
        ("head.rs", "pub(crate) fn write() {}\n"),
        (
            "upstream/mod.rs",
            "enum Wire {\n    Plain,\n    Tls(Box<Tls>),\n}\n",
        ),
        ("upstream/pool.rs", "struct Pool;\n"),
    ];
    for (path, there) in [
        ("head", true),
        ("head::write", true),
        ("Gateway::rules", true),
        ("upstream::Wire::Tls", true),
        ("upstream::pool::Pool", true),
        ("upstream::write", false),
        ("heads", false),
        ("head::written", false),
    ] {
        let segments: Vec<&str> = path.split("::").collect();
        assert_eq!(leads(&room, &segments), there, "{path}");
    }
}
