//! Keeps the guide for authors, `policies/README.md`, true to this crate.

use wastegate_policy::{DeviceClass, Health, Protection, Signal, Visibility};

const GUIDE: &str = include_str!("../../README.md");

#[test]
fn the_guide_describes_every_signal() {
    for signal in Signal::ALL {
        let row = format!("| `{}` |", signal.name());
        assert!(GUIDE.contains(&row), "policies/README.md has no row {row}");
    }
}

#[test]
fn the_guide_lists_every_code() {
    let table = |signal: Signal, codes: Vec<(f64, &str)>| {
        let codes: Vec<String> = codes
            .iter()
            .filter(|(code, _)| !code.is_nan())
            .map(|(code, word)| format!("{code} {word}"))
            .collect();
        let row = format!("| `{}` | {} |", signal.name(), codes.join(", "));
        assert!(GUIDE.contains(&row), "policies/README.md has no row {row}");
    };
    table(
        Signal::Health,
        Health::ALL
            .iter()
            .map(|c| (c.to_signal(), c.name()))
            .collect(),
    );
    table(
        Signal::Protection,
        Protection::ALL
            .iter()
            .map(|c| (c.to_signal(), c.name()))
            .collect(),
    );
    table(
        Signal::Visibility,
        Visibility::ALL
            .iter()
            .map(|c| (c.to_signal(), c.name()))
            .collect(),
    );
    table(
        Signal::DeviceClass,
        DeviceClass::ALL
            .iter()
            .map(|c| (c.to_signal(), c.name()))
            .collect(),
    );
}
