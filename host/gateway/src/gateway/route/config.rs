//! Settings of routes, and what a path and a host may be.

use std::fmt;
use std::str::FromStr;

use axum::http::uri::PathAndQuery;

use crate::gateway::authority::Authority;
use crate::gateway::identity::Mode;
use crate::gateway::upstream::Upstream;

/// A route of its own, beside what `gateway.upstream` serves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The beginning of the paths that it serves, whole segments. `/`.
    pub path: Prefix,
    /// The host that it serves; none for every host. None.
    pub host: Option<HostPattern>,
    /// Its backends; at least one.
    pub upstream: Vec<Upstream>,
    /// The backend does not see `path`. No.
    pub strip_prefix: bool,
    /// Managers that one user may hold at this route, counted apart from all others; none to count them
    /// with the others by `limits.managers_per_user`. None.
    pub managers_per_user: Option<u32>,
    /// Which proof of identity it wants; none for `identity.mode`. None.
    pub identity: Option<Mode>,
    /// The largest frame that a client may send, bytes of payload; none for
    /// `connection.frame_bytes_max`. None.
    pub frame_bytes_max: Option<usize>,
    /// The largest message that a client may send, bytes of payload; none for
    /// `connection.message_bytes_max`. None.
    pub message_bytes_max: Option<usize>,
}

impl Config {
    /// What it is called in refusals, in `/v1/upstreams` and in the names of its managers: its host and
    /// its path.
    #[must_use]
    pub fn name(&self) -> String {
        let host = self.host.as_ref().map(ToString::to_string);
        format!("{}{}", host.unwrap_or_default(), self.path)
    }
}

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

/// A host, or with `*.` in front every host beneath it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// `*.` stands in front.
    is_wild: bool,
    host: String,
}

/// Text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host: give its name without scheme, port and path")]
pub struct BadHost(String);

impl FromStr for HostPattern {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let (is_wild, name) = text
            .strip_prefix("*.")
            .map_or((false, text), |name| (true, name));
        let read = Authority::read(name.as_bytes()).filter(|read| read.port().is_none());
        let read = read.filter(|_| !name.contains(['*', '@', '/']) && !name.ends_with(':'));
        let read = read.ok_or_else(|| BadHost(text.to_owned()))?;
        Ok(Self {
            is_wild,
            host: without_root(read.host()).to_owned(),
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wild = if self.is_wild { "*." } else { "" };
        write!(f, "{wild}{}", self.host)
    }
}

impl HostPattern {
    /// Whether it covers a host in lower case.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let host = without_root(host);
        if !self.is_wild {
            return host == self.host;
        }
        let above = host.strip_suffix(&self.host);
        above.is_some_and(|above| above.len() > 1 && above.ends_with('.'))
    }

    /// How narrow it is: a name before a wildcard, a longer one before a shorter one.
    pub(super) const fn rank(&self) -> (bool, usize) {
        (!self.is_wild, self.host.len())
    }
}

/// A name may end with the dot of the root, which changes nothing.
fn without_root(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
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

    #[test]
    fn a_host_is_a_name_or_everything_beneath_one() {
        let covers =
            |pattern: &str, host: &str| pattern.parse::<HostPattern>().unwrap().covers(host);
        assert!(covers("chat.example", "chat.example"));
        assert!(covers("Chat.Example.", "chat.example."));
        assert!(!covers("chat.example", "a.chat.example"));
        assert!(covers("*.example", "a.example") && covers("*.example", "a.b.example"));
        assert!(!covers("*.example", "example") && !covers("*.example", "badexample"));
        assert!(covers("[::1]", "[::1]"));
        for text in [
            "",
            "*",
            "a.*",
            "https://a",
            "a:80",
            "a/b",
            "u@a",
            "a b",
            "*.",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
