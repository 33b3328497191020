//! How long nothing may move. A body that is not read is not asked for its next part, so it cannot look
//! at the time by itself: a task beside it does, and hangs up on both sides.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::gateway::config::Config;
use crate::tasks::Tasks;
use wastegate_core::types::{Clock, Timestamp};

/// When something moved last, in either direction.
#[derive(Clone)]
pub(super) struct Progress {
    clock: Clock,
    /// Microseconds of our clock.
    last: Arc<AtomicU64>,
}

impl Progress {
    pub(super) fn new(clock: Clock) -> Self {
        let last = Arc::new(AtomicU64::new(clock.now().micros()));
        Self { clock, last }
    }

    pub(super) fn moved(&self) {
        let now = self.clock.now().micros();
        self.last.store(now, Ordering::Relaxed);
    }

    /// Until nothing has moved for so long.
    async fn still_for(&self, limit: Duration) {
        loop {
            let last = Timestamp::from_micros(self.last.load(Ordering::Relaxed));
            let now = self.clock.now();
            let still = now.since(last);
            if still >= limit {
                return;
            }
            tokio::time::sleep(limit.saturating_sub(still)).await;
        }
    }
}

/// That a body is on its way; dropped, it has come to its end.
pub(super) struct Done {
    _dropped: oneshot::Sender<()>,
}

/// For how long what is waited for.
pub(super) struct Watch {
    head_timeout: Duration,
    idle: Duration,
    spread: Duration,
    stop: CancellationToken,
}

impl Watch {
    pub(super) fn new(config: &Config, tasks: &Tasks) -> Self {
        Self {
            head_timeout: config.http.head_timeout,
            idle: config.http.idle,
            spread: config.drain_spread,
            stop: tasks.stopping(),
        }
    }

    /// Until an answer is not waited for any more, and why.
    pub(super) async fn late(&self, progress: &Progress, is_sent: Arc<AtomicBool>) -> Failure {
        let is_sent = || is_sent.load(Ordering::Relaxed);
        // A client that is still sending has as long as one that receives.
        let still = async {
            loop {
                progress.still_for(self.head_timeout.min(self.idle)).await;
                if is_sent() {
                    progress.still_for(self.head_timeout).await;
                    return Failure::Late(self.head_timeout);
                }
                progress.still_for(self.idle).await;
                if !is_sent() {
                    return Failure::Upload;
                }
            }
        };
        tokio::select! {
            failure = still => failure,
            () = stopped(self.stop.clone(), self.spread) => Failure::Stopping,
        }
    }

    /// Hangs up when nothing has moved for too long, or the server has stopped for as long as it tells
    /// its clients to go.
    pub(super) fn streaming(
        &self,
        tasks: &Tasks,
        progress: Progress,
        cut: &CancellationToken,
    ) -> Done {
        let (sender, done) = oneshot::channel();
        let (idle, cut) = (self.idle, cut.clone());
        let stopped = stopped(self.stop.clone(), self.spread);
        tasks.spawn("request", async move {
            tokio::select! {
                _ = done => {}
                () = progress.still_for(idle) => cut.cancel(),
                () = stopped => cut.cancel(),
            }
        });
        Done { _dropped: sender }
    }
}

async fn stopped(stop: CancellationToken, spread: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(spread).await;
}
