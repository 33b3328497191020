//! Reads Rust sources as far as the tidy tests need: files, lines that are code, and imports.

use std::fs;
use std::path::{Path, PathBuf};

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

/// The crates of `host`, from top to bottom: folder and the name of the library.
pub(crate) const CRATES: [(&str, &str); 8] = [
    ("cli", "wastegate_cli"),
    ("control", "wastegate_control"),
    ("lab", "wastegate_lab"),
    ("gateway", "wastegate"),
    ("cluster", "wastegate_cluster"),
    ("engine", "wastegate_engine"),
    (FILES, "wastegate_files"),
    ("core", "wastegate_core"),
];
/// The crate that is a room by itself.
pub(crate) const FILES: &str = "files";

/// The crate and the room of a file of `host`, and the rest of its path. None for what is no source.
pub(crate) fn room_of(file: &str) -> Option<(&str, &str, &str)> {
    let (folder, inner) = file.strip_prefix("host/")?.split_once("/src/")?;
    let room = inner.split(['/', '.']).next()?;
    Some((folder, if folder == FILES { FILES } else { room }, inner))
}

/// The rooms that a file names by `crate::` or by the name of another crate of `host`, with the lines where it
/// does.
pub(crate) fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut group = 0;
    for (number, line) in code(text) {
        let mut rest = line;
        if group == 0 {
            while let Some((library, behind)) = next_path(rest) {
                rest = behind;
                if library == "wastegate_files" {
                    found.push((number, FILES.to_owned()));
                    continue;
                }
                if let Some(items) = behind.strip_prefix('{') {
                    (group, rest) = (1, items);
                    break;
                }
                found.push((number, word(behind)));
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

/// The next path of a line that begins with a crate of ours: which, and what is behind its `::`.
fn next_path(line: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    loop {
        let (before, behind) = line[at..].split_once("::")?;
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let library = before.rsplit(|letter| !is_part(letter)).next()?;
        let begins = !before.strip_suffix(library)?.ends_with("::") && !line[..at].ends_with("::");
        at += before.len() + 2;
        let is_ours = library == "crate" || CRATES.iter().any(|(_, known)| *known == library);
        // What is behind another `::` is a module of that name.
        if is_ours && (begins || before.len() > library.len()) {
            return Some((library, behind));
        }
    }
}

pub(crate) fn word(text: &str) -> String {
    text.chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}

#[test]
fn imports_are_read_as_rust_reads_them() {
    let text = "use crate::types::{UserId, Tier};\n// use crate::cli;\nuse crate::{\n    admission, \
                cleanup::{Cleaner, node},\n    health,\n};\nlet a: crate::app::App;\n\
                use wastegate_core::types::Tier;\nuse super::bindings::wastegate::policy;\n\
                f(wastegate_files::read(a), wastegate::gateway::b);\n";
    let found: Vec<(usize, String)> = imports(text);
    let expected = [
        (1, "types"),
        (4, "admission"),
        (4, "cleanup"),
        (5, "health"),
        (7, "app"),
        (8, "types"),
        (10, "files"),
        (10, "gateway"),
    ];
    assert_eq!(found, expected.map(|(line, room)| (line, room.to_owned())));
}
