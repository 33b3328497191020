//! Arms in turns on a whole node: what falls into arms is a window of time, and one window is one data
//! point.
//!
//! For what is the node's and not a user's (how long admissions take, how often tiers free nothing):
//! there users of two arms would share the very thing that is measured. The beginning of each window is
//! ranked by its arm and not counted: it still shows what the arm before left behind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The least that a window is longer than what is left out of it.
pub const WINDOW_PER_WASHOUT_MIN: u64 = 10;
/// The longest window, s: a week.
pub const WINDOW_S_MAX: u64 = 7 * 86_400;

/// How long arms are active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switchback {
    /// One window, s; windows begin at multiples of it since the Unix epoch, on every node.
    pub window_s: u64,
    /// What of its beginning is not counted, s: the longest time at which a metric looks ahead.
    pub washout_s: u64,
}

/// A window at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Which, since the Unix epoch.
    pub(super) number: u64,
    /// From when on it counts, ms since the Unix epoch.
    pub(super) counts_from_ms: u64,
    /// When it ends, ms since the Unix epoch.
    pub(super) until_ms: u64,
}

impl Switchback {
    /// The window of a moment; none of windows that have no length, which no definition has.
    pub(super) fn window(self, unix_ms: u64) -> Option<Window> {
        let window_ms = self.window_s.saturating_mul(1_000);
        let number = unix_ms.checked_div(window_ms)?;
        let from = number.saturating_mul(window_ms);
        Some(Window {
            number,
            counts_from_ms: from.saturating_add(self.washout_s.saturating_mul(1_000)),
            until_ms: from.saturating_add(window_ms),
        })
    }

    /// Whether what is left out of a window is a small part of it.
    #[must_use]
    pub fn is_sound(self) -> bool {
        self.washout_s >= 1
            && self.window_s <= WINDOW_S_MAX
            && self.window_s >= self.washout_s.saturating_mul(WINDOW_PER_WASHOUT_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_begin_at_multiples_and_count_after_their_washout() {
        let hourly = Switchback {
            window_s: 3_600,
            washout_s: 60,
        };
        let window = hourly.window(2 * 3_600_000 + 5).unwrap();
        assert_eq!(
            window,
            Window {
                number: 2,
                counts_from_ms: 2 * 3_600_000 + 60_000,
                until_ms: 3 * 3_600_000,
            }
        );
        assert_eq!(hourly.window(3 * 3_600_000 - 1), Some(window));
        assert_eq!(hourly.window(3 * 3_600_000).unwrap().number, 3);
    }
}
