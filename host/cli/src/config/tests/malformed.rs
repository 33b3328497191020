//! Configurations that are refused. Most are in `malformed.txt`, as an operator would see them;
//! here are those that no text can hold.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::*;
use wastegate_blessed::is_current;

#[test]
fn each_is_refused_in_these_words() {
    let (heading, cases) = include_str!("malformed.txt").split_once("\n\n").unwrap();
    let ran: Vec<_> = cases.split("\n\n").map(run).collect();
    assert!(ran.len() > 60, "{} cases were read", ran.len());
    let found = format!("{heading}\n\n{}\n", ran.join("\n\n"));
    is_current(
        "host/cli/src/config/tests/malformed.txt",
        "config::tests",
        &found,
    );
}

/// A case with what is said of it now.
fn run(case: &str) -> String {
    let (mut file, mut environment, mut set) = (String::new(), Vec::new(), Vec::new());
    let mut shown = Vec::new();
    for line in case.lines() {
        if let Some(text) = line.strip_prefix('|') {
            file.push_str(text.strip_prefix(' ').unwrap_or(text));
            file.push('\n');
        } else if let Some(variable) = line.strip_prefix("$ ") {
            environment.push(variable.split_once('=').unwrap());
        } else if let Some(flag) = line.strip_prefix("--set ") {
            set.push(flag);
        } else if line.starts_with("! ") {
            continue;
        }
        shown.push(line.to_owned());
    }
    let message = loaded(&file, &environment, &set)
        .map(|_| ())
        .expect_err(case);
    shown.extend(message.lines().map(|problem| format!("! {problem}")));
    shown.join("\n")
}

#[test]
fn a_file_that_cannot_be_read() {
    let message = |sources: Sources| load(sources).unwrap_err().to_string();
    let file = Some(PathBuf::from("no/such.toml"));
    assert_eq!(
        message(Sources {
            file,
            ..Sources::default()
        }),
        "cannot read no/such.toml (No such file or directory (os error 2)), named by flag \
         --config; name a readable TOML file or none"
    );
    let environment = [("WASTEGATE_CONFIG", "no/such.toml")].into_iter().collect();
    let by_variable = message(Sources {
        environment,
        ..Sources::default()
    });
    assert!(
        by_variable.contains(", named by env WASTEGATE_CONFIG;"),
        "{by_variable}"
    );
}

#[test]
fn a_file_that_is_too_large_is_not_read_to_its_end() {
    let message = loaded(&"# no end\n".repeat(200_000), &[], &[]).unwrap_err();
    assert!(
        message.starts_with("cannot read FILE (it has more than 1048576 bytes)"),
        "{message}"
    );
}

#[test]
fn a_variable_that_is_not_text() {
    let value = OsString::from_vec(vec![0xff]);
    let environment = [("WASTEGATE_SERVER__NODE", value)].into_iter().collect();
    let error = load(Sources {
        environment,
        ..Sources::default()
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "env WASTEGATE_SERVER__NODE is not UTF-8; set it to plain text or unset it"
    );
}

#[test]
fn no_refusal_repeats_a_secret() {
    for secret in ["hunter2", "00112233445566778899aabbccddeeff"] {
        let message = include_str!("malformed.txt")
            .lines()
            .filter(|line| line.starts_with('!'));
        assert!(
            message.into_iter().all(|line| !line.contains(secret)),
            "{secret} is repeated"
        );
    }
}
