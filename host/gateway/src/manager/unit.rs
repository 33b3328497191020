//! The manager itself: who is attached, who is on the way, and how it ends.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Config;
use super::application::{Peer, SharedApplication};
use super::ledgered::LedgerMark;
use super::mailbox::{Letter, Mailbox};
use super::pin::PinError;
use super::port::Port;
use crate::observe::activity::{ActivityEvent, ActivitySink as ActivityStream, BelievedPeer};
use wastegate_core::decision::Standing;
use wastegate_core::signals::{Activity, HeldBytes, Hints};
use wastegate_core::types::{
    Clock, CloseReason, ConnectionId, DecisionId, DeviceId, Eviction, EvictionCause, ManagerId,
    ManagerKey, Timestamp, UserId,
};

/// What every manager of a gateway shares.
pub struct Surroundings {
    /// Where moments come from.
    pub clock: Clock,
    /// The room's settings.
    pub config: Config,
    /// The application that handles messages of clients.
    pub application: SharedApplication,
    /// Where what happens is written down.
    pub activity: ActivityStream,
    /// What gives the managers their slots. Weak, because it holds the managers.
    slots: OnceLock<Weak<dyn Slots>>,
}

/// What gives managers their slots, as a manager knows it: the registry, which is above this room.
pub(crate) trait Slots: Send + Sync {
    /// Takes the slot away from that very manager and ends it. False if it holds none any more.
    fn evict(&self, manager: &Manager, eviction: Eviction) -> bool;
    /// Pins that very manager.
    fn pin(&self, manager: &Manager, lasting: Duration) -> Result<(), PinError>;
}

impl Surroundings {
    /// What the managers of one registry share.
    #[must_use]
    pub fn new(
        clock: Clock,
        config: Config,
        application: SharedApplication,
        activity: ActivityStream,
    ) -> Arc<Self> {
        Arc::new(Self {
            clock,
            config,
            application,
            activity,
            slots: OnceLock::new(),
        })
    }

    /// Tells managers what gives them their slots; the first call holds.
    pub(crate) fn slots_from(&self, slots: Weak<dyn Slots>) {
        let _ = self.slots.set(slots);
    }

    /// What gives the managers their slots, while it is there.
    pub(super) fn slots(&self) -> Option<Arc<dyn Slots>> {
        self.slots.get()?.upgrade()
    }
}

/// One unit that counts against its user's limit.
pub struct Manager {
    /// Which life of (user, key) this is.
    pub id: ManagerId,
    /// Whose it is.
    pub user: UserId,
    /// The manager's name among those of its user.
    pub key: ManagerKey,
    /// When it was created.
    pub created: Timestamp,
    /// What was said about it.
    pub hints: Hints,
    /// What waits for its task.
    pub mailbox: Mailbox,
    /// What a cluster's ledger knows of it.
    pub(crate) mark: LedgerMark,
    pub(super) surroundings: Arc<Surroundings>,
    // Locks, because several numbers must agree; each is held for a few loads or stores, and none
    // while another of the same manager is taken.
    pub(super) activity: Mutex<Activity>,
    pub(super) held: Mutex<HeldBytes>,
    pub(super) state: Mutex<State>,
    /// What the activity stream says of its peer.
    pub(super) believed: Mutex<BelievedPeer>,
    pub(super) closed: CancellationToken,
}

pub(super) struct State {
    pub(super) end: Option<CloseReason>,
    /// Connections that were admitted and have not attached yet.
    pub(super) pending: usize,
    pub(super) pending_since: Timestamp,
    pub(super) ports: Vec<Arc<Port>>,
    pub(super) ever_attached: bool,
    pub(super) detached_since: Option<Timestamp>,
    pub(super) reconnects: u32,
    /// Of connections that are gone.
    pub(super) bytes_before: (u64, u64),
    pub(super) errors_before: u32,
    /// The last connection that left was ended for good by one of its sides.
    pub(super) left_for_good: bool,
}

/// Why a connection could not attach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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
    /// No connection is attached or on its way.
    pub empty: bool,
    /// Its client ended it in due form, or gave it no name: no connection can come back to it.
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
            mark: LedgerMark::default(),
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
                left_for_good: false,
            }),
            believed: Mutex::new(BelievedPeer::ALIVE),
            closed: CancellationToken::new(),
            surroundings,
        });
        manager.note(now, None, ActivityEvent::Open);
        manager
    }

    /// Writes down that something happened to it.
    pub fn note(&self, now: Timestamp, device: Option<&DeviceId>, event: ActivityEvent) {
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
    pub(crate) fn connection_failed(&self) {
        let mut state = self.state.lock();
        state.pending = state.pending.saturating_sub(1);
    }

    /// Whether those that are here and those on their way, one of them of `device`, are more than it may
    /// have. Connections that are closing, and older ones of the same device, do not count.
    #[must_use]
    pub(crate) fn is_crowded(&self, device: Option<&DeviceId>) -> bool {
        let state = self.state.lock();
        let staying = |other: &&Arc<Port>| {
            !other.is_closing() && device.is_none_or(|device| other.device != *device)
        };
        let here = state.ports.iter().filter(staying).count();
        here + state.pending > self.surroundings.config.connections_max
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
            // Looked at once: a connection may begin to close at any moment, also in between.
            let staying = state
                .ports
                .iter()
                .filter(|other| !other.is_closing() && !other.has_left());
            let (older, others): (Vec<_>, Vec<_>) = staying
                .cloned()
                .partition(|other| other.device == port.device);
            if others.len() >= self.surroundings.config.connections_max {
                return Err(AttachError::TooMany(others.len()));
            }
            if state.ever_attached {
                state.reconnects = state.reconnects.saturating_add(1);
            }
            state.ever_attached = true;
            state.detached_since = None;
            state.left_for_good = false;
            state.ports.push(port.clone());
            older
        };
        for port in older {
            port.supersede();
        }
        self.note(now, Some(&port.device), ActivityEvent::Attach);
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
        let (port, is_deserted, left) = {
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
                state.left_for_good = reason.is_for_good();
            }
            (
                port,
                state.ports.is_empty(),
                Left {
                    empty,
                    for_good: reason.is_for_good()
                        || self.key.is_unnamed()
                        || self.config().reconnect_grace.is_zero(),
                },
            )
        };
        self.sample_held(now);
        if let Some(port) = port {
            // Also where another is on its way: it may never come.
            if is_deserted && self.end().is_none() {
                self.note(now, Some(&port.device), ActivityEvent::Detach);
            }
            let peer = Peer {
                connection,
                device: port.device.clone(),
            };
            // A manager that hangs does not hear of it; the next that attaches closes it for that.
            let _ = self.mailbox.post(now, Letter::Detached(peer, reason));
        }
        left
    }

    /// Completes once it has ended.
    pub async fn ended(&self) {
        self.closed.cancelled().await;
    }

    /// Asks the connection of a device to make room for a newer one, if it has one.
    pub(crate) fn take_over(&self, device: &DeviceId) -> bool {
        let port = {
            let state = self.state.lock();
            state
                .ports
                .iter()
                .find(|port| port.device == *device)
                .cloned()
        };
        if let Some(port) = &port {
            port.close(CloseReason::TakenOver);
        }
        port.is_some()
    }

    /// Ends the manager: it takes nothing any more, and its connections are asked to close. The
    /// first reason stands. Returns the connections that were still there.
    pub fn close(&self, reason: CloseReason) -> Vec<Arc<Port>> {
        self.finish(reason, None)
    }

    /// The same by an eviction, which the activity stream names by its decision if there is one.
    pub(crate) fn end_by(&self, eviction: Eviction) -> Vec<Arc<Port>> {
        self.finish(eviction.reason(), eviction.decision)
    }

    fn finish(&self, reason: CloseReason, decision: Option<DecisionId>) -> Vec<Arc<Port>> {
        let (ports, first, reason) = {
            let mut state = self.state.lock();
            let first = state.end.is_none();
            // The later caller, such as the manager's own task as it ends, may get to the ports
            // first: they hear the first reason all the same.
            let reason = *state.end.get_or_insert(reason);
            (state.ports.clone(), first, reason)
        };
        if first {
            let now = self.now();
            let standing = self.standing(now);
            // A Close of its client is its client's will, also where nothing waits for it to come back.
            let is_lost = matches!(standing, Standing::Expired | Standing::NeverAttached)
                && !self.state.lock().left_for_good;
            self.note(now, None, end_event(reason, decision, is_lost));
        }
        self.mailbox.close();
        self.closed.cancel();
        for port in &ports {
            port.close(reason);
        }
        ports
    }
}

/// How the activity stream calls an end. `is_lost` where no client came back to it, or none ever came.
fn end_event(reason: CloseReason, decision: Option<DecisionId>, is_lost: bool) -> ActivityEvent {
    match reason {
        CloseReason::Evicted(cause) | CloseReason::Displaced(cause) => ActivityEvent::Evict {
            tier: match cause {
                EvictionCause::Cleanup(tier) => Some(tier),
                EvictionCause::TemporarySlotExpired
                | EvictionCause::Requested
                | EvictionCause::Blocked => None,
            },
            decision,
        },
        // Its peer is gone.
        CloseReason::Unresponsive => ActivityEvent::Die,
        // No client came back to it: its peer is gone.
        _ if is_lost => ActivityEvent::Die,
        _ => ActivityEvent::Close,
    }
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manager")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
