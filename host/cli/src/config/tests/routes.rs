//! Routes: a list of tables, shown as it is loaded.

use super::super::draft::Draft;
use super::super::keys::Table;
use super::super::raw::{Entry, Raw};
use super::*;
use wastegate::gateway::route;

const FILE: &str = "\
[gateway]
upstream = 'ws://127.0.0.1:1'
trusted_proxies = ['127.0.0.1']
[[gateway.route]]
path = '/chat'
upstream = ['ws://127.0.0.1:2', 'ws://127.0.0.1:3']
managers_per_user = 3

[[gateway.route]]
host = '*.example'
strip_prefix = true
upstream = 'ws://127.0.0.1:4'
identity = 'headers'
frame_bytes_max = 1000

[identity.headers]
user = 'x-user'
";

#[test]
fn routes_are_shown_as_they_are_loaded() {
    let first = loaded(FILE, &[], &[]).unwrap();
    let routes = &first.config.gateway.routes;
    let names: Vec<_> = routes.iter().map(route::Config::name).collect();
    assert_eq!(names, ["/chat", "*.example/"]);
    assert_eq!(
        (routes[0].upstream.len(), routes[0].managers_per_user),
        (2, Some(3))
    );
    assert_eq!(
        (routes[1].strip_prefix, routes[1].frame_bytes_max),
        (true, Some(1_000))
    );
    let origin = &setting(&first, "gateway.route[1].strip_prefix").origin;
    assert!(origin.to_string().ends_with(":11"), "{origin}");
    let second = loaded(&first.to_toml(), &[], &[]).unwrap();
    assert_same(&first.config, &second.config);
}

/// A route that gains a setting gains a key.
#[test]
fn every_field_of_a_route_has_a_key() {
    let mut draft = Draft::default();
    let keys = Table::new().route(0);
    for key in keys.keys() {
        let default = key.get(&mut draft);
        let samples = (1..100).map(|seed| key.sample(seed));
        let other = samples
            .into_iter()
            .find(|sample| *sample != default)
            .unwrap();
        let entry = Entry {
            path: key.path().to_owned(),
            raw: Raw::Untyped(as_text(&other)),
            origin: SettingOrigin::Default,
        };
        key.set(&mut draft, &entry).unwrap();
    }
    let fields = |route: &route::Config| -> Vec<String> {
        let text = format!("{route:#?}");
        let lines = text
            .lines()
            .filter(|line| line.starts_with("    ") && !line.starts_with("     "));
        lines.map(str::to_owned).collect()
    };
    let (set, unset) = (fields(&draft.routes[&0]), fields(&route::Config::default()));
    let same: Vec<_> = set.iter().filter(|line| unset.contains(line)).collect();
    let same: Vec<_> = same.into_iter().filter(|line| line.contains(':')).collect();
    // One line of a field whose value has several is no value.
    let values: Vec<_> = same
        .iter()
        .filter(|line| !line.ends_with(['(', '{', '[']))
        .collect();
    assert!(values.is_empty(), "{values:?}");
    assert_eq!(keys.keys().len(), 8);
}
