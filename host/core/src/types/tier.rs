//! How hard the host looks for room, and for whom.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The cleanup tiers, mildest first. What each may touch is the tier table's matter
/// (`decision::tiers`), not this type's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// In the background, before the limit is reached.
    Proactive,
    /// At the limit: what is certainly gone.
    Conservative,
    /// Also what nobody is attached to.
    Moderate,
    /// Also what failed a probe.
    Aggressive,
    /// Also responsive managers, exactly as many as are needed.
    Force,
}

impl Tier {
    /// Every tier, mildest first.
    pub const ALL: [Self; 5] = [
        Self::Proactive,
        Self::Conservative,
        Self::Moderate,
        Self::Aggressive,
        Self::Force,
    ];

    /// The tiers that an admission works through, mildest first.
    pub const ADMISSION: [Self; 4] = [
        Self::Conservative,
        Self::Moderate,
        Self::Aggressive,
        Self::Force,
    ];

    /// Its name in configuration, labels and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proactive => "proactive",
            Self::Conservative => "conservative",
            Self::Moderate => "moderate",
            Self::Aggressive => "aggressive",
            Self::Force => "force",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose managers a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The managers of one user.
    User,
    /// All users', when the node itself is short of room.
    Node,
}

impl Scope {
    /// Its name in configuration, labels and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Node => "node",
        }
    }
}
