//! One cleanup per user at a time, and one of the node: the first to ask starts it, the others wait
//! for its result.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::driver::Cleanup;

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
    result: watch::Receiver<Option<Arc<Cleanup>>>,
}

/// A place in a running cleanup.
#[derive(Debug)]
pub(super) struct Flight<K: Eq + Hash> {
    flights: Flights<K>,
    whose: K,
    result: watch::Receiver<Option<Arc<Cleanup>>>,
}

/// The duty to end a cleanup. Dropped without a result, it ends it with an empty one, so that a
/// panic keeps nobody waiting.
#[derive(Debug)]
pub(super) struct Landing<K: Eq + Hash> {
    flights: Flights<K>,
    whose: K,
    result: watch::Sender<Option<Arc<Cleanup>>>,
}

impl<K: Eq + Hash + Clone> Flights<K> {
    /// Joins the cleanup; if none runs, the caller has to run it and land it.
    pub(super) fn join(&self, whose: &K) -> (Flight<K>, Option<Landing<K>>) {
        let mut running = self.running.lock();
        let flight = |result| Flight {
            flights: self.clone(),
            whose: whose.clone(),
            result,
        };
        if let Some(other) = running.get_mut(whose) {
            other.waiting += 1;
            return (flight(other.result.clone()), None);
        }
        let (sender, result) = watch::channel(None);
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
            result: sender,
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
    pub(super) async fn landed(mut self) -> Arc<Cleanup> {
        loop {
            if let Some(cleanup) = self.result.borrow_and_update().clone() {
                return cleanup;
            }
            if self.result.changed().await.is_err() {
                return Arc::default();
            }
        }
    }
}

impl<K: Eq + Hash> Drop for Flight<K> {
    fn drop(&mut self) {
        // Who gave up needs no room any more. The next flight has nothing to do with us.
        if let Some(running) = self.flights.running.lock().get_mut(&self.whose)
            && running.result.same_channel(&self.result)
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
        self.result.send_replace(Some(Arc::new(cleanup)));
    }
}

impl<K: Eq + Hash> Drop for Landing<K> {
    fn drop(&mut self) {
        // The next to ask starts a new one, whoever still reads the old result.
        self.flights.running.lock().remove(&self.whose);
        self.result.send_if_modified(|result| {
            let unset = result.is_none();
            if unset {
                *result = Some(Arc::default());
            }
            unset
        });
    }
}
