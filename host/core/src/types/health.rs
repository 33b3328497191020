//! What the host believes of a manager's peer, and why.
//!
//! Health is evidence, not a guess: absence of evidence is [`Health::Unknown`], which is never
//! proof of death.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// The verdicts, from nothing known to certainly gone.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nothing is known: never probed, or it cannot be probed.
    #[default]
    Unknown,
    /// Something came from the peer, or it answered a probe.
    Alive,
    /// It missed what it should have answered, though not for long enough to be sure.
    Suspect,
    /// Bytes wait for it and it takes none of them: nothing of what was sent is acknowledged.
    Stalled,
    /// Our own side of it hangs: the manager does not take commands.
    Stuck,
    /// The transport says open and the peer says nothing, probed and twice missed.
    HalfOpen,
    /// The transport is gone, or has been half-open for longer than anyone would wait.
    Dead,
}

impl Health {
    /// Every verdict, in the order of the variants.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Alive,
        Self::Suspect,
        Self::Stalled,
        Self::Stuck,
        Self::HalfOpen,
        Self::Dead,
    ];

    /// Its name in records, labels and errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Stalled => "stalled",
            Self::Stuck => "stuck",
            Self::HalfOpen => "half-open",
            Self::Dead => "dead",
        }
    }

    /// Its code in the `health` signal, as `policies/README.md` lists them.
    #[must_use]
    pub const fn code(self) -> f64 {
        match self {
            Self::Unknown => 0.0,
            Self::Alive => 1.0,
            Self::Suspect => 2.0,
            Self::Stalled => 3.0,
            Self::Stuck => 4.0,
            Self::HalfOpen => 5.0,
            Self::Dead => 6.0,
        }
    }
}

/// Which observation a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EvidenceSource {
    /// The peer was not probed yet.
    #[default]
    None,
    /// The kernel's account of the TCP connection.
    Kernel,
    /// Bytes that came in by themselves.
    Traffic,
    /// A pong to our nonce, or its absence.
    Ping,
    /// The manager's answer to a command that does nothing, or its absence.
    Noop,
    /// The state of our write queue, where there is no kernel to ask.
    Outbox,
    /// The end of every connection.
    Closed,
}

/// A verdict with its age and its ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Evidence {
    /// What is believed.
    pub health: Health,
    /// When it was last confirmed; of a stalled peer, since when it has taken nothing.
    pub at: Timestamp,
    /// What it rests on.
    pub source: EvidenceSource,
}
