//! Reading a case as people write it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Draft, DraftExpect, Named, Where};
use crate::workbench::field::{Seen, Value, quoted, unknown};
use crate::workbench::snapshot::ROWS_MAX;
use crate::workbench::snapshot::parse::{tiers, version};

/// The version of the form.
const CASE_VERSION: u64 = 1;

/// Bytes of the sentence about a case.
const ABOUT_BYTES_MAX: usize = 1_024;

/// Parameters of one case; a policy cannot have more.
const PARAMS_MAX: usize = wastegate_engine::policy::manifest::LIST_MAX;

const FIELDS: [&str; 7] = [
    "v", "about", "snapshot", "tier", "needed", "params", "expect",
];
const EXPECTATIONS: [&str; 5] = ["order", "victims", "spared", "answers", "empty"];

impl<'de> Deserialize<'de> for Draft {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneCase)
    }
}

struct OneCase;

impl<'de> Visitor<'de> for OneCase {
    type Value = Draft;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a case: an object with `snapshot` and `expect`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Draft, A::Error> {
        let mut seen = Seen::default();
        let (mut about, mut tier, mut needed) = (None, None, None);
        let (mut snapshot, mut expect) = (None, None);
        let mut params = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            seen.once(&name)?;
            match name.as_str() {
                "snapshot" => snapshot = Some(map.next_value_seed(OneWhere)?),
                "params" => params = map.next_value_seed(Params)?,
                "expect" => expect = Some(map.next_value_seed(Expectations)?),
                "v" => version(&map.next_value()?, CASE_VERSION).map_err(de::Error::custom)?,
                "about" => about = Some(sentence(&map.next_value()?).map_err(de::Error::custom)?),
                "tier" => {
                    let value: Value = map.next_value()?;
                    tier = Some(value.word("tier", &tiers()).map_err(de::Error::custom)?);
                }
                "needed" => {
                    let value: Value = map.next_value()?;
                    needed = Some(value.count("needed").map_err(de::Error::custom)?);
                }
                other => return Err(de::Error::custom(unknown("field", other, &FIELDS))),
            }
        }
        Ok(Draft {
            about,
            tier,
            needed,
            params,
            snapshot: snapshot.ok_or_else(|| {
                de::Error::custom("`snapshot` is missing; give one, or the name of its file")
            })?,
            expect: expect.ok_or_else(|| {
                de::Error::custom(
                    "`expect` is missing; `{ \"answers\": true }` expects that the policy does not fail",
                )
            })?,
        })
    }
}

fn sentence(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) if text.len() <= ABOUT_BYTES_MAX => Ok(text.clone()),
        Value::Text(text) => Err(format!(
            "`about` has {} bytes; at most {ABOUT_BYTES_MAX} are allowed",
            text.len()
        )),
        other => Err(format!(
            "`about` must be a text, and is {}",
            other.describe()
        )),
    }
}

struct OneWhere;

impl<'de> DeserializeSeed<'de> for OneWhere {
    type Value = Where;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Where, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneWhere {
    type Value = Where;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`snapshot` to be an object, or the name of a file beside the case")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Where, E> {
        if text.is_empty() {
            return Err(E::custom(
                "`snapshot` names no file; give its path from the case",
            ));
        }
        Ok(Where::In(text.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Where, A::Error> {
        let snapshot = Deserialize::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Where::Here(Box::new(snapshot)))
    }
}

struct Params;

impl<'de> DeserializeSeed<'de> for Params {
    type Value = BTreeMap<String, f64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Params {
    type Value = BTreeMap<String, f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`params` to be an object of numbers by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut seen = Seen::default();
        let mut params = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            seen.once(&name)?;
            let value: Value = map.next_value()?;
            let number = value.number().ok_or_else(|| {
                de::Error::custom(format!(
                    "parameter {} must be a number, and is {}",
                    quoted(&name),
                    value.describe()
                ))
            })?;
            params.insert(name, number);
            if params.len() > PARAMS_MAX {
                return Err(de::Error::custom(format!(
                    "more than {PARAMS_MAX} parameters; no policy has so many"
                )));
            }
        }
        Ok(params)
    }
}

struct Expectations;

impl<'de> DeserializeSeed<'de> for Expectations {
    type Value = DraftExpect;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Expectations {
    type Value = DraftExpect;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`expect` to be an object of expectations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DraftExpect, A::Error> {
        let mut seen = Seen::default();
        let mut expect = DraftExpect::default();
        let mut any = false;
        while let Some(name) = map.next_key::<String>()? {
            seen.once(&name)?;
            any = true;
            match name.as_str() {
                "order" => expect.order = Some(map.next_value_seed(RowNames("order"))?),
                "victims" => expect.victims = Some(map.next_value_seed(RowNames("victims"))?),
                "spared" => expect.spared = Some(map.next_value_seed(RowNames("spared"))?),
                "answers" | "empty" => {
                    let value: Value = map.next_value()?;
                    value.only_true(&name).map_err(de::Error::custom)?;
                    expect.empty |= name == "empty";
                }
                other => {
                    return Err(de::Error::custom(unknown(
                        "expectation",
                        other,
                        &EXPECTATIONS,
                    )));
                }
            }
        }
        if !any {
            return Err(de::Error::custom(format!(
                "`expect` is empty; give at least one of `{}`",
                EXPECTATIONS.join("`, `")
            )));
        }
        Ok(expect)
    }
}

/// A list of rows, by the field that holds it.
struct RowNames(&'static str);

impl<'de> DeserializeSeed<'de> for RowNames {
    type Value = Vec<Named>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowNames {
    type Value = Vec<Named>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` to be a list of rows, by key or number", self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(value) = seq.next_element::<Value>()? {
            rows.push(match value {
                Value::Text(key) => Named::Key(key),
                Value::Whole(number) => {
                    Named::Number(usize::try_from(number).unwrap_or(usize::MAX))
                }
                other => {
                    return Err(de::Error::custom(format!(
                        "`{}` names rows by key or by number from 0, and {} is neither",
                        self.0,
                        other.describe()
                    )));
                }
            });
            if rows.len() > ROWS_MAX {
                return Err(de::Error::custom(format!(
                    "`{}` names more rows than a snapshot may have ({ROWS_MAX})",
                    self.0
                )));
            }
        }
        Ok(rows)
    }
}
