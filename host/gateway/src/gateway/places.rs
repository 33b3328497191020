//! Places for the connections of one listener, and what stands beside them: sockets that wait for a
//! place, that are refused, or that give theirs up before they are closed.
//!
//! Whatever stands beside is bounded too, because each is a descriptor; the reserve of descriptors is
//! made for it. A socket that finds no place waits at most as long as an admission may take, while
//! managers that are gone are asked for theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::spare::Spare;
use crate::admission::Admission;
use crate::manager::PlaceGuard;

/// How long a socket still waits for a place once no idle connection is left that could give its own.
const LAST_WAIT: Duration = Duration::from_millis(100);

/// Places of one listener.
#[derive(Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    /// For sockets that wait for a place. Apart from the others, so that clients that do not take their
    /// refusal keep none from waiting.
    room: Arc<Semaphore>,
    /// For sockets that are refused, or that gave their place up and are not closed yet.
    leaving: Arc<Semaphore>,
    /// For connections whose requests are handed on, which are no WebSockets.
    #[cfg(feature = "upstream")]
    plain: Arc<Semaphore>,
    /// Sockets that wait for a place now.
    waiting: AtomicU32,
    /// Connections between two requests end when this fires: a new connection needs a place.
    needed: Notify,
    count: usize,
    /// A lock, because the accept loop takes it out of what is shared; held for that once.
    spare: Mutex<Option<Spare>>,
}

/// A place among the node's connections, from accept to the end of the upgraded connection.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionSlot(Arc<Held>);

/// What a socket holds.
#[derive(Debug)]
struct Held {
    /// A lock, because any task may ask the connection to close; held for one exchange.
    permit: Mutex<OwnedSemaphorePermit>,
    places: Arc<Places>,
}

/// A socket that waits, counted.
struct Waiter(Arc<Places>);

impl Waiter {
    fn new(places: &Arc<Places>) -> Self {
        places.waiting.fetch_add(1, Ordering::Relaxed);
        Self(places.clone())
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    /// So many places, and so many sockets beside them: half of them may wait, half may be about to go.
    #[must_use]
    pub fn new(count: usize, beside: usize) -> Arc<Self> {
        Arc::new(Self::of(count, beside))
    }

    /// The same, and so many for connections whose requests are handed on.
    #[cfg(feature = "upstream")]
    #[must_use]
    pub fn with_plain(count: usize, beside: usize, plain: usize) -> Arc<Self> {
        Arc::new(Self {
            plain: bounded(plain),
            ..Self::of(count, beside)
        })
    }

    fn of(count: usize, beside: usize) -> Self {
        Self {
            free: bounded(count),
            room: bounded(beside / 2),
            leaving: bounded(beside.div_ceil(2)),
            #[cfg(feature = "upstream")]
            plain: bounded(0),
            waiting: AtomicU32::new(0),
            needed: Notify::new(),
            count,
            spare: Mutex::new(Some(Spare::new())),
        }
    }

    /// How many there are, taken ones included.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// How many are not taken.
    pub(super) fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// The spare descriptor, for the accept loop.
    pub(super) fn spare(&self) -> Spare {
        self.spare.lock().take().unwrap_or_else(Spare::new)
    }

    /// A place, if one is free and no other socket waits for it.
    pub(super) fn take(self: &Arc<Self>) -> Option<ConnectionSlot> {
        let permit = self.free.clone().try_acquire_owned().ok()?;
        Some(self.slot(permit))
    }

    /// Leave to wait for a place.
    pub(super) fn may_wait(&self) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_owned().ok()
    }

    /// Leave to stay open for a while without a place.
    pub(super) fn may_linger(&self) -> Option<OwnedSemaphorePermit> {
        self.leaving.clone().try_acquire_owned().ok()
    }

    /// Completes when a socket needs a place.
    pub(super) async fn needed(&self) {
        self.needed.notified().await;
    }

    /// Waits for a place: connections between two requests end, and managers that are gone give theirs up.
    /// None if that came to nothing.
    pub(super) async fn wait(
        self: &Arc<Self>,
        admission: &Arc<Admission>,
    ) -> Option<ConnectionSlot> {
        let waiter = Waiter::new(self);
        self.needed.notify_waiters();
        let waiting = {
            let places = self.clone();
            Arc::new(move || places.waiting.load(Ordering::Relaxed))
        };
        let mut permit = std::pin::pin!(self.free.clone().acquire_owned());
        let freed = async {
            // One that comes after a cleanup began has one of its own.
            while admission.make_room_for_connections(waiting.clone()).await {}
        };
        let found = tokio::time::timeout(admission.budget(), async {
            tokio::select! {
                biased;
                permit = permit.as_mut() => return permit.ok(),
                () = freed => {}
            }
            // Connections between two requests are about to end.
            let last = tokio::time::timeout(LAST_WAIT, permit).await;
            last.ok()?.ok()
        });
        let permit = found.await.ok().flatten()?;
        drop(waiter);
        Some(self.slot(permit))
    }

    fn slot(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> ConnectionSlot {
        ConnectionSlot(Arc::new(Held {
            permit: Mutex::new(permit),
            places: self.clone(),
        }))
    }
}

/// So many places.
fn bounded(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
}

impl ConnectionSlot {
    /// Gives the place to a WebSocket, for one among connections whose requests are handed on. False if
    /// there are too many of those.
    #[cfg(feature = "upstream")]
    pub(super) fn step_aside(&self) -> bool {
        self.0.exchange(&self.0.places.plain)
    }

    /// Takes a place of a WebSocket again. False if there is none.
    pub(super) fn step_back(&self) -> bool {
        self.0.exchange(&self.0.places.free)
    }

    /// For the port of the connection that has the place.
    pub(super) fn place(&self) -> std::sync::Weak<dyn PlaceGuard> {
        let held: Arc<dyn PlaceGuard> = self.0.clone();
        Arc::downgrade(&held)
    }
}

impl Held {
    /// Holds a place of these instead. False if there is none.
    fn exchange(&self, of: &Arc<Semaphore>) -> bool {
        let Ok(other) = of.clone().try_acquire_owned() else {
            return false;
        };
        let before = std::mem::replace(&mut *self.permit.lock(), other);
        drop(before);
        true
    }
}

impl PlaceGuard for Held {
    /// The place is free at once, and the socket stands beside it until it is closed. Where too many do,
    /// the place is free when it is closed.
    fn leave(&self) {
        if let Some(leaving) = self.places.may_linger() {
            let place = std::mem::replace(&mut *self.permit.lock(), leaving);
            drop(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_as_soon_as_its_connection_is_asked_to_close() {
        let places = Places::new(1, 2);
        let first = places.take().unwrap();
        assert!(places.take().is_none());
        first.0.leave();
        let second = places.take().unwrap();
        // The first has not been closed yet: the next one has to be.
        second.0.leave();
        assert!(places.take().is_none());
        drop(first);
        assert!(places.take().is_none() && places.may_linger().is_some());
        drop(second);
        assert!(places.take().is_some());
    }

    /// S10: a connection that is no WebSocket takes none of its places.
    #[cfg(feature = "upstream")]
    #[test]
    fn s10_a_connection_that_hands_requests_on_has_a_place_of_its_own_kind() {
        let places = Places::with_plain(1, 2, 1);
        let one = places.take().unwrap();
        assert!(one.step_aside());
        let two = places.take().unwrap();
        assert!(!two.step_aside(), "one of that kind, and there is one");
        assert!(!one.step_back(), "the place is taken by now");
        drop(two);
        assert!(one.step_back() && places.take().is_none());
    }

    #[test]
    fn a_place_is_given_up_once() {
        let places = Places::new(2, 4);
        let one = places.take().unwrap();
        one.0.leave();
        one.0.leave();
        let (_a, _b) = (places.take().unwrap(), places.take().unwrap());
        assert!(places.take().is_none());
    }
}
