//! Prints a configuration with where each value came from.
//!
//! The text is TOML that loads to the same configuration, save for secrets, which are only said
//! to be set.

use std::fmt::Write as _;

use super::load::Loaded;
use super::raw::Value;

impl Loaded {
    /// The configuration as TOML, each line with its origin.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut open = "";
        for setting in &self.settings {
            let (section, name) = setting.key.rsplit_once('.').unwrap_or(("", &setting.key));
            if section != open {
                let blank = if text.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{blank}[{section}]");
                open = section;
            }
            let hidden = if matches!(setting.value, Value::Secret(_)) {
                "# "
            } else {
                ""
            };
            let line = format!("{hidden}{name} = {}", setting.value);
            let _ = writeln!(text, "{line:<40} # {}", setting.origin);
        }
        text
    }
}
