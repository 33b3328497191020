//! When to ask a peer whether it is there, and how often it may ask.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::health;
use crate::manager::Port;
use wastegate_core::types::Timestamp;

/// Pings whose pongs are known when they come late. A probe must not make the answer to the ping before
/// it an answer to nothing.
const ASKED_MAX: usize = 3;

/// Pings at an interval, each with a nonce that is used once.
pub(super) struct Heartbeat {
    next_at: Option<Timestamp>,
    started: Timestamp,
    /// The beat that waits for its pong, and since when.
    waiting: Option<Timestamp>,
    /// The youngest pings, that one first.
    asked: [Asked; ASKED_MAX],
}

/// A ping of ours.
#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    /// All zeros if there is none, or it was answered.
    nonce: [u8; 8],
    at: Timestamp,
}

impl Heartbeat {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            next_at: None,
            started: now,
            waiting: None,
            asked: [Asked::default(); ASKED_MAX],
        }
    }

    /// A new ping's nonce, if it is time; on the way, whether the last one was missed.
    pub(super) fn due(
        &mut self,
        port: &Port,
        config: &health::Config,
        now: Timestamp,
    ) -> Option<[u8; 8]> {
        if let Some(since) = self.waiting {
            if port.vitals.received_at() >= since || port.vitals.read_paused() {
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
            self.fresh_nonce(now)
        })
    }

    /// The last ping had to wait for its place, and went out only now.
    #[cfg(feature = "upstream")]
    pub(super) fn sent(&mut self, now: Timestamp) {
        self.waiting = Some(now);
        let [youngest, ..] = &mut self.asked;
        youngest.at = now;
    }

    /// A pong came; whether it answers a ping of ours.
    pub(super) fn pong(&mut self, port: &Port, payload: &[u8], now: Timestamp) -> bool {
        let Ok(nonce) = <[u8; 8]>::try_from(payload) else {
            return false;
        };
        let mut asked = self.asked.iter_mut().enumerate();
        let Some((place, asked)) =
            asked.find(|(_, asked)| asked.nonce == nonce && !asked.is_none())
        else {
            return false;
        };
        // The youngest may have gone out later than it was made.
        let sent = port.vitals.waiting_since().filter(|_| place == 0);
        port.vitals.pong_to(sent.unwrap_or(asked.at), now);
        *asked = Asked::default();
        true
    }

    /// Since when there is a connection.
    #[cfg(feature = "upstream")]
    pub(super) const fn started(&self) -> Timestamp {
        self.started
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
    pub(super) fn fresh_nonce(&mut self, now: Timestamp) -> [u8; 8] {
        let nonce = random();
        self.asked.rotate_right(1);
        let [youngest, ..] = &mut self.asked;
        *youngest = Asked { nonce, at: now };
        nonce
    }
}

impl Asked {
    fn is_none(&self) -> bool {
        self.nonce == [0; 8]
    }
}

/// Bytes that a peer cannot guess.
pub(super) fn random() -> [u8; 8] {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static KEY: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    KEY.hash_one(COUNT.fetch_add(1, Ordering::Relaxed))
        .to_be_bytes()
}

/// Control frames within the current second.
#[derive(Default)]
pub(super) struct ControlRate {
    second: u64,
    count: u32,
    /// Pongs that a client owes to us or to its backend: those are not its own idea.
    expected: u32,
}

impl ControlRate {
    pub(super) fn count(&mut self, now: Timestamp) -> u32 {
        let second = now.millis() / 1_000;
        if self.second != second {
            (self.second, self.count) = (second, 0);
        }
        self.count += 1;
        self.count
    }

    /// So many pings are on their way to the client, each of which will be answered.
    pub(super) const fn expect(&mut self, pings: u32) {
        self.expected = self.expected.saturating_add(pings);
    }

    /// How many of these pongs answer no ping.
    pub(super) const fn unexpected(&mut self, pongs: u32) -> u32 {
        let left = pongs.saturating_sub(self.expected);
        self.expected = self.expected.saturating_sub(pongs);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B11: a client that answers the pings of its backend, however many, does nothing of its own.
    #[test]
    fn b11_pongs_that_a_backend_asked_for_are_no_flood() {
        let mut rate = ControlRate::default();
        rate.expect(100);
        assert_eq!(rate.unexpected(60), 0);
        assert_eq!(rate.unexpected(60), 20);
        assert_eq!(rate.unexpected(3), 3);
    }
}
