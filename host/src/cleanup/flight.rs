//! One cleanup per user at a time: the first to ask starts it, the others wait for its result.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::driver::Cleanup;
use crate::types::UserId;

/// The cleanups that run now.
#[derive(Debug, Default, Clone)]
pub(super) struct Flights {
    // Held for a map operation.
    running: Arc<Mutex<HashMap<Whose, Running>>>,
    node: Arc<tokio::sync::Mutex<()>>,
}

/// Whose cleanup it is: a user's, or the node's.
type Whose = Option<UserId>;

#[derive(Debug)]
struct Running {
    waiting: u32,
    result: Arc<Landed>,
}

/// The result of a cleanup, once there is one. Those who wait are told in the order in which they
/// came, so that whoever came first is the first to take what was freed.
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

/// A place in a running cleanup.
#[derive(Debug)]
pub(super) struct Flight {
    flights: Flights,
    whose: Whose,
    result: Arc<Landed>,
}

/// The duty to end a cleanup. Dropped without a result, it ends it with an empty one, so that a
/// panic keeps nobody waiting.
#[derive(Debug)]
pub(super) struct Landing {
    flights: Flights,
    whose: Whose,
    result: Arc<Landed>,
}

impl Flights {
    /// Joins the cleanup of a user, or of the node; if none runs, the caller has to run it and land
    /// it.
    pub(super) fn join(&self, user: Option<&UserId>) -> (Flight, Option<Landing>) {
        let (mut running, whose) = (self.running.lock(), user.cloned());
        let flight = |result| Flight {
            flights: self.clone(),
            whose: whose.clone(),
            result,
        };
        if let Some(other) = running.get_mut(&whose) {
            other.waiting += 1;
            return (flight(other.result.clone()), None);
        }
        let result = Arc::<Landed>::default();
        running.insert(
            whose.clone(),
            Running {
                waiting: 1,
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

    /// The turn to clean up the node: one at a time, each looking at what the last one left.
    pub(super) async fn node(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.node.lock().await
    }

    #[cfg(test)]
    pub(super) fn running(&self) -> usize {
        self.running.lock().len()
    }
}

impl Flight {
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

impl Drop for Flight {
    fn drop(&mut self) {
        // Who gave up needs no room any more.
        if let Some(running) = self.flights.running.lock().get_mut(&self.whose) {
            running.waiting = running.waiting.saturating_sub(1);
        }
    }
}

impl Landing {
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

impl Drop for Landing {
    fn drop(&mut self) {
        // The next to ask starts a new one, whoever still reads the old result.
        self.flights.running.lock().remove(&self.whose);
        self.result.set(Arc::default());
    }
}
