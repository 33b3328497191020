//! What can be wrong with a configuration, in sentences that an operator can act on.
//!
//! Each problem names the key, the place, what was found and what to do; none holds the value of
//! a secret. Problems are collected, so that one attempt to start shows all of them.

use std::fmt;
use std::path::PathBuf;

use super::raw::SettingOrigin;

/// Why the configuration was refused: at least one problem.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
}

impl ConfigError {
    /// The error for these problems, if there are any.
    pub(super) fn unless_empty(problems: Vec<ConfigProblem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }

    /// The error for what a room refused although every check here let it pass: the table of keys
    /// allows more than the room does.
    pub(super) fn room(section: &str, reason: impl fmt::Display) -> Self {
        let problem = ConfigProblem::Conflict {
            keys: vec![section.to_owned()],
            found: format!("`{section}`"),
            reason: reason.to_string(),
            remedy: "`wastegate config default` shows values that are taken".to_owned(),
        };
        Self {
            problems: vec![problem],
        }
    }

    /// Everything that is wrong.
    #[must_use]
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.problems.iter();
        if let Some(first) = lines.next() {
            write!(f, "{first}")?;
        }
        lines.try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigProblem {
    /// The file could not be read.
    #[error(
        "cannot read {} ({reason}), named by {origin}; name a readable TOML file or none",
        path.display()
    )]
    Unreadable {
        /// The path of the file, as it was given.
        path: PathBuf,
        /// Who named it.
        origin: SettingOrigin,
        /// What the system says.
        reason: String,
    },
    /// The file is not TOML.
    #[error("{origin} is not TOML: {reason}; mend that line")]
    Syntax {
        /// The file and line, variable or flag that has it.
        origin: SettingOrigin,
        /// What the parser says.
        reason: String,
    },
    /// A `--set` without a key or without `=`.
    #[error("`--set {text}` sets nothing; write `--set section.key=value`")]
    SetsNothing {
        /// What stands behind `--set`.
        text: String,
    },
    /// A variable that is not UTF-8.
    #[error("env {name} is not UTF-8; set it to plain text or unset it")]
    NotUtf8 {
        /// The name of the environment variable.
        name: String,
    },
    /// Nobody knows the key.
    #[error("unknown {what} `{key}` in {origin}; {}", Hint(nearest.as_deref()))]
    Unknown {
        /// `key` or `section`.
        what: &'static str,
        /// The path of the key, joined by dots.
        key: String,
        /// The file and line, variable or flag that has it.
        origin: SettingOrigin,
        /// The known one that is nearest.
        nearest: Option<String>,
    },
    /// Nobody knows the variable.
    #[error("unknown variable {name} in the environment; {}", Hint(nearest.as_deref()))]
    UnknownVariable {
        /// The name of the environment variable.
        name: String,
        /// The known one that is nearest.
        nearest: Option<String>,
    },
    /// A value where a section belongs.
    #[error(
        "`{key}` in {origin} is a section, not a key; set the keys beneath it, such as `{such_as}`"
    )]
    Section {
        /// The section's path.
        key: String,
        /// The file and line, variable or flag that has it.
        origin: SettingOrigin,
        /// One of its keys.
        such_as: String,
    },
    /// Something else where a list of tables belongs.
    #[error(
        "`{key}` in {origin}: routes are a list of tables in a file; write `[[gateway.route]]` there \
         for each of them, and beneath it keys such as `path` and `upstream`"
    )]
    Tables {
        /// The key's path.
        key: String,
        /// The file and line, variable or flag that has it.
        origin: SettingOrigin,
    },
    /// Two spellings of one variable, of which neither comes last.
    #[error("`{key}` is set by both {first} and {second}; unset one of them")]
    Twice {
        /// The key's path.
        key: String,
        /// The variable that was read first.
        first: SettingOrigin,
        /// The variable that sets the same key.
        second: SettingOrigin,
    },
    /// A secret on the command line.
    #[error(
        "`{key}` is a secret and {origin} can be read in the list of processes; \
         set it in the file or by the variable {variable}"
    )]
    SecretInFlag {
        /// The key's path.
        key: String,
        /// The flag, without the secret.
        origin: SettingOrigin,
        /// The variable to use instead.
        variable: String,
    },
    /// The value has the wrong type, is out of range or is not one of the words.
    #[error("`{key}` in {origin}: {reason}; give {accepts}")]
    Value {
        /// The key's path.
        key: String,
        /// The file and line, variable or flag that has it.
        origin: SettingOrigin,
        /// What is wrong with it.
        reason: String,
        /// What would be right, and the default.
        accepts: String,
    },
    /// Each value is fine, but not together.
    #[error("{found}: {reason}; {remedy}")]
    Conflict {
        /// The keys concerned.
        keys: Vec<String>,
        /// Their values and where they came from.
        found: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

impl ConfigProblem {
    /// The keys that it is about; none if it is about a whole file or flag.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        match self {
            Self::Unknown { key, .. }
            | Self::Section { key, .. }
            | Self::Tables { key, .. }
            | Self::Twice { key, .. }
            | Self::SecretInFlag { key, .. }
            | Self::Value { key, .. } => vec![key],
            Self::Conflict { keys, .. } => keys.iter().map(String::as_str).collect(),
            Self::Unreadable { .. }
            | Self::Syntax { .. }
            | Self::SetsNothing { .. }
            | Self::UnknownVariable { .. }
            | Self::NotUtf8 { .. } => Vec::new(),
        }
    }

    /// Whether it kept a whole layer from being read, so that values are missing.
    pub(super) fn hides_values(&self) -> bool {
        matches!(self, Self::Unreadable { .. } | Self::Syntax { .. })
    }

    /// The place, where it is one place.
    #[must_use]
    pub fn origin(&self) -> Option<&SettingOrigin> {
        match self {
            Self::Unreadable { origin, .. }
            | Self::Syntax { origin, .. }
            | Self::Unknown { origin, .. }
            | Self::Section { origin, .. }
            | Self::Tables { origin, .. }
            | Self::SecretInFlag { origin, .. }
            | Self::Value { origin, .. } => Some(origin),
            Self::Twice { second, .. } => Some(second),
            Self::UnknownVariable { .. }
            | Self::SetsNothing { .. }
            | Self::NotUtf8 { .. }
            | Self::Conflict { .. } => None,
        }
    }
}

struct Hint<'a>(Option<&'a str>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(nearest) => write!(f, "did you mean `{nearest}`?"),
            None => f.write_str("`wastegate config default` lists every key"),
        }
    }
}
