//! Configurations that are refused, with every word of the refusal.

use super::*;

/// A file, what it is refused with.
fn file(text: &str, expected: &str) {
    assert_eq!(loaded(text, &[], &[]).unwrap_err(), expected, "for {text}");
}

/// A `--set`, what it is refused with.
fn set(flag: &str, expected: &str) {
    assert_eq!(
        loaded("", &[], &[flag]).unwrap_err(),
        expected,
        "for {flag}"
    );
}

/// A variable, what it is refused with.
fn variable(name: &str, value: &str, expected: &str) {
    assert_eq!(
        loaded("", &[(name, value)], &[]).unwrap_err(),
        expected,
        "for {name}"
    );
}

#[test]
fn x() {
    file("a = 1", "");
}
