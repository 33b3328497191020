//! A manager's end of one connection: what it may ask of it, and what it can see.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::application::Message;
use super::outbox::{Outbox, SendError};
use super::vitals::Vitals;
use wastegate_core::types::{CloseReason, ConnectionId, DeviceId, Timestamp, TokenFacts};

/// For how many close deadlines the client of an evicted manager is listened to. Its answer labels the eviction;
/// its slot is free from the start.
pub const ECHO_DEADLINES: u32 = 3;

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndReport {
    /// Why; exactly one reason.
    pub reason: CloseReason,
    /// How long the peer took to answer our Close, if it did.
    pub echoed_after: Option<Duration>,
    /// It had to be cut off at the deadline.
    pub aborted: bool,
    /// It was cut off, and its silence does not show that it was dead: the path is slow, other bytes came,
    /// or it had too little time.
    pub undecided: bool,
}

/// What a connection has a place of, such as the node.
pub trait PlaceGuard: std::fmt::Debug + Send + Sync {
    /// The connection was asked to close: what comes next may have its place from now on.
    fn leave(&self);
}

/// One connection, as its manager and the rooms above see it.
#[derive(Debug)]
pub struct Port {
    /// The connection's number, unique within the process.
    pub id: ConnectionId,
    /// The client's name for its device.
    pub device: DeviceId,
    /// Where messages to it wait.
    pub outbox: Outbox,
    /// Its transport's signs of life.
    pub vitals: Vitals,
    /// Whether its client speaks our subprotocol, and so may be sent notices.
    pub notices: bool,
    /// The socket, for the kernel's account of it. Weak: the descriptor belongs to the
    /// connection's task alone and goes with it. Empty where the transport is not plain TCP.
    pub socket: Weak<TcpStream>,
    /// What is known of the token that its client was let in by, if it was by one.
    token: OnceLock<Box<TokenFacts>>,
    /// Weak: the place goes with the connection's task.
    place: OnceLock<Weak<dyn PlaceGuard>>,
    superseded: AtomicBool,
    has_left: AtomicBool,
    close: OnceLock<CloseReason>,
    close_asked: Notify,
    ended: OnceLock<EndReport>,
    // Not a `watch`: that has room for eight crowds of waiters, which every idle connection would pay for.
    end_reported: Notify,
}

impl Port {
    /// A port of a connection that has just been opened.
    #[must_use]
    pub fn new(
        device: DeviceId,
        outbox_bytes_max: usize,
        notices: bool,
        socket: Weak<TcpStream>,
        now: Timestamp,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: ConnectionId::next(),
            device,
            outbox: Outbox::new(outbox_bytes_max),
            vitals: Vitals::new(now),
            notices,
            socket,
            token: OnceLock::new(),
            place: OnceLock::new(),
            superseded: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
            close: OnceLock::new(),
            close_asked: Notify::new(),
            ended: OnceLock::new(),
            end_reported: Notify::new(),
        })
    }

    /// Sends a message, or says at once why not. A client that does not read is closed for it.
    ///
    /// # Errors
    /// [`SendError`] when the client does not read or is gone.
    pub fn send(&self, now: Timestamp, message: Message) -> Result<(), SendError> {
        if self.close.get().is_some() {
            return Err(SendError::Closed);
        }
        let sent = self.outbox.push(now, message);
        if sent == Err(SendError::Full) {
            // At once, for its task may hang in a write just because its client does not read.
            self.close(CloseReason::SlowConsumer);
        }
        sent
    }

    /// Asks the connection to close. The first reason stands.
    pub fn close(&self, reason: CloseReason) {
        if self.close.set(reason).is_ok()
            && let Some(place) = self.place.get().and_then(Weak::upgrade)
        {
            place.leave();
        }
        self.close_asked.notify_one();
    }

    /// By which token its client was let in. Told once.
    pub fn came_by(&self, token: TokenFacts) {
        let _ = self.token.set(Box::new(token));
    }

    /// What is known of the token that its client was let in by; none if it was by something else.
    #[must_use]
    pub fn token(&self) -> Option<&TokenFacts> {
        self.token.get().map(|token| &**token)
    }

    /// Gives the connection's place away as soon as it is asked to close, and not only when it has ended.
    pub fn leaves(&self, place: Weak<dyn PlaceGuard>) {
        let _ = self.place.set(place);
    }

    /// Waits until a close is requested, and returns its reason. For the connection's own task.
    pub(crate) async fn close_asked(&self) -> CloseReason {
        loop {
            if let Some(&reason) = self.close.get() {
                return reason;
            }
            self.close_asked.notified().await;
        }
    }

    /// Whether a close was requested.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.close.get().is_some()
    }

    /// A newer connection of the same device took its place.
    pub(crate) fn supersede(&self) {
        self.superseded.store(true, Relaxed);
        self.close(CloseReason::TakenOver);
    }

    /// Whether a newer connection of the same device took its place.
    #[must_use]
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded.load(Relaxed)
    }

    /// Its client sent a Close or is gone, and will not answer any more; what remains is to deliver
    /// what was said before.
    pub(crate) fn note_client_gone(&self, for_good: bool, now: Timestamp) {
        if for_good {
            self.has_left.store(true, Relaxed);
        } else {
            self.vitals.probe_failed(now);
        }
    }

    /// Whether its client is gone for good, so that nothing is lost if its place is taken.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.has_left.load(Relaxed)
    }

    /// Tells everyone who waits how it ended. The first report stands.
    pub(crate) fn report_end(&self, report: EndReport) {
        self.outbox.close();
        let _ = self.close.set(report.reason);
        let _ = self.ended.set(report);
        self.end_reported.notify_waiters();
    }

    /// Waits for its end.
    pub async fn ended(&self) -> EndReport {
        loop {
            let reported = self.end_reported.notified();
            if let Some(report) = self.end() {
                return report;
            }
            reported.await;
        }
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn end(&self) -> Option<EndReport> {
        self.ended.get().copied()
    }
}
