//! An answer of the operators' API, read as one of its shapes and leniently.
//!
//! Shapes are shared with requests and with what is on disk, where an unknown field is an error. In an
//! answer it is not: an older program reads a newer server's answers, and passes over what it does not know.
//! A number that JSON cannot hold (it is null there) is read as not a number.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

/// Reads an answer.
///
/// # Errors
/// When it lacks what the shape has, or has it in another form.
pub(super) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Error> {
    T::deserialize(Lenient(answer))
}

struct Lenient(Value);

impl IntoDeserializer<'_, Error> for Lenient {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Lenient {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.into_iter().map(Lenient));
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Value::Object(fields) => {
                let fields = fields
                    .into_iter()
                    .map(|(name, value)| (name, Lenient(value)));
                let mut fields = MapDeserializer::new(fields);
                let value = visitor.visit_map(&mut fields)?;
                fields.end()?;
                Ok(value)
            }
            scalar => scalar.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Value::Object(fields) = &mut self.0 {
            fields.retain(|name, _| known.contains(&name.as_str()));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_f64(f64::NAN),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use wastegate_control::experiment::shadow::ShadowSpec;

    #[derive(Debug, Deserialize)]
    struct Shape {
        specs: Vec<ShadowSpec>,
        pair: Option<(f64, u64)>,
        share: f64,
        more: Option<String>,
    }

    #[test]
    fn what_a_newer_server_adds_is_passed_over() {
        let answer = json!({
            "specs": [{ "name": "a", "policy": "lru", "sample": 0.5, "since": "later" }],
            "pair": [1.5, 2], "share": null, "more": null, "seen": { "by": "nobody" },
        });
        let shape: Shape = read(answer.clone()).unwrap();
        assert_eq!(
            (&*shape.specs[0].policy, shape.specs[0].sample),
            ("lru", 0.5)
        );
        assert_eq!((shape.pair, shape.more), (Some((1.5, 2)), None));
        assert!(shape.share.is_nan());
        let strict = serde_json::from_value::<ShadowSpec>(answer["specs"][0].clone());
        assert!(strict.is_err(), "a request is not read like this");
    }

    #[test]
    fn what_is_missing_or_has_another_form_is_an_error() {
        for wrong in [
            json!({ "specs": [], "pair": null, "more": null }),
            json!({ "specs": [], "pair": [1.5, 2, 3], "share": 1.0, "more": null }),
            json!({ "specs": {}, "pair": null, "share": 1.0, "more": null }),
        ] {
            assert!(read::<Shape>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
