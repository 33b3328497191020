//! Tasks that are named, counted and waited for. Nothing is spawned any other way.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// How long a supervised worker rests before it is started again after a panic.
pub(crate) const RESTART_DELAY: Duration = Duration::from_millis(100);

/// A counted set of tasks that ends as a whole.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }
}

impl Tasks {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a future as a task of this set, in a span of that name.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub fn spawn<F>(&self, name: &'static str, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let span = tracing::debug_span!("task", name);
        tokio::spawn(self.tracker.track_future(future.instrument(span)))
    }

    /// Fires when the set is to end.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Tells every task that watches [`Tasks::stopping`] to end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// How many run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Waits until none is left, at most so long. True if none is left.
    pub async fn wait(&self, at_most: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(at_most, self.tracker.wait())
            .await
            .is_ok()
    }
}

/// Keeps background workers running, and says so when one is not.
///
/// A worker that panics is started again; while it is down, [`Supervisor::down`] names it, and
/// with it the health endpoint.
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    down: Arc<Mutex<Vec<&'static str>>>,
    restarts: Arc<AtomicUsize>,
}

impl Supervisor {
    /// Runs `worker` until the set stops, restarting it after a panic or an early end.
    pub fn run<W, F>(&self, tasks: &Tasks, name: &'static str, worker: W)
    where
        W: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (this, stop) = (self.clone(), tasks.stopping());
        tasks.spawn(name, async move {
            loop {
                let ended = std::panic::AssertUnwindSafe(worker()).catch_unwind();
                let panicked = tokio::select! {
                    () = stop.cancelled() => return,
                    ended = ended => ended.is_err(),
                };
                tracing::error!(
                    worker = name,
                    panicked,
                    "background worker stopped; restarting it"
                );
                this.restarts.fetch_add(1, Ordering::Relaxed);
                this.down.lock().push(name);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(RESTART_DELAY) => {}
                }
                this.down.lock().retain(|other| *other != name);
            }
        });
    }

    /// The workers that are not running at this moment.
    #[must_use]
    pub fn down(&self) -> Vec<&'static str> {
        self.down.lock().clone()
    }

    /// How often a worker had to be started again.
    #[must_use]
    pub fn restarts(&self) -> usize {
        self.restarts.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// M12: a stopped worker is visible at once, and is brought back.
    #[tokio::test(start_paused = true)]
    async fn a_panicking_worker_is_named_and_restarted() {
        let (tasks, supervisor) = (Tasks::new(), Supervisor::default());
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        supervisor.run(&tasks, "sweeper", move || {
            let runs = counted.clone();
            async move {
                if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                    panic!("first run fails");
                }
                std::future::pending::<()>().await;
            }
        });
        tokio::task::yield_now().await;
        assert_eq!(supervisor.down(), ["sweeper"]);
        tokio::time::sleep(RESTART_DELAY * 2).await;
        assert_eq!(supervisor.down(), Vec::<&str>::new());
        assert_eq!((runs.load(Ordering::SeqCst), supervisor.restarts()), (2, 1));
        tasks.stop();
        assert!(tasks.wait(Duration::from_secs(1)).await);
    }
}
