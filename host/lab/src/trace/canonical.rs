//! The canonical line: `t_ms`, `user`, `key`, `device`, `kind`, and what belongs to the kind.
//!
//! What a gateway records is of this form. From elsewhere names are free, `session` stands for
//! `key`, and `die_silently` and `cmd` are understood.

use serde::Deserialize;
use serde_json::{Map, Value};
use wastegate_core::types::spelling;

use super::builder::{FUTURE_MS, RawEvent};
use super::clock::Clock;
use super::columns;
use super::error::LineProblem;
use super::event::{Hint, RefusingLimit, TraceEventKind};
use super::notes::Aside;
use super::settings::RecorderSettings;
use super::strict::Strict;
use wastegate_core::types::{Health, Tier};

/// Every kind by its name, with those that other producers use.
const KINDS: [&str; 21] = [
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
    "health",
    "back",
];

/// A line that is one JSON object.
#[derive(Debug)]
pub(super) struct Object(Map<String, Value>);

/// How the fields of a line are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner<'a> {
    /// The field that holds the user.
    pub(super) user: &'a str,
    /// What times count.
    pub(super) clock: &'a Clock,
    /// The line is the first of its trace.
    pub(super) is_first: bool,
}

/// What a line turned out to be.
pub(super) enum Parsed<'a> {
    /// A line with an event.
    Event(RawEvent<'a>),
    /// So many events are missing here.
    Gap(u64),
    /// By which rules the recording came about. The recorder's process began there.
    Settings(Box<RecorderSettings>),
    /// What else its gateway wrote beside the events.
    Aside(Box<Aside>),
}

impl Object {
    /// Parses a line.
    ///
    /// # Errors
    /// [`LineProblem`] where it is no object, or names a field twice.
    pub(super) fn parse(text: &str) -> Result<Self, LineProblem> {
        let object: Strict =
            serde_json::from_str(text).map_err(|error| LineProblem::Json(json_problem(&error)))?;
        Ok(Self(object.0))
    }

    /// Interprets the object as an event, a gap or settings.
    pub(super) fn read(&self, manner: Manner<'_>) -> Result<Parsed<'_>, LineProblem> {
        if !self.0.contains_key("kind") {
            if let Some(dropped) = self.0.get("dropped") {
                let count = dropped.as_u64();
                let problem = || wrong("dropped", &dropped.to_string(), "a whole number");
                return Ok(Parsed::Gap(count.ok_or_else(problem)?));
            }
            if let Some(settings) = self.0.get("settings") {
                let settings = RecorderSettings::deserialize(settings);
                let problem =
                    |error: serde_json::Error| LineProblem::Json(format!("`settings`: {error}"));
                return Ok(Parsed::Settings(Box::new(settings.map_err(problem)?)));
            }
            if let Some(aside) = Aside::of(&self.0) {
                return Ok(Parsed::Aside(Box::new(aside?)));
            }
        }
        let key = match (self.0.get("key"), self.0.get("session")) {
            (Some(_), Some(_)) if !["key", "session"].contains(&manner.user) => {
                return Err(LineProblem::Both("key", "session"));
            }
            (_, Some(_)) if manner.user != "session" => "session",
            _ => "key",
        };
        Ok(Parsed::Event(RawEvent {
            at_ms: self.time(manner)?,
            user: self.name(manner.user)?,
            key: self.name(key)?,
            device: self.text("device")?.filter(|device| !device.is_empty()),
            kind: self.kind()?,
        }))
    }

    /// When it was. A field of another name than `t_ms` counts where it says its unit, or where
    /// `--time-unit` does.
    fn time(&self, manner: Manner<'_>) -> Result<u64, LineProblem> {
        let Some(value) = self.0.get("t_ms").filter(|value| !value.is_null()) else {
            let names: Vec<String> = self.0.keys().map(|name| format!("`{name}`")).collect();
            let is_time = |name: &&String| columns::time(&name.to_lowercase()).is_some();
            return match self.0.keys().find(is_time) {
                Some(name) => self.other_time(name, manner),
                None => Err(LineProblem::NoTime(names.join(", "))),
            };
        };
        match value.as_u64() {
            Some(ms) if !manner.is_first && !manner.clock.is_given && ms < FUTURE_MS => Ok(ms),
            _ => manner.clock.read(&value.to_string(), manner.is_first),
        }
    }

    fn other_time(&self, name: &str, manner: Manner<'_>) -> Result<u64, LineProblem> {
        let named = columns::time(&name.to_lowercase()).flatten();
        let given = manner.clock.is_given.then_some(manner.clock.unit);
        let clock = Clock {
            unit: given
                .or(named)
                .ok_or_else(|| LineProblem::NoUnit(name.to_owned()))?,
            is_given: manner.clock.is_given,
            field: name.to_owned(),
        };
        let value = self.0.get(name).map(Value::to_string).unwrap_or_default();
        clock.read(&value, manner.is_first)
    }

    /// A field that names something.
    fn name(&self, field: &str) -> Result<&str, LineProblem> {
        let text = self.text(field)?.ok_or_else(|| missing(field))?;
        named(text, || field.to_owned())
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
        u32::try_from(number).map_err(|_| wrong(field, &number.to_string(), "below 2^32"))
    }

    fn kind(&self) -> Result<TraceEventKind, LineProblem> {
        let name = self.text("kind")?.ok_or_else(|| missing("kind"))?;
        let frames =
            |kind: fn(u32, u64, u32) -> TraceEventKind| -> Result<TraceEventKind, LineProblem> {
                let n = match self.number("n")? {
                    None => 1,
                    Some(0) => return Err(wrong("n", "0", "at least 1")),
                    Some(_) => self.small("n")?,
                };
                let bytes = self.number("bytes")?.unwrap_or(0);
                Ok(kind(n, bytes, self.small("last_ms")?))
            };
        Ok(match name {
            "open" => TraceEventKind::Open {
                wait_ms: self.small("wait_ms")?,
            },
            "refuse" => TraceEventKind::Refuse {
                wait_ms: self.small("wait_ms")?,
                by: self.refusing_limit()?,
            },
            "echo" => TraceEventKind::Echo {
                decision: self.number("decision")?,
            },
            "silent" => TraceEventKind::Silent {
                decision: self.number("decision")?,
            },
            "health" => TraceEventKind::Health {
                health: self.health()?,
                probed: self.is("probed"),
                taken_over: self.is("taken_over"),
                expected: self.is("expected"),
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

    fn refusing_limit(&self) -> Result<RefusingLimit, LineProblem> {
        // The names are those that clients are told; what was displaced is held back at its user's limit.
        Ok(match self.text("why")? {
            None => RefusingLimit::Untold,
            Some("user-limit" | "queue-full" | "queue-timeout" | "displaced") => {
                RefusingLimit::User
            }
            Some(_) => RefusingLimit::Other,
        })
    }

    /// Whether a flag is set; absent is not.
    fn is(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    fn health(&self) -> Result<Health, LineProblem> {
        let name = self.text("health")?.ok_or_else(|| missing("health"))?;
        let health = Health::ALL.into_iter().find(|health| health.name() == name);
        health.ok_or_else(|| {
            wrong(
                "health",
                name,
                &format!(
                    "one of `{}`",
                    Health::ALL.map(|one| one.name()).join("`, `")
                ),
            )
        })
    }

    fn hint(&self) -> Result<Hint, LineProblem> {
        let name = self.text("hint")?.ok_or_else(|| missing("hint"))?;
        let value = self.0.get("value").ok_or_else(|| missing("value"))?;
        let unfit = |expected| wrong("value", &value.to_string(), expected);
        let whole = value.as_i64().ok_or_else(|| unfit("a whole number"))?;
        let count = || u32::try_from(whole).map_err(|_| unfit("0 or more, below 2^32"));
        match name {
            "priority" => i32::try_from(whole)
                .map(Hint::Priority)
                .map_err(|_| unfit("within 32 bits")),
            "in-flight" => count().map(Hint::InFlight),
            "device-class" => u8::try_from(whole)
                .map(Hint::DeviceClass)
                .map_err(|_| unfit("a code from 0 to 255")),
            "protect" => Ok(Hint::Protect(whole != 0)),
            "pin" => u64::try_from(whole)
                .map(|for_ms| Hint::Pin { for_ms })
                .map_err(|_| unfit("milliseconds, 0 or more")),
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
        "back" => TraceEventKind::Back,
        _ => return None,
    })
}

/// A kind by its name alone, as a table has it.
pub(super) fn bare_kind(name: &str) -> Result<TraceEventKind, LineProblem> {
    let frames = (1, 0, 0);
    Ok(match name {
        "open" => TraceEventKind::Open { wait_ms: 0 },
        "refuse" => TraceEventKind::Refuse {
            wait_ms: 0,
            by: RefusingLimit::Untold,
        },
        "echo" => TraceEventKind::Echo { decision: None },
        "silent" => TraceEventKind::Silent { decision: None },
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

/// A name as it is written, unless nothing is.
pub(super) fn named(text: &str, field: impl Fn() -> String) -> Result<&str, LineProblem> {
    if text.trim().is_empty() {
        return Err(LineProblem::Empty(field()));
    }
    Ok(text)
}

/// What serde says, without its line, which is always 1 here.
fn json_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let remedy = if error.is_eof() {
        "; an object stands on one line"
    } else {
        ""
    };
    format!(
        "not a JSON object: {what} (column {}){remedy}",
        error.column()
    )
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
