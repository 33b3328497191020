//! Who may not be evicted, and why: three values with reasons, as browsers do it for tabs.

use serde::Serialize;

/// How strongly a manager is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "level", content = "reason")]
pub enum Protection {
    /// Any tier that admits its class may take it.
    Evictable,
    /// Only the `force` tier may take it.
    Protected(ProtectionReason),
    /// Nothing may take it. Set by the application or an operator, never by the client.
    Pinned,
}

impl Protection {
    /// Its code in the `protection` signal, as `policies/README.md` lists them.
    #[must_use]
    pub const fn code(self) -> f64 {
        match self {
            Self::Evictable => 0.0,
            Self::Protected(_) => 1.0,
            Self::Pinned => 2.0,
        }
    }
}

/// Why a manager is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProtectionReason {
    /// Work for it is in flight, e.g. an answer is being streamed.
    InFlight,
    /// Its user was active within the protection window.
    RecentlyActive,
    /// Its client asked for it (a hint: the operator's setting decides whether it counts).
    Hinted,
    /// Its user belongs to a protected class.
    UserClass,
}
