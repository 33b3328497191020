//! Shapes of what routes are told apart by: paths and hosts.

use super::parsed::{Optional, Parsed};
use wastegate::gateway::route::{BadHost, BadPrefix, HostPattern, Prefix};

/// The beginning of a path.
pub(in crate::config) const fn path() -> Parsed<Prefix> {
    Parsed {
        accepts: "a path that begins with `/`, as requests have it and without patterns",
        parse: |text| text.parse().map_err(|error: BadPrefix| error.to_string()),
        write: ToString::to_string,
        samples: &["/chat", "/ws/", "/a:b/caf%C3%A9"],
    }
}

/// A host, or empty text for all.
pub(in crate::config) const fn host_or_none() -> Optional<HostPattern> {
    Optional(Parsed {
        accepts: "a host such as chat.example, or *.example for those beneath it",
        parse: |text| text.parse().map_err(|error: BadHost| error.to_string()),
        write: ToString::to_string,
        samples: &["chat.example", "*.example", "[::1]"],
    })
}
