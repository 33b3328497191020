//! The canonical line: `t_ms`, `user`, `key`, `device`, `kind`, and what belongs to the kind.
//!
//! What a gateway records is of this form. From elsewhere names are free, `session` stands for
//! `key`, and `die_silently` and `cmd` are understood.

use serde::Deserialize;
use serde_json::{Map, Value};
use wastegate_core::types::spelling;

use super::builder::RawEvent;
use super::error::LineProblem;
use super::event::{Hint, TraceEventKind};
use super::settings::RecorderSettings;
use wastegate_core::types::Tier;

/// Every kind by its name, with those that other producers use.
const KINDS: [&str; 20] = [
    "open",
    "refuse",
    "attach",
    "in",
    "cmd",
    "out",
    "ping",
    "pong",
    "visible",
    "hidden",
    "hint",
    "detach",
    "close",
    "die",
    "die-silently",
    "die_silently",
    "evict",
    "echo",
    "silent",
    "back",
];

/// A line that is one JSON object.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Object(Map<String, Value>);

/// What a line turned out to be.
pub(super) enum Parsed<'a> {
    /// An event.
    Event(RawEvent<'a>),
    /// So many events are missing here.
    Gap(u64),
    /// By which rules the recording came about.
    Settings(Box<RecorderSettings>),
}

impl Object {
    /// Reads it, `user_field` being the field that holds the user.
    pub(super) fn read(&self, user_field: &str) -> Result<Parsed<'_>, LineProblem> {
        if let Some(dropped) = self
            .0
            .get("dropped")
            .filter(|_| !self.0.contains_key("kind"))
        {
            return Ok(Parsed::Gap(dropped.as_u64().unwrap_or(1)));
        }
        if let Some(settings) = self
            .0
            .get("settings")
            .filter(|_| !self.0.contains_key("kind"))
        {
            let settings = RecorderSettings::deserialize(settings);
            let told = |error: serde_json::Error| LineProblem::Json(format!("`settings`: {error}"));
            return Ok(Parsed::Settings(Box::new(settings.map_err(told)?)));
        }
        let key = match (self.0.get("key"), self.0.get("session")) {
            (None, Some(_)) => "session",
            _ => "key",
        };
        Ok(Parsed::Event(RawEvent {
            at_ms: self.number("t_ms")?.ok_or_else(|| missing("t_ms"))?,
            user: self.text(user_field)?.ok_or_else(|| missing(user_field))?,
            key: self.text(key)?.ok_or_else(|| missing(key))?,
            device: self.text("device")?.filter(|device| !device.is_empty()),
            kind: self.kind()?,
        }))
    }

    fn text(&self, field: &str) -> Result<Option<&str>, LineProblem> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(field, &other.to_string(), "text in quotes")),
        }
    }

    fn number(&self, field: &str) -> Result<Option<u64>, LineProblem> {
        let Some(value) = self.0.get(field).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let whole = value.as_u64();
        let number = whole.ok_or_else(|| {
            wrong(
                field,
                &value.to_string(),
                "a whole number that is not negative",
            )
        })?;
        Ok(Some(number))
    }

    fn small(&self, field: &str) -> Result<u32, LineProblem> {
        let number = self.number(field)?.unwrap_or(0);
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    fn kind(&self) -> Result<TraceEventKind, LineProblem> {
        let name = self.text("kind")?.ok_or_else(|| missing("kind"))?;
        let frames =
            |kind: fn(u32, u64, u32) -> TraceEventKind| -> Result<TraceEventKind, LineProblem> {
                let n = self
                    .number("n")?
                    .map_or(1, |n| u32::try_from(n).unwrap_or(u32::MAX));
                let bytes = self.number("bytes")?.unwrap_or(0);
                Ok(kind(n.max(1), bytes, self.small("last_ms")?))
            };
        Ok(match name {
            "open" => TraceEventKind::Open {
                wait_ms: self.small("wait_ms")?,
            },
            "refuse" => TraceEventKind::Refuse {
                wait_ms: self.small("wait_ms")?,
            },
            "in" | "cmd" => frames(|n, bytes, last_ms| TraceEventKind::In { n, bytes, last_ms })?,
            "out" => frames(|n, bytes, last_ms| TraceEventKind::Out { n, bytes, last_ms })?,
            "pong" => TraceEventKind::Pong {
                last_ms: self.small("last_ms")?,
            },
            "ping" => TraceEventKind::Ping {
                last_ms: self.small("last_ms")?,
            },
            "hint" => TraceEventKind::Hint(self.hint()?),
            "evict" => TraceEventKind::Evict {
                tier: self.tier()?,
                decision: self.number("decision")?,
            },
            other => plain(other).ok_or_else(|| unknown_kind(other))?,
        })
    }

    /// When frames of one line came, ms after the first, where that is told.
    pub(super) fn later(&self) -> Result<Vec<u64>, LineProblem> {
        let Some(later) = self.0.get("later") else {
            return Ok(Vec::new());
        };
        let bad = || wrong("later", &later.to_string(), "a list of milliseconds");
        let list = later.as_array().ok_or_else(bad)?;
        list.iter().map(|ms| ms.as_u64().ok_or_else(bad)).collect()
    }

    fn tier(&self) -> Result<Option<Tier>, LineProblem> {
        let Some(name) = self.text("tier")? else {
            return Ok(None);
        };
        let tier = Tier::ALL.into_iter().find(|tier| tier.name() == name);
        let names = "`proactive`, `conservative`, `moderate`, `aggressive` or `force`";
        tier.map(Some).ok_or_else(|| wrong("tier", name, names))
    }

    fn hint(&self) -> Result<Hint, LineProblem> {
        let name = self.text("hint")?.ok_or_else(|| missing("hint"))?;
        let value = self.0.get("value").and_then(Value::as_i64);
        let value = value.ok_or_else(|| missing("value"))?;
        let count = u32::try_from(value.max(0)).unwrap_or(u32::MAX);
        match name {
            "priority" => Ok(Hint::Priority(
                i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX }),
            )),
            "in-flight" => Ok(Hint::InFlight(count)),
            "device-class" => Ok(Hint::DeviceClass(u8::try_from(value).unwrap_or(0))),
            "protect" => Ok(Hint::Protect(value != 0)),
            "pin" => Ok(Hint::Pin {
                for_ms: u64::try_from(value).unwrap_or(0),
            }),
            other => Err(wrong(
                "hint",
                other,
                "`priority`, `in-flight`, `device-class`, `protect` or `pin`",
            )),
        }
    }
}

/// Kinds without details.
fn plain(name: &str) -> Option<TraceEventKind> {
    Some(match name {
        "attach" => TraceEventKind::Attach,
        "visible" => TraceEventKind::Visible,
        "hidden" => TraceEventKind::Hidden,
        "detach" => TraceEventKind::Detach,
        "close" => TraceEventKind::Close,
        "die" => TraceEventKind::Die,
        "die-silently" | "die_silently" => TraceEventKind::DieSilently,
        "echo" => TraceEventKind::Echo,
        "silent" => TraceEventKind::Silent,
        "back" => TraceEventKind::Back,
        _ => return None,
    })
}

/// A kind by its name alone, as a table has it.
pub(super) fn bare_kind(name: &str) -> Result<TraceEventKind, LineProblem> {
    let frames = (1, 0, 0);
    Ok(match name {
        "open" => TraceEventKind::Open { wait_ms: 0 },
        "refuse" => TraceEventKind::Refuse { wait_ms: 0 },
        "in" | "cmd" => TraceEventKind::In {
            n: frames.0,
            bytes: frames.1,
            last_ms: frames.2,
        },
        "out" => TraceEventKind::Out {
            n: frames.0,
            bytes: frames.1,
            last_ms: frames.2,
        },
        "ping" => TraceEventKind::Ping { last_ms: 0 },
        "pong" => TraceEventKind::Pong { last_ms: 0 },
        "evict" => TraceEventKind::Evict {
            tier: None,
            decision: None,
        },
        other => plain(other).ok_or_else(|| unknown_kind(other))?,
    })
}

fn unknown_kind(name: &str) -> LineProblem {
    let nearest = spelling::closest(name, KINDS).unwrap_or("open");
    LineProblem::Kind {
        found: name.to_owned(),
        nearest,
    }
}

pub(super) fn missing(field: &str) -> LineProblem {
    LineProblem::Missing(field.to_owned())
}

pub(super) fn wrong(field: &str, found: &str, expected: &str) -> LineProblem {
    LineProblem::Field {
        field: field.to_owned(),
        found: found.chars().take(40).collect(),
        expected: expected.to_owned(),
    }
}
