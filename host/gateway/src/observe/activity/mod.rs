//! The activity stream: what managers and their users did, one event a line, in order of time.
//!
//! It is what replay runs on, since a log of decisions alone cannot tell what a different decision
//! would have led to. It records that something happened, when, and how much of it: never payload,
//! and ids only as [`Pseudonym`](super::Pseudonym)s. Nothing in the host reads it back.
//!
//! # Coalescing
//! Frames, pings and pongs (`in`, `out`, `ping`, `pong`) of one manager and device are one event
//! per kind and second of the clock, with the time of the first, their number `n`, their bytes, and
//! `last_ms`, how much later the last was. Of frames from the client, as far as they are few, `later`
//! has the moment of each, because who was active last decides who goes.
//! A ping begins a line of its own where the one before it was not answered. Any other event of the
//! manager ends its runs, so `in in visible in` stays that order: two lines
//! of `in`, one before `visible` and one after.
//!
//! # Order
//! Events gather in a window. [`ActivitySink::flush`] sorts those of the seconds that are over by time,
//! events of one moment by arrival, and writes them; a run lies within one second, so none can be
//! still open there. An event that arrives after its second was written (its task was slow) gets
//! the time of the last line instead of its own: within one life of the process `t_ms` never falls.
//!
//! # Rules
//! [`ActivitySink::begin`] writes a line `{"settings": …}` with the rules in force, so that a replay knows
//! under which limit and by which policy the stream came about. It is no event. Since every start of the
//! process writes one, it also says that whatever was held before it is not held any more.
//!
//! # What else a replay needs
//! Who ranked at a decision, when the background pass ran, and users' own limits are lines of their own
//! form ([`DecisionAside`]): `{"decision": …}`, `{"sweep": …}`, `{"limit": …}`. Of the background pass one run an
//! interval is written: of those in between, the evictions are.
//!
//! # Limits
//! The window holds [`EVENTS_MAX`] lines to be. The thread that fills it writes it at once, about 1 µs a
//! line, which costs coalescing and no event; only what comes while that is going on is dropped,
//! counted, and marked as a gap in the journal, as any line is that its queue has no room for.

mod aside;
mod line;
mod window;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use self::aside::Aside;
pub use self::aside::DecisionAside;
pub use self::line::{ActivityEvent, ActivityKind, BelievedPeer, HintName};
pub use self::window::EVENTS_MAX;
use self::window::{Entry, Full, Origin, Window};
use super::journal::Journal;
use super::pseudonym::Pseudonymizer;
use wastegate_core::types::{Clock, DeviceId, ManagerId, ManagerKey, Timestamp, UserId};

/// Where events are handed in. Cheap to clone; clones share one stream.
#[derive(Debug, Clone)]
pub struct ActivitySink(Option<Arc<Stream>>);

#[derive(Debug)]
struct Stream {
    // Two locks: events keep coming in while a window is written. Whoever takes both takes `output`
    // first. `window` is held for one event or one sweep, `output` for all the lines of a flush.
    output: Mutex<Output>,
    window: Mutex<Window>,
    pseudonyms: Pseudonymizer,
    clock: Clock,
}

#[derive(Debug)]
struct Output {
    journal: Journal,
    /// The time of the last line.
    last: Timestamp,
}

impl ActivitySink {
    /// A stream into that journal; disabled if the journal is. `clock` is the one that the events'
    /// timestamps are read from: it turns them into the time of day.
    #[must_use]
    pub fn new(journal: Journal, pseudonyms: Pseudonymizer, clock: Clock) -> Self {
        Self(journal.is_enabled().then(|| {
            Arc::new(Stream {
                output: Mutex::new(Output {
                    journal,
                    last: Timestamp::ZERO,
                }),
                window: Mutex::default(),
                pseudonyms,
                clock,
            })
        }))
    }

    /// A stream that is none: recording costs a branch.
    #[must_use]
    pub const fn disabled() -> Self {
        Self(None)
    }

    /// Records an event of a manager, and of one of its devices if it is a matter of one.
    pub fn record(
        &self,
        now: Timestamp,
        manager: ManagerId,
        user: &UserId,
        key: &ManagerKey,
        device: Option<&DeviceId>,
        event: ActivityEvent,
    ) {
        if let Some(stream) = &self.0 {
            stream.record(now, Some(manager), device, event, &|| Origin {
                user: stream.pseudonyms.user(user),
                key: stream.pseudonyms.manager(user, key),
                device: device.map(|device| stream.pseudonyms.device(user, device)),
            });
        }
    }

    /// Records that a client asked for a manager and was refused.
    pub(crate) fn record_attempt(
        &self,
        now: Timestamp,
        user: &UserId,
        key: &ManagerKey,
        event: ActivityEvent,
    ) {
        if let Some(stream) = &self.0 {
            stream.record(now, None, None, event, &|| Origin {
                user: stream.pseudonyms.user(user),
                key: stream.pseudonyms.manager(user, key),
                device: None,
            });
        }
    }

    /// Writes down by which rules everything comes about that is recorded from now on.
    pub fn begin(&self, settings: &serde_json::Value) {
        if let Some(stream) = &self.0 {
            let output = stream.output.lock();
            let mut settings = settings.clone();
            if let Some(settings) = settings.as_object_mut() {
                let now = stream.clock.unix_ms(stream.clock.now());
                settings.insert("t_ms".to_owned(), now.into());
            }
            // What the journal could not take it counts, and says so in its own gap.
            let _ = output
                .journal
                .write_head(&serde_json::json!({ "settings": settings }));
        }
    }

    /// Writes down who ranked at a decision that took managers. `user` is whose they are, if one user's, with
    /// the victims of the plan that were `spared`.
    pub fn decided(
        &self,
        now: Timestamp,
        user: Option<&UserId>,
        decision: &DecisionAside,
        spared: &[&ManagerKey],
    ) {
        if let Some(stream) = &self.0 {
            let spared = user.map(|user| {
                let spared = spared.iter();
                spared
                    .map(|key| stream.pseudonyms.manager(user, key))
                    .collect()
            });
            stream.aside(Aside::Decision {
                t_ms: stream.clock.unix_ms(now),
                user: user.map(|user| stream.pseudonyms.user(user)),
                decision: decision.clone(),
                spared: spared.unwrap_or_default(),
            });
        }
    }

    /// Writes down that the background pass begins, unless a line of the last `interval` says so.
    pub fn swept(&self, now: Timestamp, interval: Duration) {
        if let Some(stream) = &self.0 {
            let is_due = stream.window.lock().is_sweep_due(now, interval);
            if is_due {
                let t_ms = stream.clock.unix_ms(now);
                stream.aside(Aside::Sweep { t_ms });
            }
        }
    }

    /// Writes down that a user may hold another number of managers; none for as many as everybody.
    pub fn limited(&self, now: Timestamp, user: &UserId, managers: Option<u32>) {
        if let Some(stream) = &self.0 {
            stream.aside(Aside::Limit {
                t_ms: stream.clock.unix_ms(now),
                user: stream.pseudonyms.user(user),
                managers,
            });
        }
    }

    /// Whether anything is written down.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Writes the events of all seconds before that of `now`. To be called about once a second;
    /// oftener or more rarely changes when lines appear, not which. Takes in the order of a
    /// microsecond per line, and never waits for the disk.
    pub fn flush(&self, now: Timestamp) {
        if let Some(stream) = &self.0 {
            let output = stream.output.lock();
            stream.write(output, Some(now));
        }
    }

    /// Writes everything there is: at the end, before the journal is closed.
    pub fn flush_all(&self) {
        if let Some(stream) = &self.0 {
            let output = stream.output.lock();
            stream.write(output, None);
        }
    }
}

impl Stream {
    fn record(
        &self,
        now: Timestamp,
        manager: Option<ManagerId>,
        device: Option<&DeviceId>,
        event: ActivityEvent,
        origin: &dyn Fn() -> Origin,
    ) {
        let add = || self.window.lock().add(now, manager, device, event, origin);
        let Err(Full) = add() else {
            return;
        };
        // If somebody is writing it already, waiting for them would make the caller wait.
        if let Some(output) = self.output.try_lock() {
            self.write(output, None);
            if add().is_ok() {
                return;
            }
        }
        self.window.lock().dropped += 1;
    }

    /// Keeps a line beside the events for the next flush.
    fn aside(&self, aside: Aside) {
        self.window.lock().set_aside(aside);
    }

    fn write(&self, mut output: MutexGuard<'_, Output>, before: Option<Timestamp>) {
        let (mut events, asides, dropped) = {
            let mut window = self.window.lock();
            let (events, dropped) = window.take(before);
            (events, window.take_asides(), dropped)
        };
        for aside in asides {
            output.journal.write(&aside);
        }
        events.sort_unstable_by_key(Entry::order);
        for event in events {
            output.last = output.last.max(event.at);
            let t_ms = self.clock.unix_ms(output.last);
            output.journal.write(&event.into_line(t_ms));
        }
        if dropped > 0 {
            output.journal.count_dropped(dropped);
        }
    }
}
