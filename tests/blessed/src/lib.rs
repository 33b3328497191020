//! Expectations that are files of the repository: compared, or written anew where that is asked for.

#![allow(clippy::unwrap_used, reason = "it is for tests")]

use std::fs;
use std::path::Path;

/// Compares a file of the repository, or writes it with `WASTEGATE_BLESS=1`. `tests` is the filter
/// that runs the test.
/// # Panics
/// If the file is another one, or cannot be written.
pub fn is_current(name: &str, tests: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name);
    if asked_for() {
        fs::write(&path, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differs = found
        .lines()
        .zip(expected.lines())
        .find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "{name} is out of date, first here: {differs:?}; to write it anew:\n\n    \
         WASTEGATE_BLESS=1 cargo test {tests}\n"
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "how to bless is asked of whoever runs the test"
)]
fn asked_for() -> bool {
    std::env::var_os("WASTEGATE_BLESS").is_some()
}
