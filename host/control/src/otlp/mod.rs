//! Spans for an OpenTelemetry collector, over OTLP: protobuf in HTTP requests.
//!
//! An [`Exporter`] is a [`SpanSink`]: it queues spans that have ended and sends them in batches. Nothing waits for
//! the collector. While it does not answer, the queue fills; then spans are dropped and counted, and one log line
//! a minute says why.
//!
//! The messages are those of the package `opentelemetry-proto`. OpenTelemetry's own exporter is not used: it
//! reads the environment, says nothing of what it drops, and brings an HTTP client of its own. gRPC is not
//! spoken, because every collector also takes HTTP.
//!
//! Not here: what a span is about (the rooms of the gateway say that).

mod config;
mod encode;
mod metrics;
mod send;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

pub use config::Config;
pub use metrics::Metrics;

use self::encode::Origin;
use self::metrics::Drops;
use self::send::Collector;
use wastegate::observe::{SpanRecord, SpanSink, Throttle};
use wastegate_core::stats::random_draw::unit;
use wastegate_core::types::Clock;
use wastegate_core::types::time::doubled;

/// The most spans in one request.
pub const BATCH_SPANS_MAX: usize = 512;
/// How long a span waits at the most before its batch is sent.
const BATCH_EVERY: Duration = Duration::from_secs(1);
/// How often a batch is tried before its spans are dropped.
const ATTEMPTS_MAX: u32 = 3;
/// The pause after the first attempt. It doubles with each.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two attempts, also where the collector asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Between two log lines about a collector that does not take spans.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Sends spans to one collector. Share it as an `Arc`.
pub struct Exporter {
    collector: Collector,
    origin: Origin,
    spans_max: usize,
    timeout: Duration,
    metrics: Metrics,
    clock: Clock,
    // A lock, because any task ends spans; held for an exchange of a few pointers.
    queue: Mutex<VecDeque<SpanRecord>>,
    /// A batch is complete.
    is_full: Notify,
    /// One request at a time.
    turn: Semaphore,
    lines: Throttle<()>,
}

/// Spans on their way. Those that were neither sent nor given up return to the queue.
struct Batch<'a> {
    exporter: &'a Exporter,
    spans: Vec<SpanRecord>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let mut queue = self.exporter.queue.lock();
        for span in self.spans.drain(..).rev() {
            queue.push_front(span);
        }
    }
}

impl SpanSink for Exporter {
    fn ended(&self, span: SpanRecord) {
        let mut queue = self.queue.lock();
        if queue.len() >= self.spans_max {
            drop(queue);
            self.metrics.dropped(Drops::QueueFull, 1);
            return;
        }
        queue.push_back(span);
        let is_full = queue.len() >= BATCH_SPANS_MAX;
        drop(queue);
        if is_full {
            self.is_full.notify_one();
        }
    }
}

impl Exporter {
    /// One that has sent nothing yet; none where no endpoint is set. `node` is this node's name
    /// (`server.node`).
    ///
    /// # Errors
    /// Why no HTTP client can be made.
    pub fn new(
        config: Config,
        node: &str,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Option<Arc<Self>>, reqwest::Error> {
        let Some(collector) = Collector::new(&config)? else {
            return Ok(None);
        };
        Ok(Some(Arc::new(Self {
            collector,
            origin: Origin {
                service: config.service,
                node: node.to_owned(),
            },
            spans_max: config.queue_spans_max,
            timeout: config.timeout,
            metrics,
            clock,
            queue: Mutex::default(),
            is_full: Notify::new(),
            turn: Semaphore::new(1),
            lines: Throttle::new(LOG_EVERY),
        })))
    }

    /// Sends spans from now on, for ever. To be kept running by a supervisor.
    pub async fn run(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(BATCH_EVERY) => {}
                () = self.is_full.notified() => {}
            }
            self.flush().await;
        }
    }

    /// Sends what is queued. Waits as long as the collector takes for it, retries included.
    pub async fn flush(&self) {
        // Never closed.
        let Ok(_turn) = self.turn.acquire().await else {
            return;
        };
        while let Some(batch) = self.next() {
            self.deliver(batch).await;
        }
    }

    /// How long a request may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Spans that will not be sent any more, because the program ends.
    pub fn give_up(&self) {
        let left = std::mem::take(&mut *self.queue.lock()).len();
        self.metrics.dropped(Drops::NotTaken, left as u64);
    }

    fn next(&self) -> Option<Batch<'_>> {
        let spans: Vec<_> = {
            let mut queue = self.queue.lock();
            let count = queue.len().min(BATCH_SPANS_MAX);
            queue.drain(..count).collect()
        };
        // Its drop takes the lock too.
        (!spans.is_empty()).then(|| Batch {
            exporter: self,
            spans,
        })
    }

    /// Sends a batch until it is taken, or so many times.
    async fn deliver(&self, mut batch: Batch<'_>) {
        let body = encode::body(&self.origin, &batch.spans);
        let count = batch.spans.len() as u64;
        for tries in 1..=ATTEMPTS_MAX {
            let now = self.clock.unix_ms(self.clock.now());
            let error = match self.collector.send(&body, now).await {
                Ok(rejected) => {
                    let rejected = rejected.min(count);
                    self.metrics.exported(count - rejected);
                    self.metrics.dropped(Drops::Rejected, rejected);
                    batch.spans.clear();
                    return;
                }
                Err(error) => error,
            };
            self.metrics.failed();
            if let Some(left_out) = self.lines.pass(self.clock.now(), ()) {
                tracing::warn!(%error, left_out, "the collector of `otlp.endpoint` does not take spans");
            }
            if !error.may_pass || tries == ATTEMPTS_MAX {
                break;
            }
            let usual = doubled(PAUSE, tries - 1, PAUSE_MAX);
            // Between half of it and all, so that nodes that failed together do not return together.
            let usual = usual.mul_f64(0.5 + unit(getrandom::u64().unwrap_or_default()) / 2.0);
            let asked = error.retry_after.unwrap_or_default();
            tokio::time::sleep(usual.max(asked)).await;
        }
        self.metrics.dropped(Drops::NotTaken, count);
        batch.spans.clear();
    }
}
