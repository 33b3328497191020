//! Prints a configuration with where each value came from.
//!
//! The text is TOML that loads to the same configuration, save for secrets, which are only said
//! to be set.

use std::fmt::Write as _;

use super::key::Effect;
use super::keys::{Table, head};
use super::load::{LoadedConfig, Setting};
use super::raw::SettingValue;
use wastegate_control::admin::SettingDto;

/// A value without what a URL in it may hold of secrets: its user information and its query.
fn without_credentials(value: &str) -> String {
    let Some((before, rest)) = value.split_once("://") else {
        return value.to_owned();
    };
    let end = rest.find(['/', '?', '#', '"']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("(secret)@{host}"),
        None => authority.to_owned(),
    };
    let path = match path.split_once('?') {
        Some((path, query)) => {
            let close = if query.ends_with('"') { "\"" } else { "" };
            format!("{path}?(secret){close}")
        }
        None => path.to_owned(),
    };
    format!("{before}://{authority}{path}")
}

impl LoadedConfig {
    /// The configuration as the operators' API shows it.
    #[must_use]
    pub fn shown(&self) -> Vec<SettingDto> {
        let table = Table::new();
        let shown = |setting: &Setting| {
            let known = table.with(&setting.key, |key| {
                (key.effect() == Effect::Live, key.doc().to_owned())
            });
            let (live, about) = known.unwrap_or_default();
            SettingDto {
                key: setting.key.clone(),
                value: without_credentials(&setting.value.to_string()),
                from: setting.origin.to_string(),
                live,
                about,
            }
        };
        self.settings.iter().map(shown).collect()
    }

    /// The configuration as TOML, each line with its origin.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut open = "";
        for setting in &self.settings {
            let (section, name) = setting.key.rsplit_once('.').unwrap_or(("", &setting.key));
            if section != open {
                let blank = if text.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{blank}{}", head(section));
                open = section;
            }
            let hidden = if matches!(setting.value, SettingValue::Secret(_)) {
                "# "
            } else {
                ""
            };
            let line = format!("{hidden}{name} = {}", setting.value);
            let _ = write!(text, "{line:<40} # {}", setting.origin);
            if let Some(resolved) = self.resolved(&setting.key) {
                let _ = write!(text, ", {resolved} here");
            }
            text.push('\n');
        }
        text
    }

    /// What a value that goes by others comes to with these.
    fn resolved(&self, key: &str) -> Option<usize> {
        let connection = &self.config.connection;
        if key != "connection.frame_bytes_max" || connection.frame_bytes_max.is_some() {
            return None;
        }
        Some(if self.config.gateway.hands_on() {
            connection.relayed_frame_bytes_max()
        } else {
            connection.own_frame_bytes_max()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_what_may_be_secret() {
        for (value, shown) in [
            ("20", "20"),
            ("\"http://127.0.0.1:1/x\"", "\"http://127.0.0.1:1/x\""),
            (
                "\"http://user:PASS@127.0.0.1:1/x?token=QUERY\"",
                "\"http://(secret)@127.0.0.1:1/x?(secret)\"",
            ),
            (
                "\"https://u@p@host?k\"",
                "\"https://(secret)@host?(secret)\"",
            ),
        ] {
            assert_eq!(without_credentials(value), shown);
        }
    }
}
