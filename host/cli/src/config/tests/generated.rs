//! The example file and the reference are what the table says.

use wastegate_blessed::is_current;

use super::*;

#[test]
fn example_file() {
    is_current("wastegate.example.toml", "config::tests", &example());
}

#[test]
fn reference_page() {
    is_current("docs/configuration.md", "config::tests", &reference());
}

#[test]
fn the_example_sets_nothing_and_uncommented_still_changes_nothing() {
    assert_same(
        &loaded(&example(), &[], &[]).unwrap().config,
        &ProgramConfig::default(),
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
        .find(|setting| setting.origin == SettingOrigin::Default);
    assert_eq!(unset, None);
    let mut config = loaded.config;
    assert_eq!(config.ranking.params.remove("name"), Some(1.5));
    assert_same(&config, &ProgramConfig::default());
}

fn uncommented(line: &str) -> String {
    match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => key.to_owned(),
        _ => line.to_owned(),
    }
}
