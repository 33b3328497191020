//! The beginning of a path, by whole segments.

use std::fmt;
use std::str::FromStr;

use axum::http::uri::PathAndQuery;

/// The beginning of a path: it covers itself and everything beneath it, by whole segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// Text that is no beginning of a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPrefix {
    /// It does not begin where paths begin.
    #[error("{0:?} does not begin with `/`")]
    NotAbsolute(String),
    /// It has a letter that no path of a request has.
    #[error("{0:?} is no path as a request has it: encode other letters as `%` and two digits")]
    Letters(String),
    /// It looks like a pattern.
    #[error(
        "{text:?} is a pattern, and paths are taken as they are: `{prefix}` covers everything beneath it"
    )]
    Pattern {
        /// The text as it was written.
        text: String,
        /// What it may have meant.
        prefix: String,
    },
}

impl Default for Prefix {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl FromStr for Prefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        if !text.starts_with('/') {
            return Err(BadPrefix::NotAbsolute(text.to_owned()));
        }
        // What routers call wildcards and parameters: `*`, `*rest`, `:id`, `{id}`, `<id>`.
        let is_pattern =
            |segment: &str| segment.contains('*') || segment.starts_with([':', '{', '<']);
        if text.split('/').any(is_pattern) {
            let plain = text.split('/').take_while(|segment| !is_pattern(segment));
            let prefix = plain.collect::<Vec<_>>().join("/");
            return Err(BadPrefix::Pattern {
                text: text.to_owned(),
                prefix: if prefix.is_empty() {
                    "/".to_owned()
                } else {
                    prefix
                },
            });
        }
        let is_encoded = text.split('%').skip(1).all(|rest| {
            let digits = rest.as_bytes().get(..2);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        });
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"?#{}<>\"\\^`|".contains(&byte);
        let is_path = text.bytes().all(fits) && text.parse::<PathAndQuery>().is_ok();
        if !is_encoded || !is_path {
            return Err(BadPrefix::Letters(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Prefix {
    /// The prefix as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What of a path is beneath the prefix: empty, or from a `/` on. None if the path is not covered.
    #[must_use]
    pub fn beneath<'a>(&self, path: &'a str) -> Option<&'a str> {
        let prefix = self.0.strip_suffix('/').unwrap_or(&self.0);
        let rest = path.strip_prefix(prefix)?;
        // `/chat/` covers what is beneath it, and not `/chat` itself.
        let is_whole = rest.starts_with('/') || (rest.is_empty() && prefix == self.0);
        is_whole.then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_covers_whole_segments() {
        let beneath =
            |prefix: &str, path: &'static str| prefix.parse::<Prefix>().unwrap().beneath(path);
        assert_eq!(beneath("/", "/"), Some("/"));
        assert_eq!(beneath("/", "//ws"), Some("//ws"));
        assert_eq!(beneath("/ws", "/ws"), Some(""));
        assert_eq!(beneath("/ws", "/ws/"), Some("/"));
        assert_eq!(beneath("/ws", "/ws/room/7"), Some("/room/7"));
        assert_eq!(beneath("/ws", "/wsx"), None);
        assert_eq!(beneath("/ws", "//ws"), None);
        assert_eq!(beneath("/ws/", "/ws"), None);
        assert_eq!(beneath("/ws/", "/ws/a"), Some("/a"));
        assert_eq!(beneath("/ws", "*"), None);
    }

    /// W51: what looks like a pattern is refused with a sentence, whichever router it is from.
    #[test]
    fn w51_a_pattern_is_refused() {
        for (text, prefix) in [
            ("/ws/*", "/ws"),
            ("/ws/*rest", "/ws"),
            ("/ws/:id", "/ws"),
            ("/*", "/"),
            ("/**", "/"),
            ("/ws/{id}", "/ws"),
            ("/ws/<id>/x", "/ws"),
            ("/a/b*/c", "/a"),
        ] {
            let prefix = prefix.to_owned();
            let text = text.to_owned();
            assert_eq!(
                text.parse::<Prefix>(),
                Err(BadPrefix::Pattern { text, prefix })
            );
        }
        for text in ["", "ws", "/a b", "/a?b", "/%zz", "/%2", "/é", "/a|b", "/a}"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
        for text in ["/", "/ws/", "//ws", "/a:b", "/caf%C3%A9", "/a.b/~c;d=1,e"] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
    }
}
