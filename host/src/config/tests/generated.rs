//! The example file and the reference are what the table says.

use std::fs;
use std::path::Path;

use super::*;

#[test]
fn example_file() {
    is_current("wastegate.example.toml", &example());
}

#[test]
fn reference_page() {
    is_current("docs/configuration.md", &reference());
}

#[test]
fn the_example_sets_nothing_and_uncommented_still_changes_nothing() {
    assert_same(
        &loaded(&example(), &[], &[]).unwrap().config,
        &Config::default(),
    );

    let lines = example()
        .lines()
        .map(uncommented)
        .collect::<Vec<_>>()
        .join("\n");
    let loaded = loaded(&lines, &[], &[]).unwrap();
    let unset = loaded
        .settings
        .iter()
        .find(|setting| setting.origin == Origin::Default);
    assert_eq!(unset, None);
    let mut config = loaded.config;
    assert_eq!(config.ranking.params.remove("name"), Some(1.5));
    assert_same(&config, &Config::default());
}

fn uncommented(line: &str) -> String {
    match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => key.to_owned(),
        _ => line.to_owned(),
    }
}

/// Compares a file of the repository, or writes it where that is asked for.
pub(super) fn is_current(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    if blessed() {
        fs::write(&path, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{name} is out of date; to write it anew:\n\n    \
         WASTEGATE_BLESS=1 cargo test -p wastegate config::tests\n"
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "how to bless is asked of whoever runs the test"
)]
fn blessed() -> bool {
    std::env::var_os("WASTEGATE_BLESS").is_some()
}
