//! Reading a snapshot as people write it: every mistake gets a sentence with the field, what is
//! wrong with it and what it should be.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{NOW_MS_MAX, ROWS_MAX, RecordedManager, RecordedSnapshot, SNAPSHOT_VERSION};
use crate::workbench::field::{Seen, Value, nearest, quoted, unknown};
use crate::workbench::units;
use wastegate_core::decision::Standing;
use wastegate_core::types::{ManagerKey, Scope, Signal, SignalRow, Tier};

/// Managers of one user by default, as the server's own limit.
const LIMIT_DEFAULT: u32 = 20;
/// The moment of a snapshot that does not say when it was taken.
const NOW_MS_DEFAULT: u64 = 1_000_000;

const FIELDS: [&str; 11] = [
    "v", "tier", "scope", "needed", "most", "limit", "held", "now_ms", "seed", "as_asked", "rows",
];

/// The tiers by name.
pub(in crate::workbench) fn tiers() -> [(&'static str, Tier); 5] {
    Tier::ALL.map(|tier| (tier.name(), tier))
}

const SCOPES: [(&str, Scope); 2] = [("user", Scope::User), ("node", Scope::Node)];
/// The standings by name.
pub(super) const STANDINGS: [(&str, Standing); 5] = [
    ("newborn", Standing::Newborn),
    ("never-attached", Standing::NeverAttached),
    ("attached", Standing::Attached),
    ("detached", Standing::Detached),
    ("expired", Standing::Expired),
];

impl<'de> Deserialize<'de> for RecordedSnapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whole)
    }
}

/// Parses a whole snapshot.
pub(in crate::workbench) struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = RecordedSnapshot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot: an object with `rows`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RecordedSnapshot, A::Error> {
        let mut seen = Seen::default();
        let (mut tier, mut scope) = (Tier::Force, Scope::User);
        let (mut needed, mut most, mut limit, mut held) = (1, None, None, None);
        let (mut now_ms, mut seed, mut as_asked) = (NOW_MS_DEFAULT, 0, false);
        let mut rows: Option<Vec<RecordedManager>> = None;
        while let Some(name) = map.next_key::<String>()? {
            seen.once(&name)?;
            if name == "rows" {
                rows = Some(map.next_value_seed(Rows)?);
                continue;
            }
            if !FIELDS.contains(&name.as_str()) {
                return Err(de::Error::custom(misplaced(&name)));
            }
            let value: Value = map.next_value()?;
            let mut read = || -> Result<(), String> {
                match name.as_str() {
                    "v" => version(&value, SNAPSHOT_VERSION)?,
                    "tier" => tier = value.word("tier", &tiers())?,
                    "scope" => scope = value.word("scope", &SCOPES)?,
                    "needed" => needed = value.count("needed")?,
                    "most" => most = Some(value.count("most")?),
                    "limit" => limit = Some(value.count("limit")?),
                    "held" => held = Some(value.count("held")?),
                    "now_ms" => now_ms = value.whole("now_ms", 0, NOW_MS_MAX)?,
                    "seed" => seed = value.whole("seed", 0, u64::MAX)?,
                    _ => {
                        value.only_true("as_asked")?;
                        as_asked = true;
                    }
                }
                Ok(())
            };
            read().map_err(de::Error::custom)?;
        }
        let rows = rows.ok_or_else(|| {
            de::Error::custom("`rows` is missing; a snapshot is an object with a list of `rows`, one for each manager")
        })?;
        distinct(&rows).map_err(de::Error::custom)?;
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let limit = limit.unwrap_or(LIMIT_DEFAULT.max(count));
        Ok(RecordedSnapshot {
            tier,
            scope,
            needed,
            most,
            limit,
            held: held.unwrap_or(limit),
            now_ms,
            seed,
            as_asked,
            rows,
        })
    }
}

/// A version that we read.
pub(in crate::workbench) fn version(value: &Value, known: u64) -> Result<(), String> {
    if *value == Value::Whole(known) {
        return Ok(());
    }
    Err(format!(
        "version {} is none that this build reads; it reads `\"v\": {known}`",
        value.describe()
    ))
}

/// What to say of a field that a snapshot has not got; often it is a signal beside its row.
fn misplaced(name: &str) -> String {
    match Signal::by_name(name) {
        Some(signal) => format!(
            "`{}` is a signal; it belongs into a row of `rows`",
            signal.name()
        ),
        None => unknown("field", name, &FIELDS),
    }
}

/// Two rows with one name could not be told apart in an expectation.
fn distinct(rows: &[RecordedManager]) -> Result<(), String> {
    let mut keys = HashSet::new();
    for (place, row) in rows.iter().enumerate() {
        if let Some(key) = &row.key
            && !keys.insert(key)
        {
            return Err(format!(
                "row {place} has the key {} of an earlier row; give each its own, or none",
                quoted(key)
            ));
        }
    }
    Ok(())
}

struct Rows;

impl<'de> DeserializeSeed<'de> for Rows {
    type Value = Vec<RecordedManager>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows {
    type Value = Vec<RecordedManager>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`rows` to be a list of objects, one for each manager")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = seq.next_element_seed(OneRow(rows.len()))? {
            if rows.len() == ROWS_MAX {
                return Err(de::Error::custom(format!(
                    "more than {ROWS_MAX} rows; a snapshot may have so many (ROWS_MAX)"
                )));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

/// A row, by its number.
struct OneRow(usize);

impl<'de> DeserializeSeed<'de> for OneRow {
    type Value = RecordedManager;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<RecordedManager, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneRow {
    type Value = RecordedManager;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {} to be an object of signals", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RecordedManager, A::Error> {
        let mut seen = Seen::default();
        let mut manager = RecordedManager {
            key: None,
            standing: None,
            signals: SignalRow::default(),
        };
        while let Some(name) = map.next_key::<String>()? {
            seen.once(&name)?;
            let known = Signal::by_name(&name);
            if known.is_none() && name != "key" && name != "standing" {
                let describe = no_such_signal(&name);
                return Err(de::Error::custom(format!("row {}: {describe}", self.0)));
            }
            let value: Value = map.next_value()?;
            let mut read = || -> Result<(), String> {
                match (known, name.as_str()) {
                    (Some(signal), _) => manager.signals[signal] = measured(signal, &value)?,
                    (None, "key") => manager.key = Some(key(&value)?),
                    (None, _) => manager.standing = Some(value.word("standing", &STANDINGS)?),
                }
                Ok(())
            };
            read().map_err(|describe| de::Error::custom(format!("row {}: {describe}", self.0)))?;
        }
        Ok(manager)
    }
}

/// What to say of a signal that there is none of; a row may also hold `key` and `standing`.
pub(super) fn no_such_signal(name: &str) -> String {
    let known: Vec<&str> = Signal::ALL
        .iter()
        .map(|signal| signal.name())
        .chain(["key", "standing"])
        .collect();
    if nearest(name, known.iter().copied()).is_none() {
        return format!(
            "{}; a row has signals, `key` and `standing`, and policies/README.md lists the signals",
            unknown("signal", name, &[])
        );
    }
    unknown("signal", name, &known)
}

fn key(value: &Value) -> Result<String, String> {
    let Value::Text(text) = value else {
        return Err(format!("`key` must be a text, and is {}", value.describe()));
    };
    ManagerKey::held(text).map_err(|error| error.to_string())?;
    Ok(text.clone())
}

/// The value of a signal: a number, the word of a code, or null where it is unknown.
fn measured(signal: Signal, value: &Value) -> Result<f64, String> {
    let name = signal.name();
    if *value == Value::Null {
        return Ok(f64::NAN);
    }
    if let Some(words) = units::words(signal) {
        return code(signal, words, value);
    }
    let number = value.number().ok_or_else(|| {
        format!(
            "`{name}` must be a number, or null where it is unknown, and is {}",
            value.describe()
        )
    })?;
    if number < 0.0 && !units::may_be_negative(signal) {
        return Err(format!(
            "`{name}` cannot be below zero, and is {number}; null says that it is unknown"
        ));
    }
    Ok(number)
}

fn code(signal: Signal, words: &[&str], value: &Value) -> Result<f64, String> {
    let place = match value {
        Value::Text(text) => words.iter().position(|word| word == text),
        Value::Flag(flag) if signal == Signal::TakenOver => Some(usize::from(*flag)),
        other => (0..words.len()).find(|place| other.number() == Some(float(*place))),
    };
    place.map(float).ok_or_else(|| {
        let listed: Vec<String> = words
            .iter()
            .enumerate()
            .map(|(code, word)| format!("{word:?} ({code})"))
            .collect();
        let meant = match value {
            Value::Text(text) => nearest(text, words.iter().copied()),
            _ => None,
        };
        let meant = meant.map_or(String::new(), |word| format!("; did you mean {word:?}?"));
        format!(
            "`{}` must be one of {}, or null where it is unknown, and is {}{meant}",
            signal.name(),
            listed.join(", "),
            value.describe()
        )
    })
}

fn float(place: usize) -> f64 {
    f64::from(u8::try_from(place).unwrap_or(u8::MAX))
}
