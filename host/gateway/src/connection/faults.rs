//! What a peer did that the protocol, or a limit of ours, does not allow: counted by kind, and told in one
//! throttled line that names the setting to change.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::frames::Violation;
use crate::observe::Throttle;
use crate::observe::metrics::{ClosedLabel, Label, begin};
use wastegate_core::types::{CloseReason, ConnectionId, Timestamp};

/// Between two lines about the same kind of fault.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// One of the two ends of a connection that is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerSide {
    /// The client's end of the connection.
    Client,
    /// The backend's end of the connection.
    Backend,
}

impl PeerSide {
    const ALL: [Self; 2] = [Self::Client, Self::Backend];
}

/// A kind of fault, for which a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerFault {
    /// A frame over `connection.frame_bytes_max`.
    FrameSize,
    /// A message over `connection.message_bytes_max`.
    MessageSize,
    /// A message in more frames than `connection.fragments_max`.
    Fragments,
    /// More pings and pongs in a second than `connection.control_frames_per_s_max`.
    ControlRate,
    /// A frame without the mask that it has to have, or with one that it must not have.
    Mask,
    /// A reserved bit that was not negotiated.
    ReservedBits,
    /// An opcode that is not defined.
    Opcode,
    /// A length in a form that it must not have.
    Length,
    /// A control frame that is too long, or in fragments.
    ControlFrame,
    /// A continuation of nothing, or a message inside another.
    Order,
    /// A close code that may not be sent.
    CloseCode,
    /// A close reason that is not UTF-8.
    CloseReason,
    /// A text that is not UTF-8.
    Utf8,
    /// Anything else that the protocol forbids.
    Protocol,
}

impl PeerFault {
    /// Every kind, in the order of the variants.
    pub const ALL: [Self; 14] = [
        Self::FrameSize,
        Self::MessageSize,
        Self::Fragments,
        Self::ControlRate,
        Self::Mask,
        Self::ReservedBits,
        Self::Opcode,
        Self::Length,
        Self::ControlFrame,
        Self::Order,
        Self::CloseCode,
        Self::CloseReason,
        Self::Utf8,
        Self::Protocol,
    ];

    /// What a violation is counted as.
    #[must_use]
    pub const fn of(violation: Violation) -> Self {
        match violation {
            Violation::Opcode(_) => Self::Opcode,
            Violation::Reserved => Self::ReservedBits,
            Violation::Mask => Self::Mask,
            Violation::Length => Self::Length,
            Violation::Control => Self::ControlFrame,
            Violation::Order => Self::Order,
            Violation::CloseCode(_) => Self::CloseCode,
            Violation::CloseReason => Self::CloseReason,
            Violation::FrameTooLong { .. } => Self::FrameSize,
            Violation::MessageTooLong { .. } => Self::MessageSize,
            Violation::TooManyFragments { .. } => Self::Fragments,
        }
    }

    /// What a connection ends with when its client is at fault.
    #[must_use]
    pub const fn reason(self) -> CloseReason {
        match self {
            Self::FrameSize | Self::MessageSize => CloseReason::MessageTooBig,
            Self::Fragments | Self::ControlRate => CloseReason::PolicyViolation,
            Self::Utf8 => CloseReason::InvalidPayload,
            Self::Mask
            | Self::ReservedBits
            | Self::Opcode
            | Self::Length
            | Self::ControlFrame
            | Self::Order
            | Self::CloseCode
            | Self::CloseReason
            | Self::Protocol => CloseReason::ProtocolError,
        }
    }

    /// The setting that allows more of it to a client. None where it is the protocol itself.
    #[must_use]
    pub const fn setting(self) -> Option<&'static str> {
        match self {
            Self::FrameSize => Some("connection.frame_bytes_max"),
            Self::MessageSize => Some("connection.message_bytes_max"),
            Self::Fragments => Some("connection.fragments_max"),
            Self::ControlRate => Some("connection.control_frames_per_s_max"),
            Self::Mask => Some("connection.unmasked_frames"),
            Self::ReservedBits
            | Self::Opcode
            | Self::Length
            | Self::ControlFrame
            | Self::Order
            | Self::CloseCode
            | Self::CloseReason
            | Self::Utf8
            | Self::Protocol => None,
        }
    }

    /// Its name in labels and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FrameSize => "frame-size",
            Self::MessageSize => "message-size",
            Self::Fragments => "fragments",
            Self::ControlRate => "control-rate",
            Self::Mask => "mask",
            Self::ReservedBits => "reserved-bits",
            Self::Opcode => "opcode",
            Self::Length => "length",
            Self::ControlFrame => "control-frame",
            Self::Order => "order",
            Self::CloseCode => "close-code",
            Self::CloseReason => "close-reason",
            Self::Utf8 => "utf-8",
            Self::Protocol => "protocol",
        }
    }
}

impl ClosedLabel for PeerFault {
    const KEY: &'static str = "fault";

    fn value(&self) -> &'static str {
        self.name()
    }
}

impl ClosedLabel for PeerSide {
    const KEY: &'static str = "side";

    fn value(&self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Backend => "backend",
        }
    }
}

/// The faults of all connections; a copy counts with the first.
#[derive(Debug, Clone)]
pub struct PeerFaults {
    counted: Family<(Label<PeerFault>, Label<PeerSide>), Counter>,
    reports: Arc<Throttle<(PeerFault, PeerSide)>>,
}

impl Default for PeerFaults {
    fn default() -> Self {
        let counted = Family::default();
        for side in PeerSide::ALL {
            begin(
                &counted,
                PeerFault::ALL.map(|fault| (Label(fault), Label(side))),
            );
        }
        Self {
            counted,
            reports: Arc::new(Throttle::new(REPORT_EVERY)),
        }
    }
}

impl PeerFaults {
    /// Registers under `wastegate_connection_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "faults",
            "Connections that ended because a peer broke the protocol or a limit of the gateway, by kind and side",
            self.counted.clone(),
        );
    }

    /// Counts a fault, and tells of it unless one of its kind was told of a moment ago.
    pub(super) fn note(
        &self,
        fault: PeerFault,
        side: PeerSide,
        connection: ConnectionId,
        now: Timestamp,
    ) {
        let labels = (Label(fault), Label(side));
        self.counted.get_or_create(&labels).inc();
        let Some(suppressed) = self.reports.pass(now, (fault, side)) else {
            return;
        };
        let (fault, kind) = (
            fault.setting().filter(|_| side == PeerSide::Client),
            fault.name(),
        );
        match (side, fault) {
            (PeerSide::Client, Some(setting)) => tracing::warn!(
                fault = kind,
                setting,
                %connection,
                suppressed,
                "a connection ended: its client sent more than `{setting}` allows"
            ),
            (PeerSide::Client, None) => tracing::warn!(
                fault = kind,
                %connection,
                suppressed,
                "a connection ended: its client broke the protocol (RFC 6455), which no setting allows"
            ),
            (PeerSide::Backend, _) => tracing::warn!(
                fault = kind,
                %connection,
                suppressed,
                "a connection ended: its backend broke the protocol (RFC 6455), which no setting allows"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B11: whatever is refused for a limit of ours has a setting, and what has none is the protocol's.
    #[test]
    fn b11_a_limit_of_ours_has_a_setting() {
        for fault in PeerFault::ALL {
            let is_ours = matches!(
                fault.reason(),
                CloseReason::MessageTooBig | CloseReason::PolicyViolation
            );
            assert!(!is_ours || fault.setting().is_some(), "{fault:?}");
            if let Some(setting) = fault.setting() {
                assert!(setting.starts_with("connection."), "{setting}");
            }
        }
    }
}
