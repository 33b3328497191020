//! Places at the operators' listener: whoever has shown who it is keeps its own, whoever has not makes
//! room for who comes, and some are kept for probes.
//!
//! When every place is taken, the next connection gets that of one that asks nothing: first those that
//! have never asked, then those that have not shown the token, then those of operators that rest, each
//! the oldest first. An operator's request under way is never interrupted for another connection. If requests are under
//! way in all of them, a few more connections are taken that may only ask what probes ask; of those
//! the oldest goes for the next. So nobody can keep an orchestrator from an answer by holding
//! connections, with the token or without.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use wastegate_core::types::{Clock, Timestamp};

/// The places for connections of operators.
#[derive(Debug)]
pub(super) struct OperatorPlaces {
    clock: Clock,
    config: Config,
    // A lock, because connections end in any task; held for a look at a few hundred entries at most.
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// In the order in which they came.
    seats: BTreeMap<u64, Arc<Seat>>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct OperatorPlace {
    places: Arc<OperatorPlaces>,
    number: u64,
    pub(super) seat: Arc<Seat>,
}

/// The place that one connection holds.
#[derive(Debug)]
pub(super) struct Seat {
    since: Timestamp,
    clock: Clock,
    /// Whether it may ask only what probes ask.
    pub(super) for_probes: bool,
    /// Another connection needs the place.
    pub(super) cut: CancellationToken,
    /// It asks, or has been answered.
    pub(super) changed: Notify,
    // A lock, because the accept loop looks at it too; held for one exchange.
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// Since when it is as it is.
    at: Timestamp,
    /// Requests under way.
    asks: u32,
    has_asked: bool,
    /// Whether it has shown that it may ask.
    shown: bool,
}

/// In a request: the connection that it came by.
#[derive(Debug, Clone)]
pub(super) struct Visit(Arc<Seat>);

impl OperatorPlaces {
    pub(super) fn new(config: Config, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            config,
            taken: Mutex::default(),
        })
    }

    /// A place for a connection; with it whether another connection lost its own.
    pub(super) fn take(self: &Arc<Self>) -> (OperatorPlace, bool) {
        let now = self.clock.now();
        let mut taken = self.taken.lock();
        let usual = taken.seats.values().filter(|seat| !seat.for_probes).count();
        let full = usual >= self.config.connections_max;
        let given_up = full && taken.give_up(false);
        let for_probes = full && !given_up;
        if for_probes {
            let kept = taken.seats.values().filter(|seat| seat.for_probes).count();
            if kept >= self.config.probes_reserved {
                taken.give_up(true);
            }
        }
        let seat = Arc::new(Seat {
            since: now,
            clock: self.clock.clone(),
            for_probes,
            cut: CancellationToken::new(),
            changed: Notify::new(),
            state: Mutex::new(State {
                at: now,
                asks: 0,
                has_asked: false,
                shown: false,
            }),
        });
        let number = taken.next;
        taken.next += 1;
        taken.seats.insert(number, seat.clone());
        drop(taken);
        let places = self.clone();
        let place = OperatorPlace {
            places,
            number,
            seat,
        };
        (place, full)
    }

    /// Ends a connection that asks nothing, for its descriptor.
    pub(super) fn give_one_up(&self) {
        self.taken.lock().give_up(false);
    }
}

impl Taken {
    /// Ends the connection that is missed least, if there is one that may be ended. Of those that are
    /// kept for probes any may be.
    fn give_up(&mut self, for_probes: bool) -> bool {
        let candidates = self.seats.iter();
        let candidates = candidates.filter(|(_, seat)| seat.for_probes == for_probes);
        let least = candidates
            .filter_map(|(number, seat)| Some((seat.rank(for_probes)?, *number)))
            .min();
        let seat = least.and_then(|(_, number)| self.seats.remove(&number));
        if let Some(seat) = &seat {
            seat.cut.cancel();
        }
        seat.is_some()
    }
}

impl Drop for OperatorPlace {
    fn drop(&mut self) {
        self.places.taken.lock().seats.remove(&self.number);
    }
}

impl Seat {
    /// How much it would be missed; none where it may not be ended.
    fn rank(&self, even_asking: bool) -> Option<(u8, Timestamp)> {
        let State {
            at,
            asks,
            has_asked,
            shown,
        } = *self.state.lock();
        match (shown, asks > 0, has_asked) {
            (true, true, _) => even_asking.then_some((3, at)),
            (true, false, _) => Some((2, at)),
            // Also one that takes no more of its answer.
            (false, _, true) => Some((1, at)),
            (false, _, false) => Some((0, at)),
        }
    }

    /// When it has to end, if it stays as it is.
    pub(super) fn due(&self, config: &Config) -> Timestamp {
        let state = *self.state.lock();
        let stranger = self.since.after(config.stranger_lifetime);
        match (state.shown, state.asks > 0) {
            (false, false) => stranger,
            // Its answer is on the way: one that came in time is not cut off.
            (false, true) => stranger.after(config.stranger_lifetime),
            (true, true) => state.at.after(config.request_max),
            (true, false) => state.at.after(config.idle_max),
        }
    }

    /// A request begins.
    pub(super) fn asks(&self) {
        self.change(|state| {
            state.asks += 1;
            state.has_asked = true;
        });
    }

    /// A request has its answer.
    pub(super) fn answered(&self) {
        self.change(|state| state.asks = state.asks.saturating_sub(1));
    }

    /// Something of an answer was taken.
    pub(super) fn moved(&self) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        if state.asks == 0 {
            state.at = now;
        }
    }

    fn change(&self, how: impl FnOnce(&mut State)) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        how(&mut state);
        state.at = now;
        drop(state);
        self.changed.notify_one();
    }

    /// How long until a moment.
    pub(super) fn until(&self, due: Timestamp) -> Duration {
        due.since(self.clock.now())
    }
}

impl Visit {
    pub(super) const fn new(seat: Arc<Seat>) -> Self {
        Self(seat)
    }

    /// Notes that the connection's peer is an authorised operator.
    pub(super) fn shown(&self) {
        self.0.change(|state| state.shown = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> (Arc<OperatorPlaces>, Clock) {
        let clock = Clock::manual();
        let config = Config {
            connections_max: 3,
            probes_reserved: 2,
            ..Config::default()
        };
        (OperatorPlaces::new(config, clock.clone()), clock)
    }

    #[test]
    fn the_silent_go_first_then_strangers_then_operators_that_rest() {
        let (places, clock) = places();
        let take = || {
            clock.advance(Duration::from_millis(1));
            let (place, _) = places.take();
            assert!(!place.seat.for_probes);
            place
        };
        let (operator, stranger, silent) = (take(), take(), take());
        for place in [&operator, &stranger] {
            place.seat.asks();
            place.seat.answered();
        }
        Visit::new(operator.seat.clone()).shown();
        let gone = |place: &OperatorPlace| place.seat.cut.is_cancelled();
        let works = |place: &OperatorPlace| {
            place.seat.asks();
            Visit::new(place.seat.clone()).shown();
        };
        let newer = take();
        assert!(gone(&silent) && !gone(&stranger) && !gone(&operator));
        works(&newer);
        let newest = take();
        assert!(gone(&stranger) && !gone(&operator) && !gone(&newer));
        works(&newest);
        let _last = take();
        assert!(gone(&operator) && !gone(&newer) && !gone(&newest));
    }

    #[test]
    fn probes_come_through_while_every_place_is_at_work() {
        let (places, clock) = places();
        let working: Vec<OperatorPlace> = (0..3).map(|_| places.take().0).collect();
        for place in &working {
            place.seat.asks();
            Visit::new(place.seat.clone()).shown();
        }
        let probes: Vec<OperatorPlace> = (0..2)
            .map(|_| {
                clock.advance(Duration::from_millis(1));
                places.take().0
            })
            .collect();
        assert!(probes.iter().all(|place| place.seat.for_probes));
        let (third, _) = places.take();
        assert!(third.seat.for_probes && probes[0].seat.cut.is_cancelled());
        assert!(!probes[1].seat.cut.is_cancelled());
        assert!(working.iter().all(|place| !place.seat.cut.is_cancelled()));
        drop(working);
        assert!(!places.take().0.seat.for_probes, "places come back");
    }

    #[test]
    fn who_shows_nothing_has_a_lifetime_and_who_rests_an_idle_time() {
        let (places, clock) = places();
        let config = places.config.clone();
        let (place, _) = places.take();
        let seat = &place.seat;
        assert_eq!(seat.until(seat.due(&config)), config.stranger_lifetime);
        clock.advance(Duration::from_secs(4));
        seat.asks();
        seat.answered();
        assert_eq!(seat.until(seat.due(&config)), Duration::from_secs(6));
        Visit::new(seat.clone()).shown();
        assert_eq!(seat.until(seat.due(&config)), config.idle_max);
        seat.asks();
        assert_eq!(seat.until(seat.due(&config)), config.request_max);
        clock.advance(Duration::from_secs(4));
        seat.moved();
        let left = config.request_max - Duration::from_secs(4);
        assert_eq!(seat.until(seat.due(&config)), left);
        // A long answer is on its way for as long as some of it is taken.
        seat.answered();
        clock.advance(Duration::from_secs(50));
        seat.moved();
        assert_eq!(seat.until(seat.due(&config)), config.idle_max);
    }
}
