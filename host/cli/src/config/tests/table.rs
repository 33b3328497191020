//! The table itself: complete, without repetition, with defaults that are in range.

use std::collections::{BTreeMap, BTreeSet};

use super::super::draft::Draft;
use super::super::keys::{Found, Table};
use super::super::raw::{Entry, Raw};
use super::*;
use wastegate_control::admin::when_reached;

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
    assert_same(
        &Draft::default().finish().unwrap(),
        &ProgramConfig::default(),
    );
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
        "rooms.gateway.routes",
        ".routes",
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

/// Every field with a value of its own, by its path, out of the pretty-printed draft.
fn fields(draft: &Draft) -> BTreeMap<String, String> {
    let (mut open, mut fields) = (Vec::<String>::new(), BTreeMap::new());
    // What has no name is part of the value of what holds it: of a list, of an option. Its line is
    // no name, since lines move when something above them gains a value.
    let mut unnamed = BTreeMap::<String, usize>::new();
    for line in format!("{draft:#?}").lines() {
        let line = line.trim().trim_end_matches(',');
        let (name, value) = line.split_once(": ").unwrap_or(("", line));
        let parent = open.get(1..).unwrap_or_default().join(".");
        let closes = value.starts_with(['}', ')', ']']) && value.len() == 1;
        if value.ends_with(['{', '(', '[']) {
            let place = unnamed.entry(parent).or_default();
            *place += usize::from(name.is_empty());
            open.push(if name.is_empty() {
                format!("#{place}")
            } else {
                name.to_owned()
            });
        } else if closes {
            open.pop();
        } else if name.is_empty() {
            let whole: &mut String = fields.entry(parent).or_default();
            whole.push_str(value);
            whole.push(',');
        } else {
            fields.insert(format!("{parent}.{name}"), value.to_owned());
        }
    }
    fields
}

fn entry(path: &str, value: &SettingValue) -> Entry {
    let raw = Raw::Untyped(as_text(value));
    Entry {
        path: path.to_owned(),
        raw,
        origin: SettingOrigin::Default,
    }
}

/// `GET /v1/limits` says of every limit what happens when it is reached, and of nothing else.
#[test]
fn every_limit_says_what_happens_when_it_is_reached() {
    // Times, and what raises an alert: nothing is kept from going beyond them.
    let others = ["observe.alerts."];
    let table = Table::new();
    let mut limits = 0;
    for key in table.keys() {
        let (path, name) = (key.path(), key.name());
        let is_limit = name.ends_with("_max")
            || ["managers_per_user", "managers_total", "connections_total"].contains(&name)
            || ["probes_reserved", "count", "messages_per_s", "bytes_per_s"].contains(&name);
        let is_other = others.iter().any(|other| path.starts_with(other)) || key.is_of_list();
        let says = when_reached(path);
        if is_limit && !is_other {
            let sentence = says.unwrap_or_else(|| panic!("`{path}` is missing in admin::limits"));
            assert!(sentence.ends_with('.'), "{path}: {sentence}");
            limits += 1;
        } else {
            assert_eq!(says, None, "`{path}` is no limit");
        }
    }
    assert!(limits > 60, "{limits}");
}
