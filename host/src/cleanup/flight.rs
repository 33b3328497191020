//! One cleanup per user at a time: the first to ask starts it, the others wait for its result.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::driver::Cleanup;
use crate::types::UserId;

/// The cleanups that run now.
#[derive(Debug, Default, Clone)]
pub(super) struct Flights {
    // Held for a map operation.
    running: Arc<Mutex<HashMap<UserId, Running>>>,
    node: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Running {
    waiting: u32,
    result: watch::Receiver<Option<Arc<Cleanup>>>,
}

/// A place in a running cleanup.
#[derive(Debug)]
pub(super) struct Flight {
    flights: Flights,
    user: UserId,
    result: watch::Receiver<Option<Arc<Cleanup>>>,
}

/// The duty to end a cleanup. Dropped without a result, it ends it with an empty one, so that a
/// panic keeps nobody waiting.
#[derive(Debug)]
pub(super) struct Landing {
    flights: Flights,
    user: UserId,
    result: watch::Sender<Option<Arc<Cleanup>>>,
}

impl Flights {
    /// Joins the user's cleanup; if none runs, the caller has to run it and land it.
    pub(super) fn join(&self, user: &UserId) -> (Flight, Option<Landing>) {
        let mut running = self.running.lock();
        let flight = |result| Flight {
            flights: self.clone(),
            user: user.clone(),
            result,
        };
        if let Some(other) = running.get_mut(user) {
            other.waiting += 1;
            return (flight(other.result.clone()), None);
        }
        let (sender, result) = watch::channel(None);
        running.insert(
            user.clone(),
            Running {
                waiting: 1,
                result: result.clone(),
            },
        );
        let landing = Landing {
            flights: self.clone(),
            user: user.clone(),
            result: sender,
        };
        (flight(result), Some(landing))
    }

    /// The turn to clean up the node: one at a time, each looking at what the last one left.
    pub(super) async fn node(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.node.lock().await
    }

    /// How many cleanups run.
    pub(super) fn running(&self) -> usize {
        self.running.lock().len()
    }
}

impl Flight {
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

impl Drop for Flight {
    fn drop(&mut self) {
        // Who gave up needs no room any more.
        if let Some(running) = self.flights.running.lock().get_mut(&self.user) {
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
            .get(&self.user)
            .map_or(0, |running| running.waiting)
    }

    /// Ends the cleanup with a result.
    pub(super) fn land(self, cleanup: Cleanup) {
        self.result.send_replace(Some(Arc::new(cleanup)));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        // The next to ask starts a new one, whoever still reads the old result.
        self.flights.running.lock().remove(&self.user);
        self.result.send_if_modified(|result| {
            let unset = result.is_none();
            if unset {
                *result = Some(Arc::default());
            }
            unset
        });
    }
}
