//! The layer of flags: `--set section.key=value`, and shorthands that set one key each.
//!
//! Which shorthands there are is the command line's business; here they arrive as overrides.

use super::error::ConfigProblem;
use super::raw::{Entry, Raw, SettingOrigin};

/// A key set by a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The key's path, spelled as in a file.
    pub key: String,
    /// The value, spelled as in a file but without quotes; a list with commas between its words.
    pub value: String,
    /// The flag, for messages: `--listen`.
    pub flag: String,
}

impl Override {
    /// What a shorthand such as `--listen` sets.
    #[must_use]
    pub fn shorthand(flag: &str, key: &str, value: impl ToString) -> Self {
        Self {
            key: key.to_owned(),
            value: value.to_string(),
            flag: flag.to_owned(),
        }
    }

    /// What `--set` was given.
    ///
    /// # Errors
    /// [`ConfigProblem::SetsNothing`] where there is no key or no `=`.
    pub fn set(text: &str) -> Result<Self, ConfigProblem> {
        match text
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim()))
        {
            None | Some(("", _)) => Err(ConfigProblem::SetsNothing {
                text: text.to_owned(),
            }),
            Some((key, value)) => Ok(Self::shorthand(&format!("--set {key}"), key, value)),
        }
    }
}

/// The overrides as entries, in the order in which they were given: the last one holds.
pub(super) fn entries(overrides: Vec<Override>) -> impl Iterator<Item = Entry> {
    overrides
        .into_iter()
        .map(|Override { key, value, flag }| Entry {
            path: key,
            raw: Raw::Untyped(value),
            origin: SettingOrigin::Flag { text: flag },
        })
}
