//! What the documents say of settings is true: each that they name exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::keys::{Found, Table};

#[test]
fn every_setting_that_a_document_names_exists() {
    let table = Table::new();
    let sections: BTreeSet<&str> = table
        .keys()
        .filter_map(|key| Some(key.path().split_once('.')?.0))
        .collect();
    let (mut named, mut unknown) = (0, Vec::new());
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for setting in settings(&text, &sections) {
            named += 1;
            if matches!(table.find(setting), Found::Unknown { .. }) {
                unknown.push(format!("{}: {setting}", path.display()));
            }
        }
    }
    assert!(named > 100, "the documents name settings: {named}");
    assert!(unknown.is_empty(), "no such setting: {unknown:#?}");
}

/// The documents that people read.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found: Vec<PathBuf> = ["README.md", "deploy/README.md", "policies/README.md"]
        .map(|name| root.join(name))
        .to_vec();
    let pages = fs::read_dir(root.join("docs")).unwrap();
    let pages = pages.map(|entry| entry.unwrap().path());
    // Beside them are pictures.
    found.extend(pages.filter(|page| page.extension().is_some_and(|end| end == "md")));
    found
}

/// What stands between backquotes and has the shape of a setting of a section.
fn settings<'a>(
    text: &'a str,
    sections: &'a BTreeSet<&str>,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let prose = text.split("```").step_by(2);
    prose
        .flat_map(|prose| prose.split('`').skip(1).step_by(2))
        .filter_map(|code| code.split([' ', '=']).next())
        .filter(|code| {
            let mut parts = code.split('.');
            let is_word = |part: &str| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-')
            };
            parts.clone().count() > 1
                && parts.clone().all(is_word)
                && parts.next().is_some_and(|first| sections.contains(first))
        })
}
