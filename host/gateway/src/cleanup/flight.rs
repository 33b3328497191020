//! One cleanup of a kind per user at a time, and one of the node: the first to ask starts it, the others
//! wait for its result.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::run::Cleanup;

/// The cleanups that run now, each for one `K`.
#[derive(Debug)]
pub(super) struct Flights<K> {
    // Held for a map operation.
    running: Arc<Mutex<HashMap<K, Running>>>,
}

impl<K> Default for Flights<K> {
    fn default() -> Self {
        Self {
            running: Arc::default(),
        }
    }
}

impl<K> Clone for Flights<K> {
    fn clone(&self) -> Self {
        Self {
            running: self.running.clone(),
        }
    }
}

#[derive(Debug)]
struct Running {
    waiting: u32,
    result: Arc<Landed>,
}

/// The result of a cleanup, once there is one. Those who wait are woken in the order in which they
/// came, which a watch channel does not promise: the first to come takes what was freed.
#[derive(Debug, Default)]
struct Landed {
    cleanup: OnceLock<Arc<Cleanup>>,
    notify: Notify,
}

impl Landed {
    fn set(&self, cleanup: Arc<Cleanup>) {
        self.cleanup.get_or_init(|| cleanup);
        self.notify.notify_waiters();
    }
}

/// Why a caller joins a cleanup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JoinReason {
    /// To make room for a newcomer, or for the node.
    Room,
    /// So that it is made at all.
    Order,
}

/// A place in a running cleanup.
#[derive(Debug)]
pub(super) struct Flight<K: Eq + Hash> {
    flights: Flights<K>,
    whose: K,
    join_reason: JoinReason,
    result: Arc<Landed>,
}

/// The duty to end a cleanup. Dropped without a result, it ends it with an empty one, so that a
/// panic keeps no admission waiting.
#[derive(Debug)]
pub(super) struct Landing<K: Eq + Hash> {
    flights: Flights<K>,
    whose: K,
    result: Arc<Landed>,
}

impl<K: Eq + Hash + Clone> Flights<K> {
    /// Joins the cleanup; if none runs, the caller has to run it and land it.
    pub(super) fn join(
        &self,
        whose: &K,
        join_reason: JoinReason,
    ) -> (Flight<K>, Option<Landing<K>>) {
        let mut running = self.running.lock();
        let flight = |result| Flight {
            flights: self.clone(),
            whose: whose.clone(),
            join_reason,
            result,
        };
        let more = u32::from(join_reason == JoinReason::Room);
        if let Some(other) = running.get_mut(whose) {
            other.waiting += more;
            return (flight(other.result.clone()), None);
        }
        let result = Arc::<Landed>::default();
        running.insert(
            whose.clone(),
            Running {
                waiting: more,
                result: result.clone(),
            },
        );
        let landing = Landing {
            flights: self.clone(),
            whose: whose.clone(),
            result: result.clone(),
        };
        (flight(result), Some(landing))
    }

    /// How many cleanups run.
    pub(super) fn running(&self) -> usize {
        self.running.lock().len()
    }
}

impl<K: Eq + Hash> Flight<K> {
    /// Waits for the result.
    pub(super) async fn landed(self) -> Arc<Cleanup> {
        loop {
            // Ask before looking, so that a landing in between is not missed.
            let notified = self.result.notify.notified();
            if let Some(cleanup) = self.result.cleanup.get() {
                return cleanup.clone();
            }
            notified.await;
        }
    }
}

impl<K: Eq + Hash> Drop for Flight<K> {
    fn drop(&mut self) {
        // Who gave up needs no room any more. The next flight has nothing to do with us.
        if let Some(running) = self.flights.running.lock().get_mut(&self.whose)
            && self.join_reason == JoinReason::Room
            && Arc::ptr_eq(&running.result, &self.result)
        {
            running.waiting = running.waiting.saturating_sub(1);
        }
    }
}

impl<K: Eq + Hash> Landing<K> {
    /// How many wait for room.
    pub(super) fn waiting(&self) -> u32 {
        self.flights
            .running
            .lock()
            .get(&self.whose)
            .map_or(0, |running| running.waiting)
    }

    /// Ends the cleanup with a result.
    pub(super) fn land(self, cleanup: Cleanup) {
        self.result.set(Arc::new(cleanup));
    }
}

impl<K: Eq + Hash> Drop for Landing<K> {
    fn drop(&mut self) {
        // The next to ask starts a new one, whoever still reads the old result.
        self.flights.running.lock().remove(&self.whose);
        self.result.set(Arc::default());
    }
}
