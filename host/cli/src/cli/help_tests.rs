//! The help of every command has an example, and every example is a command.

use clap::{CommandFactory as _, Parser as _};

use super::Cli;

/// The widest line of an example: as wide as a terminal is.
const EXAMPLE_MAX: usize = 80;

/// Every command that is shown, with its name as it is typed.
fn all(command: &clap::Command, path: &str, found: &mut Vec<(String, String)>) {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = verb.get_name();
        if name == "help" {
            continue;
        }
        let path = format!("{path} {name}");
        let help = verb.get_after_help().map(ToString::to_string);
        all(verb, &path, found);
        found.push((path, help.unwrap_or_default()));
    }
}

/// The words of a line as a shell makes them, without what it does itself.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for character in line.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            '>' | '|' if !quoted => break,
            _ => words.last_mut().unwrap().push(character),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_has_an_example_that_is_one() {
    let mut found = Vec::new();
    all(&Cli::command(), "wastegate", &mut found);
    assert!(found.len() > 50, "{}", found.len());
    for (path, help) in found {
        let examples: Vec<&str> = help
            .lines()
            .filter_map(|line| line.strip_prefix("  "))
            .filter(|line| line.starts_with("wastegate "))
            .collect();
        assert!(
            !examples.is_empty(),
            "the help of `{path}` has no example: {help:?}"
        );
        for example in examples {
            assert!(
                example.starts_with(&path),
                "`{example}` is no example of `{path}`"
            );
            assert!(
                example.len() + 2 <= EXAMPLE_MAX,
                "`{example}` is wider than a terminal"
            );
            if let Err(error) = Cli::try_parse_from(words(example)) {
                panic!("`{example}`: {error}");
            }
        }
    }
}
