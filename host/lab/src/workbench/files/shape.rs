//! Which form an object has, by the names of its fields. Only those are looked at: what the form
//! makes of its fields is read again, strictly.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::error::Problem;
use crate::workbench::field::Value;

/// Names that are looked at; an object of more has some of them among the first.
const NAMES_MAX: usize = 64;

/// What an object is.
#[derive(Debug, PartialEq)]
pub(super) enum Shape {
    /// A snapshot, or something that is none and should be told so.
    Snapshot,
    /// A snapshot with expectations.
    Case,
    /// The record of a decision.
    Record,
    /// A captured fault.
    Fault,
    /// A user as operators see it.
    User,
    /// An event of the activity stream.
    Activity,
    /// What a server says when it will not answer.
    Refusal(String),
    /// A journal's mark that lines are missing.
    Gap,
}

impl Shape {
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Problem> {
        let names: Names = serde_json::from_slice(bytes)?;
        let has = |name: &str| names.all.iter().any(|known| known == name);
        Ok(if has("snapshot") || has("expect") {
            Self::Case
        } else if has("managers") {
            Self::User
        } else if has("columns") {
            Self::Fault
        } else if has("ranking") && has("victims") {
            Self::Record
        } else if has("t_ms") && has("kind") {
            Self::Activity
        } else if has("dropped") && names.all.len() == 1 {
            Self::Gap
        } else if let (true, false, Some(message)) = (has("error"), has("rows"), names.message) {
            Self::Refusal(message)
        } else {
            Self::Snapshot
        })
    }
}

/// Whether a text is one JSON value with nothing behind it; a mistake counts as one, so that it is
/// told with its place in the whole file.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    let first = values.next();
    let ended = values.byte_offset();
    !matches!(first, Some(Ok(_)))
        || !bytes
            .get(ended..)
            .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"{"))
}

#[derive(Default)]
struct Names {
    all: Vec<String>,
    message: Option<String>,
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnlyNames)
    }
}

struct OnlyNames;

impl<'de> Visitor<'de> for OnlyNames {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot or a case, which are objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
        let mut names = Names::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == "message" {
                if let Value::Text(text) = map.next_value()? {
                    names.message = Some(text);
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            if names.all.len() < NAMES_MAX {
                names.all.push(name);
            }
        }
        Ok(names)
    }
}
