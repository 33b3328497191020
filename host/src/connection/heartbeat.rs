//! When to ask a peer whether it is there, and how often it may ask.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_tungstenite::tungstenite::Bytes;

use crate::health;
use crate::manager::Port;
use crate::types::Timestamp;

/// Pings at an interval, each with a nonce that is used once.
pub(super) struct Heartbeat {
    next_at: Option<Timestamp>,
    started: Timestamp,
    /// The beat that waits for its pong, and since when.
    waiting: Option<Timestamp>,
    nonce: Option<Bytes>,
}

impl Heartbeat {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            next_at: None,
            started: now,
            waiting: None,
            nonce: None,
        }
    }

    /// A new ping's nonce, if it is time; on the way, whether the last one was missed.
    pub(super) fn due(
        &mut self,
        port: &Port,
        config: &health::Config,
        now: Timestamp,
    ) -> Option<Bytes> {
        if let Some(since) = self.waiting {
            if port.vitals.heard_at() >= since || port.vitals.read_paused() {
                self.waiting = None;
            } else if now.since(since) >= config.pong_deadline {
                self.waiting = None;
                if health::could_answer(port, since, None) {
                    port.vitals.miss(now);
                }
            }
        }
        let next_at = self
            .next_at
            .unwrap_or(self.started.after(config.ping_interval));
        self.next_at = Some(next_at);
        (now >= next_at && self.waiting.is_none()).then(|| {
            self.next_at = Some(now.after(config.ping_interval));
            self.waiting = Some(now);
            self.fresh_nonce()
        })
    }

    /// The last ping had to wait for its place, and went out only now.
    pub(super) fn sent(&mut self, now: Timestamp) {
        self.waiting = Some(now);
    }

    /// A pong came; whether it answers our ping.
    pub(super) fn pong(&mut self, port: &Port, nonce: &[u8], now: Timestamp) -> bool {
        let is_ours = self.nonce.as_deref() == Some(nonce);
        if is_ours {
            self.nonce = None;
            port.vitals.pong(now);
        }
        is_ours
    }

    pub(super) fn next(&self, config: &health::Config, now: Timestamp) -> Duration {
        let beat = self
            .next_at
            .unwrap_or(self.started.after(config.ping_interval));
        let at = self
            .waiting
            .map_or(beat, |since| since.after(config.pong_deadline).max(now));
        at.since(now)
    }

    /// Unguessable, so that no client can answer a ping it has not read.
    pub(super) fn fresh_nonce(&mut self) -> Bytes {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        static KEY: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
        let nonce = KEY.hash_one(COUNT.fetch_add(1, Ordering::Relaxed));
        let nonce = Bytes::copy_from_slice(&nonce.to_be_bytes());
        self.nonce = Some(nonce.clone());
        nonce
    }
}

/// Control frames within the current second.
#[derive(Default)]
pub(super) struct ControlRate {
    second: u64,
    count: u32,
}

impl ControlRate {
    pub(super) fn count(&mut self, now: Timestamp) -> u32 {
        let second = now.millis() / 1_000;
        if self.second != second {
            *self = Self { second, count: 0 };
        }
        self.count += 1;
        self.count
    }
}
