//! Shapes that only the `observe` room needs: a log filter and a secret key.

use tracing_subscriber::EnvFilter;

use super::Shape;
use crate::config::raw::{Raw, SettingValue};
use wastegate::observe::PseudonymKey;

/// Which log lines are written.
pub(in crate::config) struct Filter;

impl Shape<String> for Filter {
    fn accepts(&self) -> String {
        "targets with levels, such as `info` or `info,wastegate=debug`".to_owned()
    }

    fn read(&self, raw: &Raw) -> Result<String, String> {
        let text = raw.as_text().ok_or_else(|| format!("{raw} is not text"))?;
        match EnvFilter::try_new(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) => Err(format!("{text:?} is not a filter ({error})")),
        }
    }

    fn show(&self, value: &String) -> SettingValue {
        SettingValue::Text(value.clone())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        let levels = [
            "warn",
            "info,wastegate=debug",
            "error,wastegate::cleanup=trace",
        ];
        SettingValue::Text(levels[usize::try_from(seed % 3).unwrap()].to_owned())
    }
}

/// A key of 128 bits, or empty text for none. Neither a message nor `show` repeats it.
pub(in crate::config) struct SecretKey;

impl Shape<Option<PseudonymKey>> for SecretKey {
    fn accepts(&self) -> String {
        "32 hexadecimal digits as text, or \"\" for none".to_owned()
    }

    fn read(&self, raw: &Raw) -> Result<Option<PseudonymKey>, String> {
        match raw.as_text() {
            None => Err("the value is not text".to_owned()),
            Some("") => Ok(None),
            Some(text) => match text.parse() {
                Ok(key) => Ok(Some(key)),
                Err(_) => Err("the text is not a key".to_owned()),
            },
        }
    }

    fn show(&self, value: &Option<PseudonymKey>) -> SettingValue {
        SettingValue::Secret(if value.is_some() { "set" } else { "not set" })
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        SettingValue::Text(format!("{seed:032x}"))
    }
}
