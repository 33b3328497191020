//! A JSON body read into what a route expects. Where it does not fit, the sentence names the key, what it
//! is and what it has to be, in the words of JSON and not in those of our types.

use std::fmt;

use serde::Deserialize;
use serde::de::value::Error as Unread;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads a body.
///
/// # Errors
/// A sentence, without its subject ("the body ...").
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let Tree(tree) = serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        match text.strip_prefix(TWICE) {
            // Its place in a text of one line helps nobody who has the key.
            Some(rest) => {
                let name = rest.split(" at line ").next().unwrap_or(rest);
                format!("does not fit: {TWICE}{name}")
            }
            None => format!("is no JSON: {text}"),
        }
    })?;
    if !tree.is_object() {
        let expected = expected_object::<T>();
        return Err(format!("is {}: send {expected}", kind(&tree)));
    }
    serde_path_to_error::deserialize(tree).map_err(|error| {
        let path = error.path().to_string();
        let what = error.inner().to_string();
        format!("does not fit: {}", sentence(&path, &what))
    })
}

/// Before the name of a key that is there twice.
const TWICE: &str = "duplicate field ";
/// Up to here every whole number has a `f64` of its own.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// JSON as it is meant: a key is there once, and `2.0` is the whole number 2, as JSON Schema has it.
struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Self)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole, and no larger than what a `f64` has whole"
    )]
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() <= WHOLE_MAX {
            return Ok((value as i64).into());
        }
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Tree(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Tree(value))) = fields.next_entry::<String, Tree>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("{TWICE}`{key}`")));
            }
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

/// What serde says of a key, in the words of JSON.
fn sentence(path: &str, what: &str) -> String {
    let within = match path {
        "." => String::new(),
        path => format!(" in `{path}`"),
    };
    if let Some(name) = what.strip_prefix("missing field ") {
        return format!("the key {name} is missing{within}");
    }
    if let Some(rest) = what.strip_prefix("unknown field ") {
        let (name, known) = rest.split_once(", ").unwrap_or((rest, "there are no keys"));
        // The path may end with the unknown key itself.
        let parent = path.strip_suffix(name.trim_matches('`')).unwrap_or(path);
        let of = match parent.trim_end_matches('.') {
            "" => String::new(),
            parent => format!(" of `{parent}`"),
        };
        return format!("{name} is no key{of}: {known}");
    }
    let unfit = ["invalid type: ", "invalid value: "];
    let unfit = unfit.iter().find_map(|begin| what.strip_prefix(begin));
    if let Some((found, expected)) = unfit.and_then(|it| it.split_once(", expected ")) {
        let key = if path == "." {
            "it".to_owned()
        } else {
            format!("`{path}`")
        };
        return format!("{key} is {found}, and has to be {}", in_json(expected));
    }
    match path {
        "." => what.to_owned(),
        path => format!("`{path}`: {what}"),
    }
}

fn in_json(expected: &str) -> &str {
    match expected {
        "f32" | "f64" => "a number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0 to 18446744073709551615",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a nonzero u64" => "a whole number, 1 or more",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn expected_object<T: DeserializeOwned>() -> String {
    let mut names = FieldNames(&[]);
    // It always fails: all that is wanted are the names.
    let _ = T::deserialize(&mut names);
    match names.0 {
        [] => "an object, `{}`".to_owned(),
        names => format!("an object with the keys `{}`", names.join("`, `")),
    }
}

/// Learns the keys of a type by being asked to read one.
struct FieldNames(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut FieldNames {
    type Error = Unread;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unread> {
        Err(Unread::custom("there is nothing to read"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Definition;

    fn refused(body: &str) -> String {
        read::<Definition>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn p25_a_body_that_does_not_fit_is_answered_with_its_keys() {
        let keys = "send an object with the keys `name`, `question`, `arms`, `coverage`,";
        for (body, kind) in [
            ("[]", "a list"),
            ("\"x\"", "a text"),
            ("7", "a number"),
            ("null", "null"),
        ] {
            let sentence = refused(body);
            assert!(
                sentence.starts_with(&format!("is {kind}: {keys}")),
                "{sentence}"
            );
        }
        let sentence = refused("[1");
        assert!(sentence.starts_with("is no JSON: EOF while"), "{sentence}");
        let arms = r#""name": "x", "arms": [{"policy": "champion"}, {"policy": "lru""#;
        for (body, expected) in [
            ("{}".to_owned(), "the key `name` is missing"),
            (
                format!("{{{arms}}}], \"coverage\": null}}"),
                "`coverage` is null, and has to be a number",
            ),
            (
                format!("{{{arms}, \"weight\": \"half\"}}]}}"),
                "`arms[1].weight` is string \"half\", and has to be a number",
            ),
            (
                format!("{{{arms}, \"wieght\": 1}}]}}"),
                "`wieght` is no key of `arms[1]`: expected one of `name`, `policy`,",
            ),
            (
                format!("{{{arms}}}], \"coverge\": 1}}"),
                "`coverge` is no key: expected one of `name`,",
            ),
            (
                format!("{{{arms}}}], \"planned_users\": -1}}"),
                "`planned_users` is integer `-1`, and has to be a whole number from 0 to 4294967295",
            ),
            (
                "{\"name\": \"x\", \"arms\": [{}]}".to_owned(),
                "the key `policy` is missing in `arms[0]`",
            ),
        ] {
            let sentence = refused(&body);
            assert!(
                sentence.starts_with(&format!("does not fit: {expected}")),
                "{body}: {sentence}"
            );
            assert!(!sentence.contains("struct "), "{sentence}");
        }
        for twice in [
            r#"{"name": "x", "name": "y"}"#,
            r#"{"name": "x", "arms": [{"policy": "lru", "policy": "lru"}]}"#,
        ] {
            let sentence = refused(twice);
            assert!(
                sentence.starts_with("does not fit: duplicate field `"),
                "{sentence}"
            );
            assert!(sentence.ends_with('`'), "{sentence}");
        }
    }

    #[test]
    fn what_fits_is_read() {
        let body = br#"{"name": "x", "coverage": 0.5}"#;
        assert_eq!(read::<Definition>(body).unwrap().coverage, 0.5);
        // JSON Schema counts it as an integer, and some clients write all numbers so.
        let whole = br#"{"name": "x", "planned_users": 6000.0, "coverage": 1.0}"#;
        let whole = read::<Definition>(whole).unwrap();
        assert_eq!((whole.planned_users, whole.coverage), (6_000, 1.0));
        assert!(refused(r#"{"name": "x", "planned_users": 0.5}"#).contains("a whole number"));
        assert!(refused(r#"{"name": "x", "planned_users": 1e300}"#).contains("a whole number"));
    }
}
