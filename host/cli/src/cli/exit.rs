//! Exit codes of all commands, in one table: those of `sysexits.h` where it has one.

use std::fmt::Write as _;

macro_rules! exit_codes {
    ($($name:ident = $code:literal, $about:literal;)+) => {
        $(
            #[doc = $about]
            pub(in crate::cli) const $name: u8 = $code;
        )+

        /// Those above, and when a command ends with each.
        const OURS: &[(u8, &str)] = &[$(($code, $about)),+];
    };
}

exit_codes! {
    EX_FAILURE = 1, "It was refused, or what was asked did not come out well (a check, a test, a verdict).";
    EX_USAGE = 64, "The arguments make no sense together, or a name cannot be one.";
    EX_DATAERR = 65, "A definition, a case or saved figures that were given are not what they should be.";
    EX_NOINPUT = 66, "A file could not be read, or recorded activity is not what it should be.";
    EX_UNAVAILABLE = 69, "The server does not answer, or something that is needed is not there.";
    EX_CANTCREAT = 73, "A file could not be written.";
    EX_CONFIG = 78, "The configuration was refused; there is a line for each problem.";
    SIGPIPE_CODE = 141, "The reader of the output went away, as `head` does.";
}

/// Of a command that did what was asked.
const DONE: (u8, &str) = (0, "It was done.");
/// By which the parser of arguments ends the program.
const ARGUMENTS: (u8, &str) = (2, "The arguments make no sense; the message says which.");

/// Every code, in order, and when a command ends with it.
fn exit_codes() -> Vec<(u8, &'static str)> {
    let mut codes = vec![DONE, ARGUMENTS];
    codes.extend(OURS);
    codes.sort_unstable();
    codes
}

/// The table for the help of the program.
pub(in crate::cli) fn help() -> String {
    let mut text = "Exit codes:".to_owned();
    for (code, about) in exit_codes() {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {code:<4} {about}");
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    /// A command with those below it, a line each.
    fn listed(command: &clap::Command, path: &str, page: &mut String) {
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            if verb.get_name() == "help" {
                continue;
            }
            let path = format!("{path} {}", verb.get_name());
            let about = verb.get_about().map(ToString::to_string);
            writeln!(page, "| `{path}` | {} |", about.unwrap_or_default()).unwrap();
            listed(verb, &path, page);
        }
    }

    #[test]
    fn the_page_of_commands_is_current() {
        let mut page = "# Commands\n\nEvery command with a sentence. `wastegate COMMAND --help` has the arguments and examples. Without a command, `wastegate` is `wastegate serve`.\n\n| command | does |\n| --- | --- |\n".to_owned();
        listed(&Cli::command(), "wastegate", &mut page);
        page.push_str("\n## Exit codes\n\n| code | means |\n| ---: | --- |\n");
        for (code, about) in exit_codes() {
            writeln!(page, "| {code} | {about} |").unwrap();
        }
        wastegate_blessed::is_current("docs/commands.md", "the_page_of_commands", &page);
    }

    #[test]
    fn a_wrong_argument_ends_with_the_code_of_the_table() {
        let wrong = <Cli as clap::Parser>::try_parse_from(["wastegate", "--no-such"]);
        assert_eq!(wrong.unwrap_err().exit_code(), i32::from(ARGUMENTS.0));
    }
}
