//! Shapes of words: one or some of a closed list, which the types' own names make up.

use super::Shape;
use crate::config::raw::{Raw, SettingValue};
use wastegate_core::types::spelling;

/// One word of a closed list.
pub(in crate::config) struct Word<T: 'static> {
    what: &'static str,
    words: Vec<(&'static str, T)>,
}

/// One of these words; `what` they are is for messages.
pub(in crate::config) fn one_of<T: 'static>(
    what: &'static str,
    words: impl Into<Vec<(&'static str, T)>>,
) -> Word<T> {
    let words = words.into();
    Word { what, words }
}

impl<T: Copy + PartialEq> Word<T> {
    fn quoted(&self) -> String {
        let words: Vec<_> = self
            .words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        words.join(", ")
    }

    fn word(&self, value: T) -> String {
        let found = self.words.iter().find(|(_, known)| *known == value);
        found.map_or_else(String::new, |(word, _)| (*word).to_owned())
    }
}

impl<T: Copy + PartialEq> Shape<T> for Word<T> {
    fn accepts(&self) -> String {
        match self.words.as_slice() {
            [_] => self.quoted(),
            _ => format!("one of {}", self.quoted()),
        }
    }

    fn read(&self, raw: &Raw) -> Result<T, String> {
        let Some(text) = raw.as_text() else {
            return Err(format!("{raw} is not a {}", self.what));
        };
        if let Some((_, value)) = self.words.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        Err(
            match spelling::meant(text, self.words.iter().map(|(word, _)| *word)) {
                Some(near) => format!("unknown {} `{text}` (did you mean `{near}`?)", self.what),
                None => format!("unknown {} `{text}`", self.what),
            },
        )
    }

    fn show(&self, value: &T) -> SettingValue {
        SettingValue::Text(self.word(*value))
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        let at = usize::try_from(seed).unwrap() % self.words.len();
        SettingValue::Text(self.words[at].0.to_owned())
    }
}

/// Some words of a closed list, each at most once.
pub(in crate::config) struct Words<T: 'static>(pub Word<T>);

impl<T: Copy + PartialEq> Shape<Vec<T>> for Words<T> {
    fn accepts(&self) -> String {
        format!("a list of {}", self.0.quoted())
    }

    fn read(&self, raw: &Raw) -> Result<Vec<T>, String> {
        let items = raw
            .as_list()
            .ok_or_else(|| format!("{raw} is not a list"))?;
        let mut values = Vec::new();
        for item in &items {
            let value = self.0.read(item)?;
            if values.contains(&value) {
                return Err(format!("`{}` is named twice", self.0.word(value)));
            }
            values.push(value);
        }
        Ok(values)
    }

    fn show(&self, values: &Vec<T>) -> SettingValue {
        SettingValue::List(values.iter().map(|value| self.0.word(*value)).collect())
    }

    #[cfg(test)]
    fn sample(&self, seed: u64) -> SettingValue {
        let words = self.0.words.iter().enumerate();
        let chosen = words.filter(|(bit, _)| seed >> bit & 1 == 1);
        SettingValue::List(chosen.map(|(_, (word, _))| (*word).to_owned()).collect())
    }
}
