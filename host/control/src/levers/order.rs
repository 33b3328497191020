//! What an operator says with a lever: who, why, for how long.

use std::time::Duration;

use super::error::LeverError;
use super::table::LeverTerms;
use crate::rollout::Actor;
use wastegate_core::types::time::whole_ms;

/// Bytes of a lever's reason.
pub const REASON_BYTES_MAX: usize = 1_024;
/// How long a lever with an end may last.
pub const LASTING_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Who sets a lever, why, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeverOrder {
    /// The operator.
    pub by: Actor,
    /// Why, for the audit log and for other operators.
    pub reason: String,
    /// After how long it ends by itself; none if it stays until it is taken back.
    pub lasting: Option<Duration>,
}

impl LeverOrder {
    /// For how long, in words after what is set.
    pub(super) fn span(&self) -> String {
        self.lasting.map_or_else(String::new, |lasting| {
            format!(" for {} s", lasting.as_secs())
        })
    }

    /// With a reason that can be kept, or none.
    pub(super) fn checked(self) -> Result<Self, LeverError> {
        if self.reason.len() > REASON_BYTES_MAX {
            return Err(LeverError::ReasonTooLong);
        }
        Ok(self)
    }

    /// With a reason.
    pub(super) fn needed(self) -> Result<Self, LeverError> {
        if self.reason.trim().is_empty() {
            return Err(LeverError::NoReason);
        }
        self.checked()
    }

    /// As it is kept that a lever was taken back now; it may say no reason.
    pub(super) fn lifting(self, now_unix_ms: u64) -> Result<LeverTerms, LeverError> {
        let Self { by, reason, .. } = self.checked()?;
        Ok(LeverTerms {
            by,
            reason,
            set_unix_ms: now_unix_ms,
            until_unix_ms: None,
            node: None,
        })
    }

    /// As it is kept, where it is set now.
    pub(super) fn terms(self, now_unix_ms: u64) -> Result<LeverTerms, LeverError> {
        let Self {
            by,
            reason,
            lasting,
        } = self.needed()?;
        let usable = |lasting: &Duration| !lasting.is_zero() && *lasting <= LASTING_MAX;
        if !lasting.as_ref().is_none_or(usable) {
            return Err(LeverError::Lasting);
        }
        let until = lasting.map(|lasting| now_unix_ms.saturating_add(whole_ms(lasting)));
        Ok(LeverTerms {
            by,
            reason,
            set_unix_ms: now_unix_ms,
            until_unix_ms: until,
            node: None,
        })
    }
}
