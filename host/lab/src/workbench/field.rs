//! Fields of the files that people write: what a value is, and the sentence when it is something
//! else. Where in the file it is, the JSON parser adds.

use std::fmt;
use wastegate_core::types::spelling;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Characters of a person's own text that an error repeats.
const QUOTED_MAX: usize = 48;
/// Edits by which a name may differ from one that is suggested, at least.
const EDITS_MAX: usize = 3;

/// Below this, 2^53, a floating point number is exactly the whole number that it stands for.
const WHOLE_BELOW: f64 = 9_007_199_254_740_992.0;

/// Any value, as far as a field needs it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Flag(bool),
    Whole(u64),
    Number(f64),
    Text(String),
    List,
    Object,
}

impl Value {
    /// The value in words, for a sentence that says what it should have been.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => quoted(text),
            Self::List => "a list".to_owned(),
            Self::Object => "an object".to_owned(),
        }
    }

    /// A whole number from `min` to `max`.
    pub(super) fn whole(&self, field: &str, min: u64, max: u64) -> Result<u64, String> {
        match self {
            Self::Whole(number) if (min..=max).contains(number) => Ok(*number),
            other => Err(format!(
                "`{field}` must be a whole number from {min} to {max}, and is {}",
                other.describe()
            )),
        }
    }

    /// The same where the number is counted in 32 bits.
    pub(super) fn count(&self, field: &str) -> Result<u32, String> {
        let number = self.whole(field, 0, u64::from(u32::MAX))?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// A number that is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "signals are floating point; 2^53 is beyond any"
            )]
            Self::Whole(number) => Some(*number as f64),
            Self::Number(number) => Some(*number),
            Self::Null | Self::Flag(_) | Self::Text(_) | Self::List | Self::Object => None,
        }
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&self, field: &str, words: &[(&str, T)]) -> Result<T, String> {
        if let Self::Text(text) = self
            && let Some((_, value)) = words.iter().find(|(word, _)| word == text)
        {
            return Ok(*value);
        }
        let known: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        Err(format!(
            "`{field}` must be one of {}, and is {}",
            known.join(", "),
            self.describe()
        ))
    }

    /// Nothing but `true`: the absence of the field says the opposite.
    pub(super) fn only_true(&self, field: &str) -> Result<(), String> {
        match self {
            Self::Flag(true) => Ok(()),
            other => Err(format!(
                "`{field}` can only be true, and is {}; leave it out to say nothing of it",
                other.describe()
            )),
        }
    }
}

/// A text in quotes, cut off where it is long.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// The sentence about a field that there is none of.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("unknown {what} {}; did you mean `{nearest}`?", ticked(name)),
        None => format!("unknown {what} {}", ticked(name)),
    }
}

/// The nearest of some names, if one is near: by half of the name's letters at the most, since authors shorten
/// (`idle` for `idle-ms`).
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = EDITS_MAX.max(name.chars().count() / 2);
    spelling::within(most, name, known)
}

fn ticked(name: &str) -> String {
    let quoted = quoted(name);
    format!("`{}`", quoted.trim_matches('"'))
}

/// Which fields were there already.
#[derive(Default)]
pub(super) struct Seen(Vec<String>);

impl Seen {
    /// Notes one, or says that it is there twice.
    pub(super) fn once<E: de::Error>(&mut self, name: &str) -> Result<(), E> {
        if self.0.iter().any(|seen| seen == name) {
            return Err(E::custom(format!(
                "{} is given twice; keep one",
                ticked(name)
            )));
        }
        self.0.push(name.to_owned());
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Whole(number))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "only negative numbers come here, and none is a count"
    )]
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    /// A count may be written with a point, as some programs do.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        if number.fract() == 0.0 && (0.0..WHOLE_BELOW).contains(&number) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, not negative, and below 2^53"
            )]
            return Ok(Value::Whole(number as u64));
        }
        Ok(Value::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_the_field_and_what_it_found() {
        let text = Value::Text("two".to_owned());
        assert_eq!(
            text.whole("needed", 0, 9).unwrap_err(),
            "`needed` must be a whole number from 0 to 9, and is \"two\""
        );
        assert_eq!(Value::Whole(7).count("needed"), Ok(7));
        assert_eq!(
            text.word("tier", &[("force", 1), ("moderate", 2)])
                .unwrap_err(),
            "`tier` must be one of \"force\", \"moderate\", and is \"two\""
        );
        assert_eq!(
            unknown("field", "teir", &["tier", "scope"]),
            "unknown field `teir`; did you mean `tier`?"
        );
    }

    #[test]
    fn long_texts_are_cut() {
        assert!(quoted(&"x".repeat(10_000)).len() < 60);
    }
}
