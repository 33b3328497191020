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
                value: setting.value.to_string(),
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
