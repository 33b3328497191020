//! Why a lever is not set.

use super::node::PER_S_MAX;
use super::order::{LASTING_MAX, REASON_BYTES_MAX};
use super::revocation::TOKEN_ID_BYTES_MAX;
use super::table::LEVERS_MAX;
use wastegate::registry::PinError;

/// Why a lever is not set; each sentence names the key to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeverError {
    /// There are as many as there may be.
    #[error(
        "{LEVERS_MAX} limits, blocks, pins and revocations are set, as many as there may be: take some back, set a limit for many users by their tokens or by `limits.managers_per_user`, or revoke many tokens by when they were issued"
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
    /// No token has such an id.
    #[error(
        "the id of a token has 1 to {TOKEN_ID_BYTES_MAX} bytes: give the claim `jti` of the token"
    )]
    TokenId,
    /// One token is revoked whenever it was issued.
    #[error("`issued_before` is for the tokens of a user, or for all: leave it out for one token")]
    BeforeOfOne,
    /// Tokens that are not issued yet.
    #[error(
        "`issued_before` is in the future: give a moment that has passed, or leave it out for now; to keep a user out, block it"
    )]
    Ahead,
    /// Nothing could be said of when it ends.
    #[error(
        "`for_ms` has to be from 1 to {}: a pin has an end",
        LASTING_MAX.as_millis()
    )]
    PinLasting,
    /// The manager cannot be pinned.
    #[error("{0}")]
    Pin(PinError),
    /// So many at once, or none.
    #[error("`per_s` has to be from 1 to {PER_S_MAX}: so many connections are closed in a second")]
    Rate,
    /// No user may hold so many.
    #[error(
        "`managers` has to be from 1 to {most}, the limit of the node: to keep a user out, block it"
    )]
    Managers {
        /// How many the node may hold.
        most: u32,
    },
}
