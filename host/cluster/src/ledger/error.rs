//! How a call of the ledger can fail, and what an admission makes of that.

use std::time::Duration;

/// A call that got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The engine did not answer in time.
    #[error("the engine did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The connection to the engine failed.
    #[error("the engine cannot be reached: {0}")]
    Unreachable(String),
    /// The engine answered with an error.
    #[error("the engine refused the call: {0}")]
    Refused(String),
    /// The engine answered something else than what was asked.
    #[error("the engine's answer is not understood: {0}")]
    Malformed(&'static str),
    /// The calls before failed, and the engine has not answered a beat since.
    #[error("the engine is not asked until it answers a beat")]
    BreakerOpen,
    /// This node's last beat is so long ago that others may take it for dead.
    #[error("this node has not beaten for too long")]
    NotLive,
}

impl LedgerError {
    /// Whether the call may have been carried out, or may still be. The caller takes it back, by `leave`.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        matches!(
            self,
            Self::TimedOut(_) | Self::Unreachable(_) | Self::Malformed(_)
        )
    }
}

/// What an admission does while the engine is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AwayRule {
    /// It counts what the user holds here, and what it was last known to hold elsewhere.
    #[default]
    Static,
    /// It counts what the user holds here.
    Open,
    /// It lets no new manager in.
    Closed,
}

impl AwayRule {
    /// Whether one more manager may be entered by a user that holds `here` on this node and was last known to
    /// hold `elsewhere` on others; of one that was never seen there, 0.
    #[must_use]
    pub const fn admits(self, here: u32, elsewhere: u32, limit: u32) -> bool {
        match self {
            Self::Static => here.saturating_add(elsewhere) < limit,
            Self::Open => here < limit,
            Self::Closed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admission_without_the_engine_follows_its_rule() {
        let rules = [AwayRule::Static, AwayRule::Open, AwayRule::Closed];
        let admits = |here, elsewhere| rules.map(|rule| rule.admits(here, elsewhere, 20));
        assert_eq!(admits(5, 14), [true, true, false]);
        assert_eq!(admits(5, 15), [false, true, false]);
        assert_eq!(admits(20, 0), [false, false, false]);
        assert_eq!(admits(1, u32::MAX), [false, true, false]);
    }
}
