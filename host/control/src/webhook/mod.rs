//! Events for another service, as signed HTTP requests.
//!
//! A [`Webhook`] takes events from where they are kept anyway: refusals, evictions and pressure from
//! [`why::Memory`](crate::why::Memory), quarantines and rollbacks from the audit log, and the drain from the
//! server. So it has no queue of its own: while the service does not answer, events wait in those memories, and what
//! they drop meanwhile is counted as missed. Requests are signed as the Standard Webhooks specification says
//! (symmetric signatures, `v1`).
//!
//! Not here: what happens to an event in the service, and names of users where they are to stay here.

mod body;
mod config;
mod metrics;
mod send;
mod sign;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use config::{Config, WebhookKind};
pub use metrics::Metrics;
pub use sign::{SECRET_BYTES_MIN, is_secret};

use self::body::Batch;
use self::send::Sender;
use crate::rollout::AuditLog;
use crate::why::{EventFilter, Memory};
use wastegate::observe::pseudonym::Pseudonymizer;
use wastegate_core::types::Clock;

/// Between two looks at what is not announced: the audit log.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// Where events come from.
pub struct WebhookSources {
    /// Refusals, evictions, pressure.
    pub why: Arc<Memory>,
    /// Quarantines and rollbacks.
    pub audit: Arc<dyn AsRef<AuditLog> + Send + Sync>,
    /// Cancelled once the server drains.
    pub leaving: CancellationToken,
    /// Names users where their names are to stay here.
    pub pseudonyms: Pseudonymizer,
    /// This node's name (`server.node_id`).
    pub node: String,
    /// Where moments come from.
    pub clock: Clock,
    /// Drawn at random, so that no two processes give requests the same ids.
    pub seed: u64,
}

/// Sends events to one service. Share it as an `Arc`.
pub struct Webhook {
    config: Config,
    sources: WebhookSources,
    sender: Sender,
    metrics: Metrics,
    /// How many requests were made up.
    requests: AtomicU64,
    /// Held while events are delivered.
    read: Mutex<Read>,
}

/// How far the sources were read.
struct Read {
    why: u64,
    audit: u64,
    has_left: bool,
    /// Something was dropped that was not read, and no request has said so yet.
    is_behind: bool,
}

impl Webhook {
    /// One that sends nothing yet; none where no URL is set.
    ///
    /// # Errors
    /// Why no HTTP client can be made.
    pub fn new(
        config: Config,
        sources: WebhookSources,
        metrics: Metrics,
    ) -> Result<Option<Arc<Self>>, reqwest::Error> {
        let Some(sender) = Sender::new(&config)? else {
            return Ok(None);
        };
        let read = Read {
            why: sources.why.last(),
            audit: (*sources.audit).as_ref().last(),
            has_left: false,
            is_behind: false,
        };
        Ok(Some(Arc::new(Self {
            requests: AtomicU64::new(0),
            read: Mutex::new(read),
            config,
            sources,
            sender,
            metrics,
        })))
    }

    /// Sends what happens from now on, for ever. To be kept running by a supervisor.
    pub async fn run(self: Arc<Self>) {
        let Self { sources, .. } = &*self;
        let mut news = sources.why.news();
        loop {
            news.mark_unchanged();
            let has_left = sources.leaving.is_cancelled();
            self.flush().await;
            tokio::select! {
                _ = news.changed() => {}
                () = sources.leaving.cancelled(), if !has_left => {}
                () = tokio::time::sleep(LOOKS_EVERY) => {}
            }
        }
    }

    /// Sends what is not sent yet, the drain included. Waits as long as the service takes for it, retries included.
    pub async fn flush(&self) {
        let mut read = self.read.lock().await;
        while let Some(batch) = self.next(&mut read) {
            self.deliver(batch).await;
        }
    }

    /// How long a request may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.config.timeout
    }

    /// The next events, if there are some.
    fn next(&self, read: &mut Read) -> Option<Batch> {
        let WebhookSources {
            why,
            audit,
            leaving,
            pseudonyms,
            node,
            clock,
            ..
        } = &self.sources;
        let mut batch = Batch::new(node, clock.unix_ms(clock.now()));
        if leaving.is_cancelled() && !std::mem::replace(&mut read.has_left, true) {
            batch.draining(&self.config);
        }
        for entry in (**audit).as_ref().recent(read.audit, usize::MAX) {
            // The log of a process that begins has no number before its first.
            read.is_behind |= read.audit > 0 && entry.seq > read.audit + 1;
            read.audit = entry.seq;
            batch.audited(&self.config, &entry);
        }
        let filter = EventFilter {
            kinds: self.config.of_memory(),
            user: None,
        };
        let found = why.after(read.why, &filter);
        read.why = found.seen;
        read.is_behind |= found.missed;
        for event in found.events {
            batch.happened(&self.config, event, pseudonyms);
        }
        if batch.is_empty() {
            return None;
        }
        batch.is_behind = std::mem::take(&mut read.is_behind);
        Some(batch)
    }

    /// Sends a batch until it is taken, or for as often as is configured.
    async fn deliver(&self, batch: Batch) {
        let begun = self.sources.why.begun_unix_ms();
        let number = self.requests.fetch_add(1, Relaxed);
        let id = format!("{:016x}-{begun}-{number}", self.sources.seed);
        let (body, events) = (batch.body(), batch.len() as u64);
        let mut tries = 0;
        loop {
            tries += 1;
            let now_s = self.sources.clock.unix_ms(self.sources.clock.now()) / 1_000;
            let sent = self.sender.send(&id, now_s, &body).await;
            match sent {
                Ok(()) => return self.metrics.delivered(events),
                Err(error) => {
                    self.metrics.failed();
                    if tries >= self.config.attempts_max || !error.may_pass {
                        self.metrics.dropped(events);
                        tracing::warn!(%error, tries, events, "a webhook's events were not delivered and are dropped");
                        return;
                    }
                    tracing::debug!(%error, tries, "a webhook was not delivered and is tried again");
                }
            }
            tokio::time::sleep(self.config.pause(tries)).await;
        }
    }
}
