//! Why a connection ended. Each ends with exactly one [`CloseReason`].
//!
//! What number goes over the wire for it is `gateway::close`'s knowledge, not this module's.

use serde::Serialize;

use super::ids::DecisionId;
use super::tier::Tier;

/// Why a connection ended, from the gateway's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case", tag = "why", content = "detail")]
pub enum CloseReason {
    /// The client sent a Close, or answered ours when we had no reason of our own.
    ClientClosed,
    /// The client sent a Close that says it goes away (1001), as a page does that is reloaded.
    ClientLeft,
    /// The transport failed or ended without a Close.
    ClientGone,
    /// Its manager was evicted, and nothing was certain to answer there.
    Evicted(EvictionCause),
    /// Its manager was evicted although it answered: it was displaced.
    Displaced(EvictionCause),
    /// It did not answer, and another connection of its manager needed the place.
    Unresponsive,
    /// A newer connection of the same user, key and device took its place.
    TakenOver,
    /// It did not read: its outbox passed the byte limit or the stall time.
    SlowConsumer,
    /// Its user sent more than the budget of its connections, and is closed for that.
    OverBudget,
    /// What proved who it is expired, and the grace after it.
    Expired,
    /// An operator revoked the token that it was let in by.
    Revoked,
    /// It sent something the WebSocket protocol forbids.
    ProtocolError,
    /// It sent text that is not UTF-8.
    InvalidPayload,
    /// It sent a frame or message over the size limit.
    MessageTooBig,
    /// It may not do what it asked, e.g. a control line from a client without the right.
    PolicyViolation,
    /// The backend sent a Close, which was handed on.
    UpstreamClosed,
    /// The backend's connection failed, ended without a Close, or broke the protocol.
    UpstreamGone,
    /// The application closed it.
    ApplicationClosed,
    /// The application's handler panicked.
    HandlerPanicked,
    /// The manager went away under it without an eviction.
    ManagerClosed,
    /// It was never admitted: the upgrade was answered only to carry the refusal.
    Refused,
    /// An operator asked all clients of this node to connect again.
    Reconnect,
    /// The server is stopping.
    Shutdown,
}

impl CloseReason {
    /// Every reason, an eviction with each of its causes; a cleanup by `force` stands for all tiers.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::successors(Some(Self::ClientClosed), |reason| reason.next())
    }

    /// The reason after this one in [`all`](Self::all). A match, so that a new reason has to be put in.
    const fn next(self) -> Option<Self> {
        Some(match self {
            Self::ClientClosed => Self::ClientLeft,
            Self::ClientLeft => Self::ClientGone,
            Self::ClientGone => Self::Evicted(EvictionCause::FIRST),
            Self::Evicted(cause) => match cause.next() {
                Some(cause) => Self::Evicted(cause),
                None => Self::Displaced(EvictionCause::FIRST),
            },
            Self::Displaced(cause) => match cause.next() {
                Some(cause) => Self::Displaced(cause),
                None => Self::Unresponsive,
            },
            Self::Unresponsive => Self::TakenOver,
            Self::TakenOver => Self::SlowConsumer,
            Self::SlowConsumer => Self::OverBudget,
            Self::OverBudget => Self::Expired,
            Self::Expired => Self::Revoked,
            Self::Revoked => Self::ProtocolError,
            Self::ProtocolError => Self::InvalidPayload,
            Self::InvalidPayload => Self::MessageTooBig,
            Self::MessageTooBig => Self::PolicyViolation,
            Self::PolicyViolation => Self::UpstreamClosed,
            Self::UpstreamClosed => Self::UpstreamGone,
            Self::UpstreamGone => Self::ApplicationClosed,
            Self::ApplicationClosed => Self::HandlerPanicked,
            Self::HandlerPanicked => Self::ManagerClosed,
            Self::ManagerClosed => Self::Refused,
            Self::Refused => Self::Reconnect,
            Self::Reconnect => Self::Shutdown,
            Self::Shutdown => return None,
        })
    }

    /// Whether the client ended it, so that there is nobody to say goodbye to.
    #[must_use]
    pub const fn is_clients(self) -> bool {
        matches!(
            self,
            Self::ClientClosed | Self::ClientLeft | Self::ClientGone
        )
    }

    /// Whether it was us who wanted it to go, and nothing was wrong with what it sent.
    #[must_use]
    pub const fn is_our_wish(self) -> bool {
        matches!(
            self,
            Self::Evicted(_)
                | Self::Displaced(_)
                | Self::Unresponsive
                | Self::TakenOver
                | Self::SlowConsumer
                | Self::OverBudget
                | Self::Expired
                | Self::Revoked
                | Self::ManagerClosed
                | Self::Reconnect
                | Self::Shutdown
        )
    }

    /// Whether one side meant the end, so that nobody is expected to come back to the same.
    #[must_use]
    pub const fn is_for_good(self) -> bool {
        matches!(
            self,
            Self::ClientClosed | Self::UpstreamClosed | Self::UpstreamGone
        )
    }

    /// Its name in labels, logs and records: lower case words joined by hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientClosed => "client-closed",
            Self::ClientLeft => "client-left",
            Self::ClientGone => "client-gone",
            Self::Evicted(_) => "evicted",
            Self::Displaced(_) => "displaced",
            Self::Unresponsive => "unresponsive",
            Self::TakenOver => "taken-over",
            Self::SlowConsumer => "slow-consumer",
            Self::OverBudget => "over-budget",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::ProtocolError => "protocol-error",
            Self::InvalidPayload => "invalid-payload",
            Self::MessageTooBig => "message-too-big",
            Self::PolicyViolation => "policy-violation",
            Self::UpstreamClosed => "upstream-closed",
            Self::UpstreamGone => "upstream-gone",
            Self::ApplicationClosed => "application-closed",
            Self::HandlerPanicked => "handler-panicked",
            Self::ManagerClosed => "manager-closed",
            Self::Refused => "refused",
            Self::Reconnect => "reconnect",
            Self::Shutdown => "shutdown",
        }
    }
}

/// An eviction: what it was for, and which decision chose it, if one did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eviction {
    /// What it was for.
    pub cause: EvictionCause,
    /// Which decision chose it.
    pub decision: Option<DecisionId>,
    /// Whether the manager answered, as far as was known.
    pub peer: PeerState,
}

/// What was known of an evicted manager's peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerState {
    /// It answered, or nothing spoke against it. Its client is told not to reconnect by itself.
    Answering,
    /// It did not answer, or there was none. If it ever hears of it, it may reconnect.
    Silent,
}

impl Eviction {
    /// What the manager's connections are told.
    #[must_use]
    pub const fn reason(self) -> CloseReason {
        match self.peer {
            PeerState::Answering => CloseReason::Displaced(self.cause),
            PeerState::Silent => CloseReason::Evicted(self.cause),
        }
    }
}

impl From<EvictionCause> for Eviction {
    fn from(cause: EvictionCause) -> Self {
        Self {
            cause,
            decision: None,
            peer: PeerState::Silent,
        }
    }
}

/// What an eviction was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case", tag = "cause", content = "tier")]
pub enum EvictionCause {
    /// A cleanup tier chose it.
    Cleanup(Tier),
    /// The temporary slot it lived in expired.
    TemporarySlotExpired,
    /// The user or an operator asked for it.
    Requested,
    /// An operator blocked the user.
    Blocked,
}

impl EvictionCause {
    const FIRST: Self = Self::Cleanup(Tier::Force);

    const fn next(self) -> Option<Self> {
        Some(match self {
            Self::Cleanup(_) => Self::TemporarySlotExpired,
            Self::TemporarySlotExpired => Self::Requested,
            Self::Requested => Self::Blocked,
            Self::Blocked => return None,
        })
    }
}
