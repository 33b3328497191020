//! A shape of what need not be set: something above it says it, or it goes by something else.

use super::Shape;
use crate::config::raw::{Raw, SettingValue};

/// What another shape takes, or a word that leaves it open.
pub(in crate::config) struct Unset<S> {
    shape: S,
    word: &'static str,
}

/// What another shape takes, or `"inherit"`.
pub(in crate::config) const fn inherited<S>(shape: S) -> Unset<S> {
    let word = "inherit";
    Unset { shape, word }
}

/// What another shape takes, or `"auto"`.
pub(in crate::config) const fn auto<S>(shape: S) -> Unset<S> {
    let word = "auto";
    Unset { shape, word }
}

impl<T, S: Shape<T>> Shape<Option<T>> for Unset<S> {
    fn at(self, path: &str) -> Self {
        let Self { shape, word } = self;
        let shape = shape.at(path);
        Self { shape, word }
    }

    fn accepts(&self) -> String {
        format!("{}, or \"{}\"", self.shape.accepts(), self.word)
    }

    fn read(&self, raw: &Raw) -> Result<Option<T>, String> {
        if raw.as_text() == Some(self.word) {
            return Ok(None);
        }
        self.shape.read(raw).map(Some)
    }

    fn show(&self, value: &Option<T>) -> SettingValue {
        let value = value.as_ref();
        value.map_or_else(
            || SettingValue::Text(self.word.to_owned()),
            |value| self.shape.show(value),
        )
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        match seed % 4 {
            0 => SettingValue::Text(self.word.to_owned()),
            _ => self.shape.sample(seed),
        }
    }
}
