//! Settings of routes, and what a host may be.

use std::fmt;
use std::str::FromStr;

use super::prefix::Prefix;
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
