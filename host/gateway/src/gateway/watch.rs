//! The observer of connections: when each was let in, and how it ended.

use std::net::IpAddr;
use std::time::Duration;

use crate::manager::EndReport;
use wastegate_core::types::{
    ConnectionId, ConnectionRef, DeviceId, ManagerId, ManagerKey, Timestamp, UserId,
};

/// A connection that is attached to its manager.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionFacts<'a> {
    /// The user whose manager it is attached to.
    pub user: &'a UserId,
    /// The key of that manager.
    pub key: &'a ManagerKey,
    /// The manager's number, unique within the process.
    pub manager: ManagerId,
    /// The connection's number, unique within the process.
    pub connection: ConnectionId,
    /// The connection's reference, as the close reason has it.
    pub reference: ConnectionRef,
    /// The client's name for its device.
    pub device: &'a DeviceId,
    /// The address that it came from: of IPv6 the network of 64 bits. None where the server around the gateway
    /// does not say.
    pub from: Option<IpAddr>,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionEnd {
    /// When.
    pub at: Timestamp,
    /// Why, and what its client answered.
    pub report: EndReport,
    /// The close code and the reason that the gateway told its client, without the reference. None where the
    /// client ended it, and where a backend's own Close was relayed.
    pub told: Option<(u16, &'static str)>,
    /// Since it was attached.
    pub lasted: Duration,
    /// Payload received from its client and sent to it, bytes.
    pub bytes: (u64, u64),
}

/// Hears of connections, on their path: it must not block.
pub trait ConnectionObserver: Send + Sync + 'static {
    /// A connection was attached to its manager.
    fn attached(&self, connection: &ConnectionFacts<'_>, at: Timestamp);
    /// A connection that was attached has ended.
    fn ended(&self, connection: &ConnectionFacts<'_>, end: &ConnectionEnd);
}
