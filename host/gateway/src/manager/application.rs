//! What an embedded application is told, and what it handles.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

use super::unit::Manager;
use wastegate_core::types::{CloseReason, ConnectionId, DeviceId};

/// A future on the heap, so that the trait can be an object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One application message. Cheap to clone: clones share their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
}

impl Message {
    /// Bytes of payload.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether it has no payload.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Who sent a message.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The connection's number, unique within the process.
    pub connection: ConnectionId,
    /// The client's name for its device.
    pub device: DeviceId,
}

/// Why a manager ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagerEnd {
    /// What its connections were told.
    pub reason: CloseReason,
}

/// What runs behind the gateway when there is no upstream.
///
/// All calls about one manager come from that manager's own task, one after the other, in the
/// order in which things happened; different managers run side by side. A call that panics ends
/// its manager and nothing else.
pub trait Application: Send + Sync + 'static {
    /// A connection attached to the manager. [`detached`](Self::detached) follows, whatever happens.
    fn attached(&self, manager: &Arc<Manager>, peer: &Peer) {
        let _ = (manager, peer);
    }

    /// A message came in. While this runs, later ones wait, and at the mailbox's limit the
    /// manager's connections are no longer read.
    fn message<'a>(
        &'a self,
        manager: &'a Arc<Manager>,
        from: Peer,
        message: Message,
    ) -> BoxFuture<'a, ()>;

    /// A connection left the manager, by itself or with it: exactly once for each call of
    /// [`attached`](Self::attached), before [`ended`](Self::ended). Where the manager was evicted,
    /// stopped or ended by a panic, `reason` is that of the manager, and the connection may still be
    /// closing.
    fn detached(&self, manager: &Arc<Manager>, peer: &Peer, reason: CloseReason) {
        let _ = (manager, peer, reason);
    }

    /// The manager is gone: evicted, given up or stopped. Release what was tied to it. Called
    /// exactly once, and last.
    fn ended(&self, manager: &Arc<Manager>, end: ManagerEnd) {
        let _ = (manager, end);
    }
}

/// What runs behind a gateway whose messages are a backend's: nothing of ours.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoApplication;

impl Application for NoApplication {
    fn message<'a>(&'a self, _: &'a Arc<Manager>, _: Peer, _: Message) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}
