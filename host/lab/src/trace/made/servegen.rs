//! How active clients are, out of ServeGen's client traces (Apache-2.0), and sessions dealt to them.
//!
//! A file is a client; a line is ten minutes: its start (s), the rate (requests a second), its coefficient
//! of variation, a distribution and its two parameters. Only the mean rate is used: it says whose the
//! sessions of another trace might have been.

use std::path::Path;

use super::chats::{Chat, Owner};
use super::random_draw::RandomDraws;
use crate::trace::error::{LineProblem, TraceError};

/// Users that sessions can be dealt to.
pub const USERS_MAX: usize = 1_000_000;

/// A client's mean rate, requests a second.
///
/// # Errors
/// [`TraceError`] with the file and the line.
pub fn rate(path: &Path) -> Result<f64, TraceError> {
    let text = std::fs::read_to_string(path).map_err(|source| TraceError::Read {
        path: path.to_owned(),
        source,
    })?;
    let (mut sum, mut rows) = (0.0, 0.0);
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let rate = line
            .split(',')
            .nth(1)
            .and_then(|rate| rate.trim().parse::<f64>().ok());
        let rate = rate.filter(|rate| rate.is_finite() && *rate >= 0.0);
        sum += rate.ok_or_else(|| TraceError::Line {
            path: path.to_owned(),
            line: number,
            problem: LineProblem::Json(
                "no line of a ServeGen client: start in seconds, rate a second, and four more numbers, with commas between".to_owned(),
            ),
        })?;
        rows += 1.0;
    }
    if rows == 0.0 {
        return Err(TraceError::Empty {
            path: path.to_owned(),
            format: "servegen",
        });
    }
    Ok(sum / rows)
}

/// Deals sessions to users: to clients by their rates, and within a client evenly to as many users.
#[must_use]
pub fn deal(chats: Vec<Chat>, rates: &[f64], per_client: u64, seed: u64) -> Vec<Owner> {
    let dealt = chats.into_iter().map(|chat| {
        let mut draws = RandomDraws::of(seed, chat.number);
        let client = draws.weighted(rates).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "users are far below 2^53")]
        let user = super::random_draw::ms(draws.even() * per_client.max(1) as f64);
        Owner {
            user: format!("client-{client}-user-{user}"),
            chat,
        }
    });
    dealt.collect()
}

/// Rates that fall as a power of the place: Zipf's law.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "users are far below 2^53")]
pub fn zipf(users: usize, exponent: f64) -> Vec<f64> {
    (1..=users)
        .map(|place| (place as f64).powf(-exponent))
        .collect()
}
