//! What an embedded application is told, and what it handles.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

use super::unit::Manager;
use wastegate_core::types::{CloseReason, ConnectionId, DeviceId};

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
///
/// ```
/// use std::sync::Arc;
///
/// use wastegate::manager::{Application, Manager, Message, Peer};
///
/// /// Sends every message to all connections of its manager.
/// struct Echo;
///
/// impl Application for Echo {
///     async fn message(&self, manager: &Arc<Manager>, _from: Peer, message: Message) {
///         manager.broadcast(&message, None);
///     }
/// }
/// ```
pub trait Application: Send + Sync + 'static {
    /// A connection attached to the manager. [`detached`](Self::detached) follows, whatever happens.
    fn attached(&self, manager: &Arc<Manager>, peer: &Peer) {
        let _ = (manager, peer);
    }

    /// A message came in; write it as an `async fn`. While this runs, later messages wait, and at the
    /// mailbox's limit the manager's connections are no longer read. When the manager ends, the future
    /// is dropped where it waits.
    fn message(
        &self,
        manager: &Arc<Manager>,
        from: Peer,
        message: Message,
    ) -> impl Future<Output = ()> + Send;

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

/// An application that its server keeps too, to ask it or to send from elsewhere.
impl<A: Application> Application for Arc<A> {
    fn attached(&self, manager: &Arc<Manager>, peer: &Peer) {
        A::attached(self, manager, peer);
    }

    fn message(
        &self,
        manager: &Arc<Manager>,
        from: Peer,
        message: Message,
    ) -> impl Future<Output = ()> + Send {
        A::message(self, manager, from, message)
    }

    fn detached(&self, manager: &Arc<Manager>, peer: &Peer, reason: CloseReason) {
        A::detached(self, manager, peer, reason);
    }

    fn ended(&self, manager: &Arc<Manager>, end: ManagerEnd) {
        A::ended(self, manager, end);
    }
}

/// An application of any type, as all managers of a gateway share it. Every [`Application`] becomes one
/// by `into`, also where a program chooses between several. Cheap to clone.
#[derive(Clone)]
pub struct SharedApplication(Arc<dyn ObjectSafe>);

impl<A: Application> From<A> for SharedApplication {
    fn from(application: A) -> Self {
        Self(Arc::new(application))
    }
}

impl SharedApplication {
    pub(super) fn attached(&self, manager: &Arc<Manager>, peer: &Peer) {
        self.0.attached(manager, peer);
    }

    pub(super) async fn message(&self, manager: &Arc<Manager>, from: Peer, message: Message) {
        self.0.message(manager, from, message).await;
    }

    pub(super) fn detached(&self, manager: &Arc<Manager>, peer: &Peer, reason: CloseReason) {
        self.0.detached(manager, peer, reason);
    }

    pub(super) fn ended(&self, manager: &Arc<Manager>, end: ManagerEnd) {
        self.0.ended(manager, end);
    }
}

impl fmt::Debug for SharedApplication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedApplication")
    }
}

/// [`Application`] as an object: a trait with an `async fn` cannot be one, so its future is boxed here and
/// nowhere else.
trait ObjectSafe: Send + Sync {
    fn attached(&self, manager: &Arc<Manager>, peer: &Peer);
    fn message<'a>(
        &'a self,
        manager: &'a Arc<Manager>,
        from: Peer,
        message: Message,
    ) -> BoxFuture<'a, ()>;
    fn detached(&self, manager: &Arc<Manager>, peer: &Peer, reason: CloseReason);
    fn ended(&self, manager: &Arc<Manager>, end: ManagerEnd);
}

impl<A: Application> ObjectSafe for A {
    fn attached(&self, manager: &Arc<Manager>, peer: &Peer) {
        A::attached(self, manager, peer);
    }

    fn message<'a>(
        &'a self,
        manager: &'a Arc<Manager>,
        from: Peer,
        message: Message,
    ) -> BoxFuture<'a, ()> {
        Box::pin(A::message(self, manager, from, message))
    }

    fn detached(&self, manager: &Arc<Manager>, peer: &Peer, reason: CloseReason) {
        A::detached(self, manager, peer, reason);
    }

    fn ended(&self, manager: &Arc<Manager>, end: ManagerEnd) {
        A::ended(self, manager, end);
    }
}

/// What runs behind a gateway whose messages are a backend's: nothing of ours.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoApplication;

impl Application for NoApplication {
    async fn message(&self, _: &Arc<Manager>, _: Peer, _: Message) {}
}
