//! What a manager does: takes note of its user, sends, and handles its letters in its own task.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use parking_lot::Mutex;

use super::application::{ManagerEnd, Message, Peer};
use super::mailbox::Letter;
use super::outbox::SendError;
use super::unit::Manager;
use crate::observe::activity::{ActivityEvent, BelievedPeer, HintName};
use wastegate_core::signals::DeviceClass;
use wastegate_core::types::{CloseReason, ConnectionId, DeviceId, Timestamp};

impl Manager {
    /// Its user was active in it: an application frame came in from one of its devices.
    pub fn touch(&self, now: Timestamp, device: &DeviceId, bytes: usize) {
        self.activity.lock().touch(now);
        self.note(
            now,
            Some(device),
            ActivityEvent::In {
                bytes: bytes as u64,
            },
        );
    }

    /// Its client says whether the user can see it.
    pub fn set_visible(&self, visible: bool) {
        self.hints.set_visible(visible);
        self.note(
            self.now(),
            None,
            if visible {
                ActivityEvent::Visible
            } else {
                ActivityEvent::Hidden
            },
        );
    }

    /// Sets its priority: higher is more important, 0 ordinary.
    pub fn set_priority(&self, priority: i32) {
        self.hints.set_priority(priority);
        self.note_hint(HintName::Priority, priority.into());
    }

    /// Sets the number of units of work in flight.
    pub fn set_in_flight(&self, units: u32) {
        self.hints.set_in_flight(units);
        self.note_hint(HintName::InFlight, units.into());
    }

    /// Says what its client runs on.
    pub fn set_device_class(&self, class: DeviceClass) {
        if self.hints.device_class_code() != class.code() {
            self.hints.set_device_class(class);
            self.note_hint(HintName::DeviceClass, class.code().into());
        }
    }

    /// Says whether its user belongs to a protected class.
    pub fn set_protected_class(&self, protected: bool) {
        if self.hints.is_protected_class() != protected {
            self.hints.set_protected_class(protected);
            self.note_hint(HintName::Protect, protected.into());
        }
    }

    /// Takes its pin away.
    pub fn unpin(&self) {
        self.hints.unpin();
        self.note_hint(HintName::Pin, 0);
    }

    /// Writes down what was said of it.
    pub(crate) fn note_hint(&self, hint: HintName, value: i64) {
        self.note(self.now(), None, ActivityEvent::Hint { hint, value });
    }

    /// Writes down what a decision believes of its peer, if the last one believed something else.
    pub(crate) fn note_belief(&self, now: Timestamp, believed: BelievedPeer) {
        let before = std::mem::replace(&mut *self.believed.lock(), believed);
        let what = |one: BelievedPeer| (one.health, one.taken_over, one.expected);
        if what(before) != what(believed) {
            self.note(now, None, ActivityEvent::Health(believed));
        }
    }

    /// Takes note of the bytes that are held for it. Called where they change.
    pub(crate) fn sample_held(&self, now: Timestamp) {
        let queued: usize = self
            .ports()
            .iter()
            .map(|port| port.outbox.queued().bytes)
            .sum();
        let bytes = queued + self.mailbox.bytes();
        self.held.lock().set(now, bytes);
    }

    /// Sends a message to every connection but one. Returns how many took it; one that does not
    /// read is closed by its own task, and never keeps the others waiting.
    pub fn broadcast(&self, message: &Message, except: Option<ConnectionId>) -> usize {
        let now = self.now();
        let sent = self
            .ports()
            .iter()
            .filter(|port| Some(port.id) != except)
            .filter(|port| port.send(now, message.clone()).is_ok())
            .count();
        self.sample_held(now);
        sent
    }

    /// Sends a message to one connection.
    ///
    /// # Errors
    /// [`SendError::Closed`] if there is no such connection here or it has ended,
    /// [`SendError::Full`] if its client does not read.
    pub fn send(&self, to: ConnectionId, message: Message) -> Result<(), SendError> {
        let now = self.now();
        let port = self
            .ports()
            .into_iter()
            .find(|port| port.id == to)
            .ok_or(SendError::Closed)?;
        let sent = port.send(now, message);
        self.sample_held(now);
        sent
    }

    /// Marks a unit of work as in flight until the returned guard is dropped.
    #[must_use]
    pub fn begin_work(self: &Arc<Self>) -> Work {
        Work::begin(self)
    }

    /// The manager's own task: handles its letters until it is closed. A panic of the application
    /// closes it.
    pub async fn run(self: Arc<Self>) {
        let closed = self.closed.clone();
        let attached = Attached::default();
        let work = AssertUnwindSafe(self.handle_letters(&attached)).catch_unwind();
        let panicked = tokio::select! {
            biased;
            () = closed.cancelled() => false,
            Err(_) = work => true,
        };
        if panicked {
            tracing::error!(manager = %self.id, "the application panicked; closing its manager");
            self.close(CloseReason::HandlerPanicked);
        }
        let end = ManagerEnd {
            reason: self.end().unwrap_or(CloseReason::ManagerClosed),
        };
        let application = &self.surroundings.application;
        let call = |what: &mut dyn FnMut()| {
            if catch_unwind(AssertUnwindSafe(what)).is_err() {
                tracing::error!(manager = %self.id, "the application panicked when its manager ended");
            }
        };
        // The mailbox is closed, so no letter says any more that these left.
        for peer in attached.all() {
            call(&mut || application.detached(&self, &peer, end.reason));
        }
        call(&mut || application.ended(&self, end));
    }

    async fn handle_letters(self: &Arc<Self>, attached: &Attached) -> std::convert::Infallible {
        let application = &self.surroundings.application;
        loop {
            match self.mailbox.next(|| self.now()).await {
                Letter::Attached(peer) => {
                    attached.add(peer.clone());
                    application.attached(self, &peer);
                }
                Letter::Detached(peer, reason) => {
                    attached.remove(peer.connection);
                    application.detached(self, &peer, reason);
                }
                Letter::Message(from, message) => application.message(self, from, message).await,
                // The prober no longer waits: its deadline passed.
                Letter::Noop(answer) => drop(answer.send(())),
            }
        }
    }
}

/// The connections that the application knows as attached.
#[derive(Default)]
struct Attached(
    // A lock, because the task's future has to be one that moves between threads; nothing else
    // takes it.
    Mutex<Vec<Peer>>,
);

impl Attached {
    fn add(&self, peer: Peer) {
        let mut peers = self.0.lock();
        // Most managers have one connection.
        peers.reserve_exact(1);
        peers.push(peer);
    }

    fn remove(&self, connection: ConnectionId) {
        self.0.lock().retain(|peer| peer.connection != connection);
    }

    fn all(&self) -> Vec<Peer> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// One unit of work in flight, counted as long as it lives.
#[derive(Debug)]
pub struct Work(Arc<Manager>);

impl Work {
    pub(crate) fn begin(manager: &Arc<Manager>) -> Self {
        let before = manager.hints.begin_work();
        manager.note_hint(HintName::InFlight, i64::from(before) + 1);
        Self(manager.clone())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(before) = self.0.hints.end_work() {
            self.0.note_hint(HintName::InFlight, i64::from(before) - 1);
        }
    }
}
