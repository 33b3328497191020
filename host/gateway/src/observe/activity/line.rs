//! What happened, as it is handed in ([`ActivityEvent`]) and as it is written ([`ActivityLine`]).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::observe::pseudonym::Pseudonym;
use wastegate_core::types::{DecisionId, Health, Tier};

/// What a decision believes of a manager's peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BelievedPeer {
    /// Its health.
    pub health: Health,
    /// Whether that rests on an answer, or on one that did not come.
    pub probed: bool,
    /// Every connection that the manager has left was replaced by a newer one of its device.
    pub taken_over: bool,
    /// Its last connection has left, and another is on its way.
    pub expected: bool,
}

impl BelievedPeer {
    /// Of a peer of which nothing else is known.
    pub const ALIVE: Self = Self {
        health: Health::Alive,
        probed: false,
        taken_over: false,
        expected: false,
    };
}

/// Something that happened to a manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActivityEvent {
    /// It was created.
    Open,
    /// A connection of a device attached to it.
    Attach,
    /// The client sent an application frame.
    In {
        /// The frame's payload, bytes.
        bytes: u64,
    },
    /// The client was sent an application frame.
    Out {
        /// The frame's payload, bytes.
        bytes: u64,
    },
    /// A ping, of either side.
    Ping,
    /// A pong, of either side.
    Pong,
    /// The client says that it can be seen.
    Visible,
    /// The client says that it cannot be seen.
    Hidden,
    /// Its last connection went, and it waits for another.
    Detach,
    /// It ended by the will of its client or the application.
    Close,
    /// It ended because its peer did.
    Die,
    /// It was evicted.
    Evict {
        /// The tier that took it, if a tier did.
        tier: Option<Tier>,
        /// The decision that chose it, if one did.
        decision: Option<DecisionId>,
    },
    /// A victim answered our Close: it was alive.
    Echo {
        /// The decision that had chosen it.
        decision: DecisionId,
    },
    /// A victim did not answer our Close.
    Silent {
        /// The decision that had chosen it.
        decision: DecisionId,
    },
    /// A client asked for it and was refused.
    Refuse {
        /// Why, by the name that the client is told.
        why: &'static str,
    },
    /// A decision believes something else of it than the last one that looked at it; before the first it is
    /// believed to be alive.
    Health(BelievedPeer),
    /// Something was said of it.
    Hint {
        /// The name of the hint.
        hint: HintName,
        /// How much: a priority, a number of units, a code, 0 or 1, or the milliseconds of a pin.
        value: i64,
    },
    /// A key that had been evicted or had died came back, as a new manager.
    Back,
}

/// What client, application and operators say of a manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HintName {
    /// Higher is more important.
    Priority,
    /// Units of work in flight.
    InFlight,
    /// What its client runs on, by the code of the `device-class` signal.
    DeviceClass,
    /// Whether its user belongs to a protected class.
    Protect,
    /// Pinned for so many milliseconds; zero takes the pin away.
    Pin,
}

/// What an event is, without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the `Event` of the same name")]
pub enum ActivityKind {
    Open,
    Attach,
    In,
    Out,
    Ping,
    Pong,
    Visible,
    Hidden,
    Detach,
    Close,
    Die,
    Evict,
    Echo,
    Silent,
    Refuse,
    Health,
    Hint,
    Back,
}

/// A line of the stream. Also how a reader takes it in; a line of another form, such as
/// `{"dropped":3}`, is not an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActivityLine {
    /// When: milliseconds since the Unix epoch.
    pub t_ms: u64,
    /// The keyed hash of the manager's user.
    pub user: Pseudonym,
    /// Which manager: the same for every life of it.
    pub key: Pseudonym,
    /// Which device, if it is a matter of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Pseudonym>,
    /// What happened, without its details.
    pub kind: ActivityKind,
    /// How many events this line stands for, if it is of a kind that is coalesced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// Their payload in all, bytes, if they have any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// From the first of them to the last, ms; absent where they are of one moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ms: Option<u64>,
    /// Of frames from the client, when each but the first came, ms after it; absent where they are too
    /// many to tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<u16>,
    /// What was said of it, and how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<HintName>,
    /// How much of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Cow<'static, str>>,
    /// What is believed of its peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Whether that belief rests on a probe or a heartbeat; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probed: Option<bool>,
    /// Whether newer connections of its devices replaced all that it has left; absent where they did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_over: Option<bool>,
    /// Whether nobody is attached and a connection is on its way; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<bool>,
    /// The tier that evicted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// The id of the decision that evicted it, also behind what became of the victim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<u64>,
}

impl ActivityEvent {
    /// The kind of the event, without its details.
    #[must_use]
    pub const fn kind(self) -> ActivityKind {
        match self {
            Self::Open => ActivityKind::Open,
            Self::Attach => ActivityKind::Attach,
            Self::In { .. } => ActivityKind::In,
            Self::Out { .. } => ActivityKind::Out,
            Self::Ping => ActivityKind::Ping,
            Self::Pong => ActivityKind::Pong,
            Self::Visible => ActivityKind::Visible,
            Self::Hidden => ActivityKind::Hidden,
            Self::Detach => ActivityKind::Detach,
            Self::Close => ActivityKind::Close,
            Self::Die => ActivityKind::Die,
            Self::Evict { .. } => ActivityKind::Evict,
            Self::Echo { .. } => ActivityKind::Echo,
            Self::Silent { .. } => ActivityKind::Silent,
            Self::Refuse { .. } => ActivityKind::Refuse,
            Self::Health(_) => ActivityKind::Health,
            Self::Hint { .. } => ActivityKind::Hint,
            Self::Back => ActivityKind::Back,
        }
    }

    /// Whether events of its kind are coalesced.
    pub(super) const fn is_coalesced(self) -> bool {
        matches!(
            self,
            Self::In { .. } | Self::Out { .. } | Self::Ping | Self::Pong
        )
    }

    /// Adds another of the same kind: their bytes are summed up.
    pub(super) fn absorb(&mut self, other: Self) {
        match (self, other) {
            (Self::In { bytes }, Self::In { bytes: more })
            | (Self::Out { bytes }, Self::Out { bytes: more }) => {
                *bytes = bytes.saturating_add(more);
            }
            _ => {}
        }
    }
}
