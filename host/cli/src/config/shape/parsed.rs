//! Shapes of text that one function reads: single ones, those that may be empty, and lists of them.

use super::Shape;
use crate::config::raw::{Raw, SettingValue};

/// How one text is read and written.
pub(in crate::config) struct Parsed<T: 'static> {
    /// What to give, as the object of "give".
    pub accepts: &'static str,
    pub parse: fn(&str) -> Result<T, String>,
    pub write: fn(&T) -> String,
    /// Some that are accepted.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for tests, which go through the whole table")
    )]
    pub samples: &'static [&'static str],
}

/// Such a text, or empty text for none.
pub(in crate::config) struct Optional<T: 'static>(pub Parsed<T>);

/// A list of such texts without repetition; one alone may be given as it is.
pub(in crate::config) struct ListOf<T: 'static>(pub Parsed<T>);

impl<T> Parsed<T> {
    fn text(&self, raw: &Raw) -> Result<T, String> {
        let text = raw.as_text().ok_or_else(|| format!("{raw} is not text"))?;
        (self.parse)(text)
    }

    #[cfg(test)]
    fn some(&self, seed: u64) -> String {
        let at = usize::try_from(seed).unwrap() % self.samples.len();
        self.samples[at].to_owned()
    }
}

impl<T> Shape<T> for Parsed<T> {
    fn accepts(&self) -> String {
        self.accepts.to_owned()
    }

    fn read(&self, raw: &Raw) -> Result<T, String> {
        self.text(raw)
    }

    fn show(&self, value: &T) -> SettingValue {
        SettingValue::Text((self.write)(value))
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        SettingValue::Text(self.some(seed))
    }
}

impl<T> Shape<Option<T>> for Optional<T> {
    fn accepts(&self) -> String {
        format!("{}, or \"\" for none", self.0.accepts)
    }

    fn read(&self, raw: &Raw) -> Result<Option<T>, String> {
        match raw.as_text() {
            Some("") => Ok(None),
            _ => self.0.text(raw).map(Some),
        }
    }

    fn show(&self, value: &Option<T>) -> SettingValue {
        let text = value.as_ref().map(self.0.write);
        SettingValue::Text(text.unwrap_or_default())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        match seed % 3 {
            0 => SettingValue::Text(String::new()),
            _ => SettingValue::Text(self.0.some(seed)),
        }
    }
}

impl<T: PartialEq> Shape<Vec<T>> for ListOf<T> {
    fn accepts(&self) -> String {
        format!("a list, each {}", self.0.accepts)
    }

    fn read(&self, raw: &Raw) -> Result<Vec<T>, String> {
        let items = match raw {
            Raw::Text(text) if text.is_empty() => Vec::new(),
            Raw::Text(_) => vec![raw.clone()],
            _ => raw
                .as_list()
                .ok_or_else(|| format!("{raw} is not a list"))?,
        };
        let mut values = Vec::new();
        for item in &items {
            let value = self.0.text(item)?;
            if values.contains(&value) {
                return Err(format!("{item} is named twice"));
            }
            values.push(value);
        }
        Ok(values)
    }

    fn show(&self, values: &Vec<T>) -> SettingValue {
        SettingValue::List(values.iter().map(self.0.write).collect())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        let some = self.0.samples.iter().enumerate();
        let some = some.filter(|(bit, _)| seed >> bit & 1 == 1);
        SettingValue::List(some.map(|(_, text)| (*text).to_owned()).collect())
    }
}
