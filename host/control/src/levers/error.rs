//! Why a lever is not set.

use super::order::{LASTING_MAX, REASON_BYTES_MAX};
use super::table::LEVERS_MAX;

/// Why a lever is not set; each sentence names the key to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeverError {
    /// There are as many as there may be.
    #[error(
        "{LEVERS_MAX} limits and blocks of users are set, as many as there may be: take some back, or set a limit for many users by their tokens or by `limits.managers_per_user`"
    )]
    TooMany,
    /// It says not why.
    #[error("`reason` is empty: say why, for the audit log and for other operators")]
    NoReason,
    /// It says so at too great length.
    #[error("`reason` has more than {REASON_BYTES_MAX} bytes: say it in fewer")]
    ReasonTooLong,
    /// It would end at once, or never.
    #[error(
        "`for_s` has to be from 1 to {} seconds: leave it out for a lever that stays until it is taken back",
        LASTING_MAX.as_secs()
    )]
    Lasting,
    /// No user may hold so many.
    #[error(
        "`managers` has to be from 1 to {most}, the limit of the node: to keep a user out, block it"
    )]
    Managers {
        /// How many the node may hold.
        most: u32,
    },
}
