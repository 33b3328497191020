//! The manager itself: who is attached, who is on the way, and how it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, HeldBytes};
use super::application::{Application, End, Message, Peer};
use super::config::Config;
use super::hints::{Hints, Work};
use super::mailbox::{Letter, Mailbox};
use super::outbox::Refused;
use super::port::Port;
use crate::decision::Standing;
use crate::observe::activity::{Activity as ActivityStream, Event};
use crate::types::{
    Clock, CloseReason, ConnectionId, DeviceId, EvictionCause, ManagerId, ManagerKey, Timestamp,
    UserId,
};

/// What every manager of a gateway shares.
pub struct Surroundings {
    /// Where moments come from.
    pub clock: Clock,
    /// The room's settings.
    pub config: Config,
    /// Who handles messages.
    pub application: Arc<dyn Application>,
    /// Where what happens is written down.
    pub activity: ActivityStream,
}

/// One unit that counts against its user's limit.
pub struct Manager {
    /// Which life of (user, key) this is.
    pub id: ManagerId,
    /// Whose it is.
    pub user: UserId,
    /// Its name.
    pub key: ManagerKey,
    /// When it was created.
    pub created: Timestamp,
    /// What was said about it.
    pub hints: Hints,
    /// What waits for its task.
    pub mailbox: Mailbox,
    surroundings: Arc<Surroundings>,
    // Locks, because several numbers must agree; each is held for a few loads or stores, and none
    // while another of the same manager is taken.
    activity: Mutex<Activity>,
    held: Mutex<HeldBytes>,
    state: Mutex<State>,
    closed: CancellationToken,
}

struct State {
    end: Option<CloseReason>,
    /// Connections that were admitted and have not attached yet.
    pending: usize,
    pending_since: Timestamp,
    ports: Vec<Arc<Port>>,
    ever_attached: bool,
    detached_since: Option<Timestamp>,
    reconnects: u32,
    /// Of connections that are gone.
    bytes_before: (u64, u64),
    errors_before: u32,
}

/// Why a connection could not attach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// The manager ended while the connection was on its way.
    #[error("the manager ended while the connection was on its way")]
    Closed,
    /// It has as many connections as it may.
    #[error("the manager already has {0} connections, its limit")]
    TooMany(usize),
}

/// What a connection left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Nobody is attached and nobody is on the way.
    pub empty: bool,
    /// Its client said goodbye in due form, so nobody will come back.
    pub for_good: bool,
}

impl Manager {
    /// A newborn with one connection on its way.
    #[must_use]
    pub fn new(user: UserId, key: ManagerKey, surroundings: Arc<Surroundings>) -> Arc<Self> {
        let now = surroundings.clock.now();
        let manager = Arc::new(Self {
            id: ManagerId::next(),
            user,
            key,
            created: now,
            hints: Hints::default(),
            mailbox: Mailbox::new(surroundings.config.mailbox_messages_max),
            activity: Mutex::new(Activity::new(now)),
            held: Mutex::new(HeldBytes::new(now)),
            state: Mutex::new(State {
                end: None,
                pending: 1,
                pending_since: now,
                ports: Vec::new(),
                ever_attached: false,
                detached_since: None,
                reconnects: 0,
                bytes_before: (0, 0),
                errors_before: 0,
            }),
            closed: CancellationToken::new(),
            surroundings,
        });
        manager.note(now, None, Event::Open);
        manager
    }

    /// Writes down that something happened to it.
    pub fn note(&self, now: Timestamp, device: Option<&DeviceId>, event: Event) {
        let stream = &self.surroundings.activity;
        stream.record(now, self.id, &self.user, &self.key, device, event);
    }

    /// One more connection is on its way. False if the manager has ended.
    #[must_use]
    pub fn expect_connection(&self) -> bool {
        let now = self.now();
        let mut state = self.state.lock();
        if state.end.is_some() {
            return false;
        }
        if state.pending == 0 {
            state.pending_since = now;
        }
        state.pending += 1;
        true
    }

    /// A connection that was on its way will not come.
    pub fn connection_failed(&self) {
        let mut state = self.state.lock();
        state.pending = state.pending.saturating_sub(1);
    }

    /// A connection that was on its way is here. Older ones of the same device give way to it.
    ///
    /// # Errors
    /// [`AttachError`] if it may not stay; it is no longer on its way then either.
    pub fn attach(&self, port: &Arc<Port>) -> Result<(), AttachError> {
        let now = self.now();
        let older: Vec<Arc<Port>> = {
            let mut state = self.state.lock();
            state.pending = state.pending.saturating_sub(1);
            if state.end.is_some() {
                return Err(AttachError::Closed);
            }
            let same = |other: &&Arc<Port>| other.device == port.device && !other.is_closing();
            let older: Vec<_> = state.ports.iter().filter(same).cloned().collect();
            let staying = state
                .ports
                .iter()
                .filter(|other| !other.is_closing())
                .count();
            if staying - older.len() >= self.surroundings.config.connections_max {
                return Err(AttachError::TooMany(staying));
            }
            if state.ever_attached {
                state.reconnects = state.reconnects.saturating_add(1);
            }
            state.ever_attached = true;
            state.detached_since = None;
            state.ports.push(port.clone());
            older
        };
        for port in older {
            port.supersede();
        }
        self.note(now, Some(&port.device), Event::Attach);
        let peer = Peer {
            connection: port.id,
            device: port.device.clone(),
        };
        if !self.mailbox.post(now, Letter::Attached(peer)) {
            self.close(CloseReason::ManagerClosed);
        }
        Ok(())
    }

    /// A connection ended.
    pub fn detach(&self, connection: ConnectionId, reason: CloseReason) -> Left {
        let now = self.now();
        let (port, left) = {
            let mut state = self.state.lock();
            let at = state.ports.iter().position(|port| port.id == connection);
            let port = at.map(|at| state.ports.swap_remove(at));
            if let Some(port) = &port {
                let (bytes_in, bytes_out) = port.vitals.bytes();
                state.bytes_before.0 += bytes_in;
                state.bytes_before.1 += bytes_out;
                state.errors_before += port.vitals.errors();
            }
            let empty = state.ports.is_empty() && state.pending == 0;
            if state.ports.is_empty() && state.detached_since.is_none() {
                state.detached_since = Some(now);
            }
            (
                port,
                Left {
                    empty,
                    for_good: reason == CloseReason::ClientClosed,
                },
            )
        };
        self.sample_held(now);
        if let Some(port) = port {
            if left.empty && self.end().is_none() {
                self.note(now, Some(&port.device), Event::Detach);
            }
            let peer = Peer {
                connection,
                device: port.device.clone(),
            };
            // A manager that hangs does not hear of it; it is about to be closed for hanging.
            let _ = self.mailbox.post(now, Letter::Detached(peer, reason));
        }
        left
    }

    /// Ends the manager: it takes nothing any more, and its connections are asked to close. The
    /// first reason stands. Returns the connections that were still there.
    pub fn close(&self, reason: CloseReason) -> Vec<Arc<Port>> {
        let (ports, first) = {
            let mut state = self.state.lock();
            let first = state.end.is_none();
            state.end.get_or_insert(reason);
            (state.ports.clone(), first)
        };
        if first {
            self.note(
                self.now(),
                None,
                end_event(reason, self.standing(self.now())),
            );
        }
        self.mailbox.close();
        self.closed.cancel();
        for port in &ports {
            port.close(reason);
        }
        ports
    }

    /// Whether nobody is attached and nobody is on the way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.ports.is_empty() && state.pending == 0
    }

    /// Why it ended, if it has.
    #[must_use]
    pub fn end(&self) -> Option<CloseReason> {
        self.state.lock().end
    }

    /// Whether somebody is attached, and how long that may stay so.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        let config = &self.surroundings.config;
        let state = self.state.lock();
        if !state.ports.is_empty() {
            return Standing::Attached;
        }
        if state.pending > 0 && now.since(state.pending_since) < config.attach_grace {
            return Standing::Newborn;
        }
        match state.detached_since {
            None => Standing::NeverAttached,
            Some(since) if now.since(since) < config.reconnect_grace => Standing::Detached,
            Some(_) => Standing::Expired,
        }
    }

    /// Until when nothing may touch it, if its first connection is still on its way.
    #[must_use]
    pub fn newborn_until(&self, now: Timestamp) -> Option<Timestamp> {
        if self.standing(now) != Standing::Newborn {
            return None;
        }
        let since = self.state.lock().pending_since;
        Some(since.after(self.surroundings.config.attach_grace))
    }

    /// Its connections now.
    #[must_use]
    pub fn ports(&self) -> Vec<Arc<Port>> {
        self.state.lock().ports.clone()
    }

    /// Since when nobody is attached.
    #[must_use]
    pub fn detached_since(&self) -> Option<Timestamp> {
        self.state.lock().detached_since
    }

    /// How often a connection came back to it.
    #[must_use]
    pub fn reconnects(&self) -> u32 {
        self.state.lock().reconnects
    }

    /// Payload in and out and errors, of connections past and present.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u32) {
        let state = self.state.lock();
        let (mut bytes_in, mut bytes_out) = state.bytes_before;
        let mut errors = state.errors_before;
        for port in &state.ports {
            let (more_in, more_out) = port.vitals.bytes();
            bytes_in += more_in;
            bytes_out += more_out;
            errors += port.vitals.errors();
        }
        (bytes_in, bytes_out, errors)
    }

    /// Its user was active in it: an application frame came in from one of its devices.
    pub fn touch(&self, now: Timestamp, device: &DeviceId, bytes: usize) {
        self.activity.lock().touch(now);
        self.note(
            now,
            Some(device),
            Event::In {
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
                Event::Visible
            } else {
                Event::Hidden
            },
        );
    }

    /// What its user's activity was so far.
    #[must_use]
    pub fn activity(&self) -> Activity {
        *self.activity.lock()
    }

    /// The growth of the bytes held for it, now over their average of a minute.
    #[must_use]
    pub fn growth(&self, now: Timestamp) -> Option<f64> {
        self.held.lock().growth(now)
    }

    /// Takes note of the bytes that are held for it. Called where they change.
    pub fn sample_held(&self, now: Timestamp) {
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
    /// [`Refused::Closed`] if there is no such connection here or it has ended,
    /// [`Refused::Full`] if its client does not read.
    pub fn send(&self, to: ConnectionId, message: Message) -> Result<(), Refused> {
        let now = self.now();
        let port = self
            .ports()
            .into_iter()
            .find(|port| port.id == to)
            .ok_or(Refused::Closed)?;
        let sent = port.send(now, message);
        self.sample_held(now);
        sent
    }

    /// Marks a unit of work as in flight until the returned guard is dropped.
    #[must_use]
    pub fn begin_work(self: &Arc<Self>) -> Work {
        Work::begin(self)
    }

    /// The settings of the room.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.surroundings.config
    }

    /// Now, by the gateway's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.surroundings.clock.now()
    }

    /// The manager's own task: handles its letters until it is closed. A panic of the application
    /// closes it.
    pub async fn run(self: Arc<Self>) {
        let closed = self.closed.clone();
        let work = AssertUnwindSafe(self.handle_letters()).catch_unwind();
        let panicked = tokio::select! {
            biased;
            () = closed.cancelled() => false,
            Err(_) = work => true,
        };
        if panicked {
            tracing::error!(manager = %self.id, "the application panicked; closing its manager");
            self.close(CloseReason::HandlerPanicked);
        }
        let end = End {
            reason: self.end().unwrap_or(CloseReason::ManagerClosed),
        };
        let application = &self.surroundings.application;
        if catch_unwind(AssertUnwindSafe(|| application.ended(&self, end))).is_err() {
            tracing::error!(manager = %self.id, "the application panicked when its manager ended");
        }
    }

    async fn handle_letters(self: &Arc<Self>) -> std::convert::Infallible {
        let application = &self.surroundings.application;
        loop {
            match self.mailbox.next(|| self.now()).await {
                Letter::Attached(peer) => application.attached(self, &peer),
                Letter::Detached(peer, reason) => application.detached(self, &peer, reason),
                Letter::Message(from, message) => application.message(self, from, message).await,
                // Nobody waits any more: the probe's deadline passed.
                Letter::Noop(answer) => drop(answer.send(())),
            }
        }
    }
}

/// How the activity stream calls an end.
fn end_event(reason: CloseReason, standing: Standing) -> Event {
    match reason {
        CloseReason::Evicted(cause) => Event::Evict {
            tier: match cause {
                EvictionCause::Cleanup(tier) => Some(tier),
                EvictionCause::TemporarySlotExpired | EvictionCause::Requested => None,
            },
            decision: None,
        },
        // Nobody came back to it: its peer is gone.
        _ if matches!(standing, Standing::Expired | Standing::NeverAttached) => Event::Die,
        _ => Event::Close,
    }
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manager")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
