//! Values on their way in and out, and where they came from.
//!
//! A [`Raw`] value is what a layer read, before anyone asked whether it makes sense; a [`SettingValue`]
//! is a setting written back for a reader. Neither is used beyond this room.

use std::fmt;
use std::num::IntErrorKind;
use std::path::PathBuf;

use serde::{Serialize, Serializer};
use toml::Spanned;
use toml::de::DeValue;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingOrigin {
    /// Nobody set it.
    Default,
    /// A line of the configuration file, from 1.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The number of the line in the file, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name, as it is spelled.
        name: String,
    },
    /// A command-line flag.
    Flag {
        /// The flag and the key, without the value: it may be a secret.
        text: String,
    },
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { name } => write!(f, "env {name}"),
            Self::Flag { text } => write!(f, "flag {text}"),
        }
    }
}

impl Serialize for SettingOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One setting as a layer read it.
#[derive(Debug)]
pub(super) struct Entry {
    /// The key's path, joined by dots.
    pub path: String,
    pub raw: Raw,
    pub origin: SettingOrigin,
}

/// A value before it is checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Bool(bool),
    Whole(i128),
    Number(f64),
    Text(String),
    List(Vec<Self>),
    Date(String),
    Table,
    /// From a variable or a flag: text that may mean anything.
    Untyped(String),
}

impl Raw {
    pub(super) fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Untyped(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn as_whole(&self) -> Option<i128> {
        match self {
            Self::Whole(value) => Some(*value),
            Self::Untyped(text) => whole(&text.replace('_', ""), 10),
            _ => None,
        }
    }

    /// Never for what is not finite, which no setting means.
    pub(super) fn as_number(&self) -> Option<f64> {
        let number: f64 = match self {
            Self::Number(value) => *value,
            Self::Whole(value) => value.to_string().parse().ok()?,
            Self::Untyped(text) => text.replace('_', "").parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Untyped(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; of text without a type, those of an array as a file has it, else what stands
    /// between its commas.
    pub(super) fn as_list(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.clone()),
            Self::Untyped(text) if text.trim().is_empty() => Some(Vec::new()),
            Self::Untyped(text) => {
                // What an error shows as the remedy, in the words of the file, works here as well.
                if let Ok(DeValue::Array(items)) = DeValue::parse(text).map(Spanned::into_inner) {
                    return Some(items.iter().map(|item| item.get_ref().into()).collect());
                }
                let items = text
                    .split(',')
                    .map(|item| Self::Untyped(item.trim().to_owned()));
                Some(items.collect())
            }
            _ => None,
        }
    }
}

impl From<&DeValue<'_>> for Raw {
    fn from(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(number) => {
                Self::Whole(whole(number.as_str(), number.radix()).unwrap_or(i128::MAX))
            }
            DeValue::Float(number) => Self::Number(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Self::Bool(*value),
            DeValue::Datetime(date) => Self::Date(date.to_string()),
            DeValue::Array(items) => {
                Self::List(items.iter().map(|item| item.get_ref().into()).collect())
            }
            DeValue::Table(_) => Self::Table,
        }
    }
}

/// A whole number out of its digits. One of more than 128 bits becomes the nearest that fits: it is
/// out of any range all the same.
pub(super) fn whole(digits: &str, radix: u32) -> Option<i128> {
    match i128::from_str_radix(digits, radix) {
        Ok(number) => Some(number),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow => Some(i128::MAX),
            IntErrorKind::NegOverflow => Some(i128::MIN),
            _ => None,
        },
    }
}

/// What was found, for a message.
impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Whole(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value:?}"),
            Self::Text(text) => write!(f, "the text {text:?}"),
            Self::List(_) => f.write_str("a list"),
            Self::Date(text) => write!(f, "the date {text}"),
            Self::Table => f.write_str("a table"),
            Self::Untyped(text) => write!(f, "`{text}`"),
        }
    }
}

/// A setting as it is shown. `Display` writes it as TOML.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Whole(u64),
    /// A number with a fraction.
    Number(f64),
    /// Text, or a word of a closed list.
    Text(String),
    /// Words of a closed list.
    List(Vec<String>),
    /// A list of whole numbers.
    Wholes(Vec<u64>),
    /// Something that is never shown: `set` or `not set`.
    Secret(&'static str),
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Whole(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value:?}"),
            Self::Text(text) => write!(f, "{}", toml::Value::from(text.as_str())),
            Self::List(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
                write!(f, "[{}]", words.join(", "))
            }
            Self::Wholes(numbers) => write!(f, "{numbers:?}"),
            Self::Secret(state) => f.write_str(state),
        }
    }
}
