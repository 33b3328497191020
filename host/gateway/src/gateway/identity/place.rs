//! Where in a request a client may name its manager and its device.
//!
//! Nothing is taken out of the request: what names a manager here may mean something to the backend
//! as well.

use std::fmt;
use std::str::FromStr;

use axum::http::HeaderName;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use serde_json::{Map, Value};

use super::names::Names;

/// The largest number of a path segment.
const SEGMENT_MAX: usize = 64;

/// One place where a name may be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NamePlace {
    /// A query parameter.
    Query(String),
    /// A header, in lower case.
    Header(String),
    /// The cookie of this name.
    Cookie(String),
    /// A segment of the path, counted from 1.
    Path(usize),
    /// A claim of the token, or a field of the hook's answer.
    Claim(String),
}

/// The value of a name at a place.
pub(super) enum NameValue {
    Missing,
    One(String),
    /// Different values, of which none is meant more than the others.
    Conflicting,
}

/// Text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no place: {why}")]
pub struct BadPlace {
    text: String,
    why: &'static str,
}

impl FromStr for NamePlace {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let bad = |why| BadPlace {
            text: text.to_owned(),
            why,
        };
        let Some((kind, name)) = text.split_once(':') else {
            return Err(bad("write its kind, `:` and its name"));
        };
        let is_plain = !name.is_empty() && !name.contains(|c: char| c.is_control() || c == ' ');
        if !is_plain {
            return Err(bad("behind `:` there has to be a name"));
        }
        let name = name.to_owned();
        match kind {
            "query" => Ok(Self::Query(name)),
            "header" => {
                let header = HeaderName::from_bytes(name.as_bytes());
                let header = header.map_err(|_| bad("no header can be called so"))?;
                Ok(Self::Header(header.as_str().to_owned()))
            }
            "cookie" if name.contains(['=', ';', ',']) => Err(bad("no cookie can be called so")),
            "cookie" => Ok(Self::Cookie(name)),
            "path" => match name.parse() {
                Ok(segment @ 1..=SEGMENT_MAX) => Ok(Self::Path(segment)),
                _ => Err(bad("segments of a path are counted from 1 to 64")),
            },
            "claim" => Ok(Self::Claim(name)),
            _ => Err(bad(
                "there are `query`, `header`, `cookie`, `path` and `claim`",
            )),
        }
    }
}

impl NamePlace {
    /// As it is written in a configuration.
    #[must_use]
    pub fn written(&self) -> String {
        match self {
            Self::Query(name) => format!("query:{name}"),
            Self::Header(name) => format!("header:{name}"),
            Self::Cookie(name) => format!("cookie:{name}"),
            Self::Path(segment) => format!("path:{segment}"),
            Self::Claim(name) => format!("claim:{name}"),
        }
    }

    /// The value at the place.
    pub(super) fn read(
        &self,
        parts: &Parts,
        names: &Names,
        claims: Option<&Map<String, Value>>,
    ) -> NameValue {
        match self {
            Self::Query(name) => of_all(names.values(name)),
            Self::Header(name) => {
                let values = parts.headers.get_all(name).iter();
                of_all(values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()))
            }
            Self::Cookie(name) => of_all(cookies(parts, name)),
            Self::Path(segment) => {
                let mut segments = parts.uri.path().split('/').skip(1);
                let segment = segments.nth(segment.saturating_sub(1)).unwrap_or_default();
                of_all((!segment.is_empty()).then(|| decoded(segment)).into_iter())
            }
            Self::Claim(name) => match claims.and_then(|claims| claims.get(name)) {
                Some(Value::String(text)) => NameValue::One(text.clone()),
                Some(Value::Number(number)) => NameValue::One(number.to_string()),
                _ => NameValue::Missing,
            },
        }
    }
}

/// For messages to a client.
impl fmt::Display for NamePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(name) => write!(f, "query parameter `{name}`"),
            Self::Header(name) => write!(f, "header `{name}`"),
            Self::Cookie(name) => write!(f, "cookie `{name}`"),
            Self::Path(segment) => write!(f, "segment {segment} of the path"),
            Self::Claim(name) => write!(f, "claim `{name}`"),
        }
    }
}

/// The values of a cookie, without quotes. White space around a name or a value counts for nothing, and a
/// name may be percent-encoded: some servers read it so, and what one of them takes for the cookie is one
/// here.
pub(super) fn cookies<'a>(parts: &'a Parts, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let values = parts.headers.get_all(COOKIE).iter();
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .flat_map(move |value| {
            let pairs = value.split(';').filter_map(|pair| pair.split_once('='));
            let named = pairs.filter(|(other, _)| decoded(other.trim()) == name);
            let values: Vec<String> = named
                .map(|(_, value)| value.trim().trim_matches('"').to_owned())
                .collect();
            values
        })
}

/// The one value of several that are the same.
pub(super) fn of_all(mut values: impl Iterator<Item = String>) -> NameValue {
    let Some(first) = values.next() else {
        return NameValue::Missing;
    };
    if values.any(|other| other != first) {
        NameValue::Conflicting
    } else {
        NameValue::One(first)
    }
}

/// A text with its percent-encoded bytes decoded. What is not UTF-8 is replaced, and so is no name.
pub(super) fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_read() {
        for text in [
            "query:key",
            "header:x-client",
            "cookie:tab",
            "path:2",
            "claim:https://x.example/tab",
        ] {
            assert_eq!(text.parse::<NamePlace>().unwrap().written(), text);
        }
        for bad in [
            "key",
            "query:",
            "path:0",
            "path:65",
            "path:x",
            "body:x",
            "header:a b",
            "cookie:a;b",
            "header:é",
        ] {
            assert!(bad.parse::<NamePlace>().is_err(), "{bad}");
        }
        let message = "paht:1".parse::<NamePlace>().unwrap_err().to_string();
        assert!(message.contains("`query`, `header`, `cookie`, `path` and `claim`"));
    }

    fn value(place: &str, uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let names = Names::of(&parts.uri);
        let claims = json!({ "tab": 7, "list": [1] });
        let place: NamePlace = place.parse().unwrap();
        match place.read(&parts, &names, claims.as_object()) {
            NameValue::One(text) => Some(text),
            NameValue::Missing => None,
            NameValue::Conflicting => Some("twice".to_owned()),
        }
    }

    #[test]
    fn each_kind_of_place_is_looked_at() {
        let headers = [
            ("x-client", "c"),
            ("cookie", "a=1; tab=\"t\""),
            ("cookie", "tab=t"),
        ];
        for (place, expected) in [
            ("query:key", Some("k 1")),
            ("query:other", None),
            ("header:x-client", Some("c")),
            ("cookie:tab", Some("t")),
            ("cookie:sid", None),
            ("path:1", Some("ws")),
            ("path:2", None),
            ("path:3", Some("room/7")),
            ("path:4", None),
            ("claim:tab", Some("7")),
            ("claim:list", None),
        ] {
            let found = value(place, "/ws//room%2f7?key=k%201", &headers);
            assert_eq!(found.as_deref(), expected, "{place}");
        }
        assert_eq!(value("query:a", "/?a=1&a=2", &[]).as_deref(), Some("twice"));
        assert_eq!(value("query:a", "/?a=1&a=1", &[]).as_deref(), Some("1"));
    }
}
