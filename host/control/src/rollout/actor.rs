//! Who changed something: a part of the host, or what an operator's client said of itself.
//!
//! Actors are not authenticated here: the operators' listener is for operators only, and a name in the
//! audit log is a note, not a proof. The peer's address is put behind what a client said, so that no
//! client can pass for a part of the host.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of what a client may say of itself; the rest is cut off.
pub const NAME_BYTES_MAX: usize = 128;

/// Who changed something. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Actor(Arc<str>);

impl Actor {
    /// The configuration, at a start.
    #[must_use]
    pub fn config() -> Self {
        Self("config".into())
    }

    /// The watched directory.
    #[must_use]
    pub fn directory() -> Self {
        Self("directory".into())
    }

    /// The registry that is polled.
    #[must_use]
    pub fn registry() -> Self {
        Self("registry".into())
    }

    /// The gateway itself, when a breaker opened.
    #[must_use]
    pub fn guard() -> Self {
        Self("guard".into())
    }

    /// The end that an operator gave to what it set.
    #[must_use]
    pub fn expiry() -> Self {
        Self("expiry".into())
    }

    /// An operator on another node of the cluster, as that node has it.
    #[must_use]
    pub fn cluster(node: &str, by: &str) -> Self {
        let (node, by) = (printable(node), printable(by));
        Self(format!("cluster ({by}, on {node})").into())
    }

    /// An operator, by what the client says and where it connects from.
    #[must_use]
    pub fn operator(claimed: Option<&str>, peer: Option<SocketAddr>) -> Self {
        let name = printable(claimed.unwrap_or_default());
        let name = match name.trim() {
            "" => "somebody",
            name => name,
        };
        Self(match peer {
            Some(peer) => format!("{name} ({peer})").into(),
            None => format!("{name} (in this process)").into(),
        })
    }

    /// As it was written down before; the caller vouches for it.
    #[must_use]
    pub fn recorded(text: &str) -> Self {
        Self(text.into())
    }

    /// As it is shown and written down.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The beginning of a text, in whole characters and without what could forge a line.
fn printable(text: &str) -> String {
    let mut clipped = String::new();
    for c in text.chars() {
        if clipped.len() + c.len_utf8() > NAME_BYTES_MAX {
            break;
        }
        clipped.push(if c.is_control() { ' ' } else { c });
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_passes_for_a_part_of_the_host_or_forges_a_line() {
        let peer = Some(SocketAddr::from(([127, 0, 0, 1], 4_321)));
        assert_eq!(
            Actor::operator(Some("ann"), peer).as_str(),
            "ann (127.0.0.1:4321)"
        );
        assert_eq!(
            Actor::operator(None, peer).as_str(),
            "somebody (127.0.0.1:4321)"
        );
        assert_ne!(Actor::operator(Some("guard"), None), Actor::guard());
        let forged = Actor::operator(Some("a\nguard"), None);
        assert_eq!(forged.as_str(), "a guard (in this process)");
        let long = Actor::operator(Some(&"ä".repeat(1_000)), None);
        assert!(long.as_str().len() < NAME_BYTES_MAX + 20);
    }
}
