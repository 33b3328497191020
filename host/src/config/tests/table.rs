//! The table itself: complete, without repetition, with defaults that are in range.

use std::collections::{BTreeMap, BTreeSet};

use super::super::draft::Draft;
use super::super::keys::{Found, Table};
use super::super::raw::{Entry, Raw};
use super::*;

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
fn the_draft_begins_with_the_rooms_defaults() {
    assert_same(&Draft::default().finish().unwrap(), &Config::default());
}

#[test]
fn every_default_is_in_its_own_range() {
    for key in Table::new().keys() {
        if let Some(default) = key.default() {
            let mut draft = Draft::default();
            key.set(&mut draft, &entry(key.path(), &default)).unwrap();
            assert_eq!(fields(&draft), fields(&Draft::default()), "{}", key.path());
        }
    }
}

/// A room that gains a setting gains a key: sets every key to something else and looks for a
/// field that did not follow.
#[test]
fn every_field_of_every_room_has_a_key() {
    let mut draft = Draft::default();
    for key in Table::new().keys() {
        let default = key.get(&mut draft);
        let samples = (1..100).map(|seed| key.sample(seed));
        let other = samples.into_iter().find(|sample| *sample != default);
        key.set(&mut draft, &entry(key.path(), &other.unwrap_or(default)))
            .unwrap();
    }
    // What is made of the draft's other fields, what has no name, and a mode that is the only one.
    let made = [
        "rooms.identity",
        "rooms.cleanup.table.rules",
        "rooms.ranking",
        "rooms.observe.decisions",
        "rooms.observe.activity",
        "rooms.observe.alerts.pressure",
        "decisions.limits.path",
        "activity.limits.path",
        "policy.params",
    ];
    let after = fields(&draft);
    let untouched: Vec<_> = fields(&Draft::default())
        .into_iter()
        .filter(|(path, value)| after.get(path) == Some(value))
        .filter(|(path, _)| !made.iter().any(|made| path.starts_with(made)))
        .collect();
    assert!(untouched.is_empty(), "no key sets {untouched:#?}");
}

/// Every field with a value of its own, by its path, out of the pretty-printed draft. The plain
/// entries of a list are one value together: there is one key for them.
fn fields(draft: &Draft) -> BTreeMap<String, String> {
    let (mut open, mut fields) = (Vec::<String>::new(), BTreeMap::new());
    // How many entries without a name each open one has had: their names.
    let mut nameless = vec![0_usize];
    for line in format!("{draft:#?}").lines() {
        let line = line.trim().trim_end_matches(',');
        let (name, value) = line.split_once(": ").unwrap_or(("", line));
        let name = if name.is_empty() {
            let count = nameless.last_mut().unwrap();
            *count += 1;
            count.to_string()
        } else {
            name.to_owned()
        };
        if value.ends_with(['{', '(', '[']) {
            open.push(name);
            nameless.push(0);
        } else if value.starts_with(['}', ')', ']']) && value.len() == 1 {
            open.pop();
            nameless.pop();
        } else {
            let mut path = open.get(1..).unwrap_or_default().join(".");
            if line.contains(": ") {
                path = format!("{path}.{name}");
            }
            let field: &mut String = fields.entry(path).or_default();
            field.push_str(value);
        }
    }
    fields
}

fn entry(path: &str, value: &Value) -> Entry {
    let raw = Raw::Untyped(as_text(value));
    Entry {
        path: path.to_owned(),
        raw,
        origin: Origin::Default,
    }
}
