//! The table itself: complete, without repetition, with defaults that are in range.

use std::collections::BTreeSet;

use super::super::draft::Draft;
use super::super::keys::{Found, Table};
use super::super::raw::Entry;
use super::super::raw::Raw;

#[test]
fn no_key_exists_twice_and_each_is_found() {
    let table = Table::new();
    let mut seen = BTreeSet::new();
    for key in table.keys() {
        assert!(seen.insert(key.path()), "{} exists twice", key.path());
        assert!(
            matches!(table.find(key.path()), Found::Key(_)),
            "{}",
            key.path()
        );
    }
}

#[test]
fn every_default_is_in_its_own_range() {
    for key in Table::new().keys() {
        let Some(default) = key.default() else {
            continue;
        };
        let mut draft = Draft::default();
        key.set(&mut draft, &text_entry(key.path(), &default))
            .unwrap();
        assert_eq!(draft, Draft::default(), "{}", key.path());
    }
}

/// A room that gains a setting gains a key: sets every key to something else and looks for a
/// field that did not follow.
#[test]
fn every_field_of_every_room_has_a_key() {
    let mut draft = Draft::default();
    for key in Table::new().keys() {
        let default = key.get(&mut draft);
        let other = (0..).map(|seed| key.sample(seed));
        let other = other.take(1_000).find(|sample| *sample != default);
        let other = other.unwrap_or(default);
        key.set(&mut draft, &text_entry(key.path(), &other))
            .unwrap();
    }
    let lines = |draft: Draft| {
        let rooms = draft.rooms;
        let text = format!(
            "{:#?}",
            (
                rooms.server,
                rooms.admin,
                rooms.limits,
                rooms.manager,
                rooms.health,
                rooms.connection,
                rooms.admission,
                rooms.gateway,
                rooms.cleanup,
            )
        );
        // The tier rules are `TierTable`'s own until the draft is finished.
        let table = text.find("rules: [").unwrap()..text.find("reserve:").unwrap();
        let text = text.replace(text.get(table).unwrap(), "");
        text.lines()
            .map(|line| line.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let (before, after) = (lines(Draft::default()), lines(draft));
    let fields = before
        .iter()
        .zip(&after)
        .filter(|(line, _)| line.contains(": ") && !line.ends_with(['{', '(', '[']));
    let same: Vec<_> = fields.filter(|(before, after)| before == after).collect();
    assert!(same.is_empty(), "no key sets {same:?}");
}

fn text_entry(path: &str, value: &super::Value) -> Entry {
    let text = match value {
        super::Value::Text(text) => text.clone(),
        super::Value::List(words) => words.join(","),
        other => other.to_string(),
    };
    let origin = super::Origin::Default;
    Entry {
        path: path.to_owned(),
        raw: Raw::Untyped(text),
        origin,
    }
}
