//! How long a peer is waited for at an end: as long as it takes something.
//!
//! A deadline that runs from the decision to close cuts off a slow reader in the middle of what was
//! said before. So what waits is given for as long as the peer takes some of it, and the time to answer
//! counts from when it has all of it, as far as its kernel tells.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::health;
use crate::manager::Backlog;
use wastegate_core::types::Timestamp;

/// Between two looks at the kernel's queue, at first, and before the first one: an acknowledgement is a round
/// trip away, and most peers answer before they are looked at.
const TICK_MIN: Duration = Duration::from_millis(20);
/// The same for a peer that takes its time.
const TICK_MAX: Duration = Duration::from_millis(320);

/// How far a peer has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uptake {
    /// Bytes wait for it; to be looked at again after so long.
    Waits(Duration),
    /// It has everything, since then.
    Has(Timestamp),
    /// It has taken nothing for too long.
    Stalled,
}

/// Waits for one peer.
#[derive(Debug)]
pub(super) struct Patience {
    tick: Duration,
    has_all_since: Option<Timestamp>,
}

impl Patience {
    pub(super) const fn new() -> Self {
        Self {
            tick: TICK_MIN,
            has_all_since: None,
        }
    }

    /// Looks how far the peer has got. `pending` says whether anything waits above the kernel; the
    /// peer may take nothing for `stall_max`.
    pub(super) fn look(
        &mut self,
        (backlog, socket): (&Backlog, Option<&TcpStream>),
        pending: bool,
        stall_max: Duration,
        now: Timestamp,
    ) -> Uptake {
        // While something waits above the kernel, how far the kernel has got matters only once it has had
        // its time.
        let wait = if pending { stall_max } else { TICK_MIN };
        if backlog
            .since()
            .is_some_and(|since| now >= since.after(wait))
        {
            health::look(backlog, socket, now);
        }
        let queued = socket.is_some() && backlog.since().is_some();
        if !pending && !queued {
            return Uptake::Has(*self.has_all_since.get_or_insert(now));
        }
        self.has_all_since = None;
        let until = backlog.since().unwrap_or(now).after(stall_max);
        if now >= until {
            return Uptake::Stalled;
        }
        let tick = self.tick.min(until.since(now));
        self.tick = (self.tick * 2).min(TICK_MAX);
        Uptake::Waits(tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_answer_counts_from_the_last_byte_taken() {
        let ms = Timestamp::from_millis;
        let (backlog, mut patience) = (Backlog::default(), Patience::new());
        let max = Duration::from_millis(100);
        let mut look = |pending, now| patience.look((&backlog, None), pending, max, ms(now));
        backlog.grew(ms(0));
        assert_eq!(look(true, 0), Uptake::Waits(TICK_MIN));
        assert_eq!(look(true, 99), Uptake::Waits(Duration::from_millis(1)));
        backlog.shrank(ms(99), true);
        assert_eq!(look(true, 100), Uptake::Waits(TICK_MIN * 4));
        backlog.shrank(ms(101), false);
        assert_eq!(look(false, 102), Uptake::Has(ms(102)));
        assert_eq!(look(false, 300), Uptake::Has(ms(102)));
        backlog.grew(ms(301));
        assert_eq!(look(true, 401), Uptake::Stalled);
    }
}
