//! Transport liveness of one connection: the second clock, which user activity never touches.
//!
//! Written by the connection's own task, read by anyone. What it means is `health`'s matter.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::backlog::Backlog;
use wastegate_core::types::Timestamp;

/// No such moment yet.
const NEVER: u64 = u64::MAX;
/// The weight of a new pong delay in the running mean and variance, once there are enough.
const PONG_WEIGHT: f64 = 1.0 / 64.0;

/// What was heard of a peer, and what was asked of it.
#[derive(Debug)]
pub struct Vitals {
    received_at: AtomicU64,
    ping_sent_at: AtomicU64,
    /// The oldest ping that no pong came for, nor for any after it.
    asked_since: AtomicU64,
    /// The kernel's count of acknowledged bytes from which on the last ping has arrived;
    /// [`NEVER`] while that ping waits for its place between two frames.
    ping_end: AtomicU64,
    /// Up to which byte the peer's kernel would have taken more when the oldest of these pings went out.
    room_end: AtomicU64,
    ping_wanted: AtomicBool,
    pong_at: AtomicU64,
    rtt_us: AtomicU64,
    missed: AtomicU32,
    missed_at: AtomicU64,
    probe_failed_at: AtomicU64,
    gone_at: AtomicU64,
    read_paused: AtomicBool,
    /// What waits for the peer.
    pub backlog: Backlog,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    errors: AtomicU32,
    // Mean and variance change together; held for three additions.
    pongs: Mutex<PongStats>,
    received: Notify,
    ping_asked: Notify,
}

/// The distribution of pong delays, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PongStats {
    /// How many pongs it rests on.
    pub samples: u32,
    /// The running mean, ms.
    pub mean_ms: f64,
    /// The running variance, ms².
    pub variance_ms2: f64,
}

impl PongStats {
    fn add(&mut self, delay_ms: f64) {
        self.samples = self.samples.saturating_add(1);
        let weight = (1.0 / f64::from(self.samples)).max(PONG_WEIGHT);
        let delta = delay_ms - self.mean_ms;
        self.mean_ms += weight * delta;
        self.variance_ms2 = (1.0 - weight) * (self.variance_ms2 + weight * delta * delta);
    }
}

impl Vitals {
    /// A connection that has just been heard: it completed its handshake.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            received_at: AtomicU64::new(now.micros()),
            ping_sent_at: AtomicU64::new(NEVER),
            asked_since: AtomicU64::new(NEVER),
            ping_end: AtomicU64::new(0),
            room_end: AtomicU64::new(NEVER),
            ping_wanted: AtomicBool::new(false),
            pong_at: AtomicU64::new(NEVER),
            rtt_us: AtomicU64::new(NEVER),
            missed: AtomicU32::new(0),
            missed_at: AtomicU64::new(NEVER),
            probe_failed_at: AtomicU64::new(NEVER),
            gone_at: AtomicU64::new(NEVER),
            read_paused: AtomicBool::new(false),
            backlog: Backlog::default(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            errors: AtomicU32::new(0),
            pongs: Mutex::default(),
            received: Notify::new(),
            ping_asked: Notify::new(),
        }
    }

    /// Bytes came from the peer, whatever they were. All doubts are gone.
    pub fn hear(&self, now: Timestamp) {
        self.received_at.store(now.micros(), Relaxed);
        self.missed.store(0, Relaxed);
        self.missed_at.store(NEVER, Relaxed);
        self.probe_failed_at.store(NEVER, Relaxed);
        self.received.notify_waiters();
    }

    /// A ping of ours went out. Only the youngest is waited for.
    pub(crate) fn ping_sent(&self, now: Timestamp) {
        self.ping_sent_at.store(now.micros(), Relaxed);
        let since = &self.asked_since;
        // If there is an older one, that stands.
        let _ = since.compare_exchange(NEVER, now.micros(), Relaxed, Relaxed);
    }

    /// Where our ping ends, by the kernel's count of acknowledged bytes; 0 where that is not counted.
    pub(crate) fn ping_ends_at(&self, acked: u64) {
        self.ping_end.store(acked, Relaxed);
    }

    /// Up to which byte the peer's kernel would take more when a ping of ours goes out. If an older ping is
    /// unanswered, what was noted for that stands.
    pub(crate) fn had_room(&self, room_end: u64) {
        let known = &self.room_end;
        let _ = known.compare_exchange(NEVER, room_end, Relaxed, Relaxed);
    }

    /// Our ping waits for its place between two frames.
    #[cfg(feature = "upstream")]
    pub(crate) fn ping_held(&self) {
        self.ping_end.store(NEVER, Relaxed);
    }

    /// The pong to our youngest ping came in.
    pub fn pong(&self, now: Timestamp) {
        match self.waiting_since() {
            Some(sent) => self.pong_to(sent, now),
            None => self.pong_at.store(now.micros(), Relaxed),
        }
    }

    /// The pong came in to the ping of ours that went out at `sent`.
    pub(crate) fn pong_to(&self, sent: Timestamp, now: Timestamp) {
        self.ping_sent_at.store(NEVER, Relaxed);
        self.asked_since.store(NEVER, Relaxed);
        self.room_end.store(NEVER, Relaxed);
        self.pong_at.store(now.micros(), Relaxed);
        let round_trip = now.micros().saturating_sub(sent.micros());
        self.rtt_us.store(round_trip, Relaxed);
        self.pongs.lock().add(now.ms_since(sent));
    }

    /// A heartbeat's deadline passed with neither its pong nor any other byte.
    pub fn miss(&self, now: Timestamp) {
        self.missed.fetch_add(1, Relaxed);
        self.missed_at.store(now.micros(), Relaxed);
        self.ping_sent_at.store(NEVER, Relaxed);
    }

    /// A probe's deadline passed in the same silence.
    pub(crate) fn probe_failed(&self, now: Timestamp) {
        self.probe_failed_at.store(now.micros(), Relaxed);
    }

    /// The kernel has given the connection up. Final: no byte can come any more.
    pub fn gone(&self, now: Timestamp) {
        let _ = self
            .gone_at
            .compare_exchange(NEVER, now.micros(), Relaxed, Relaxed);
    }

    /// Asks the connection to send a ping now.
    pub(crate) fn ask_for_ping(&self) {
        self.ping_wanted.store(true, Relaxed);
        self.ping_asked.notify_one();
    }

    /// Waits until a ping is requested. Cancel-safe; for the connection's own task.
    pub(crate) async fn ping_asked(&self) {
        while !self.ping_wanted.swap(false, Relaxed) {
            self.ping_asked.notified().await;
        }
    }

    /// Waits until something comes from the peer, at `since` or later.
    pub(crate) async fn received_since(&self, since: Timestamp) {
        loop {
            let received = self.received.notified();
            if self.received_at() >= since {
                return;
            }
            received.await;
        }
    }

    /// While we do not read from the peer, because who its bytes are for takes nothing, its silence
    /// says nothing about it.
    pub(crate) fn set_read_paused(&self, paused: bool) {
        self.read_paused.store(paused, Relaxed);
    }

    /// Payload came in.
    pub(crate) fn count_in(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
    }

    /// Payload went out.
    pub(crate) fn count_out(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
    }

    /// Something went wrong on the connection.
    pub(crate) fn count_error(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    /// When the peer was last heard.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        Timestamp::from_micros(self.received_at.load(Relaxed))
    }

    /// Since when a ping is unanswered, if one is.
    #[must_use]
    pub(crate) fn waiting_since(&self) -> Option<Timestamp> {
        moment(&self.ping_sent_at)
    }

    /// Since when pings are unanswered, all of them, whatever else was heard meanwhile.
    #[must_use]
    pub(crate) fn asked_since(&self) -> Option<Timestamp> {
        moment(&self.asked_since)
    }

    /// Up to which byte the peer's kernel would have taken more when the oldest ping that is unanswered
    /// went out, if that was told.
    #[must_use]
    pub(crate) fn room_end(&self) -> Option<u64> {
        Some(self.room_end.load(Relaxed)).filter(|&end| end != NEVER)
    }

    /// The kernel's count of acknowledged bytes from which on the last ping has arrived; none while
    /// that ping waits for its place between two frames.
    #[must_use]
    pub(crate) fn ping_end(&self) -> Option<u64> {
        Some(self.ping_end.load(Relaxed)).filter(|&end| end != NEVER)
    }

    /// When the last pong came.
    #[must_use]
    pub fn pong_at(&self) -> Option<Timestamp> {
        moment(&self.pong_at)
    }

    /// The last round trip, ms.
    #[must_use]
    pub fn rtt_ms(&self) -> Option<f64> {
        moment(&self.rtt_us).map(|rtt| rtt.ms_since(Timestamp::ZERO))
    }

    /// When the last probe failed, unless something was heard since.
    #[must_use]
    pub fn probe_failed_at(&self) -> Option<Timestamp> {
        moment(&self.probe_failed_at)
    }

    /// Since when the kernel has given it up, if it has.
    #[must_use]
    pub fn gone_at(&self) -> Option<Timestamp> {
        moment(&self.gone_at)
    }

    /// Heartbeats missed in a row.
    #[must_use]
    pub fn missed(&self) -> u32 {
        self.missed.load(Relaxed)
    }

    /// When the last heartbeat was missed, unless something was heard since.
    #[must_use]
    pub(crate) fn missed_at(&self) -> Option<Timestamp> {
        moment(&self.missed_at)
    }

    /// Whether we are the ones who do not listen.
    #[must_use]
    pub fn read_paused(&self) -> bool {
        self.read_paused.load(Relaxed)
    }

    /// The distribution of pong delays.
    #[must_use]
    pub(crate) fn pong_stats(&self) -> PongStats {
        *self.pongs.lock()
    }

    /// Payload received and sent, bytes.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.bytes_in.load(Relaxed), self.bytes_out.load(Relaxed))
    }

    /// Errors so far.
    #[must_use]
    pub fn errors(&self) -> u32 {
        self.errors.load(Relaxed)
    }
}

fn moment(cell: &AtomicU64) -> Option<Timestamp> {
    Some(cell.load(Relaxed))
        .filter(|&micros| micros != NEVER)
        .map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_pong_measures_the_round_trip_once() {
        let vitals = Vitals::new(ms(0));
        assert_eq!((vitals.rtt_ms(), vitals.pong_at()), (None, None));
        vitals.ping_sent(ms(100));
        vitals.ping_sent(ms(150));
        vitals.pong(ms(180));
        assert_eq!(
            (vitals.rtt_ms(), vitals.pong_at()),
            (Some(30.0), Some(ms(180)))
        );
        vitals.pong(ms(500));
        assert_eq!(
            vitals.rtt_ms(),
            Some(30.0),
            "an unasked pong measures nothing"
        );
        assert_eq!(vitals.pong_stats().samples, 1);
    }

    #[test]
    fn b11_pings_are_unanswered_since_the_first_of_them() {
        let vitals = Vitals::new(ms(0));
        assert_eq!(vitals.asked_since(), None);
        vitals.ping_sent(ms(100));
        vitals.hear(ms(120));
        vitals.ping_sent(ms(200));
        assert_eq!(
            vitals.asked_since(),
            Some(ms(100)),
            "no byte but a pong is an answer"
        );
        vitals.pong_to(ms(100), ms(400));
        assert_eq!((vitals.asked_since(), vitals.rtt_ms()), (None, Some(300.0)));
    }

    #[test]
    fn any_byte_clears_every_doubt() {
        let vitals = Vitals::new(ms(0));
        vitals.miss(ms(30));
        vitals.miss(ms(40));
        vitals.probe_failed(ms(50));
        let doubts = |vitals: &Vitals| {
            (
                vitals.missed(),
                vitals.missed_at(),
                vitals.probe_failed_at(),
            )
        };
        assert_eq!(doubts(&vitals), (2, Some(ms(40)), Some(ms(50))));
        vitals.hear(ms(60));
        assert_eq!(doubts(&vitals), (0, None, None));
    }

    #[test]
    fn running_statistics_match_the_plain_ones_at_first() {
        let mut stats = PongStats::default();
        for delay in [10.0, 20.0, 60.0] {
            stats.add(delay);
        }
        assert!((stats.mean_ms - 30.0).abs() < 1e-9);
        assert!((stats.variance_ms2 - 1_400.0 / 3.0).abs() < 1e-9);
    }
}
