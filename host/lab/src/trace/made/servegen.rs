//! How active clients are, out of ServeGen's client traces (Apache-2.0), and sessions dealt to them.
//!
//! A file is a client; a line is ten minutes: its start (s), the rate (requests a second), its coefficient
//! of variation, a distribution and its two parameters. Only the mean rate is used: it says whose the
//! sessions of another trace might have been.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::chats::{Chat, Owner};
use super::random_draw::RandomDraws;
use crate::trace::error::{LineProblem, TraceError};
use crate::trace::fields::Fields;
use crate::trace::lines::{Lines, cannot_read};

/// Columns of a client's file.
const COLUMNS: usize = 6;

/// Users that sessions can be dealt to.
pub const USERS_MAX: usize = 1_000_000;

/// A client's mean rate, requests a second. A last line that was cut off is left out, and added to
/// `cut_off` with its file.
///
/// # Errors
/// [`TraceError`] with the file and the line.
pub fn rate(path: &Path, cut_off: &mut Vec<(PathBuf, u64)>) -> Result<f64, TraceError> {
    let file = File::open(path).map_err(|source| cannot_read(path, source))?;
    let mut lines = Lines::new(path, file)?;
    let mut fields = Fields::new(b',');
    let (mut sum, mut rows) = (0.0, 0.0);
    while lines.advance()? {
        match row(&lines, &mut fields) {
            Ok(None) => {}
            Ok(Some(rate)) => {
                sum += rate;
                rows += 1.0;
            }
            Err(_) if lines.may_be_cut() && rows > 0.0 => cut_off.push(lines.cut()),
            Err(problem) => return Err(lines.problem(problem)),
        }
    }
    cut_off.extend(lines.torn());
    if rows == 0.0 {
        return Err(TraceError::Empty {
            path: path.to_owned(),
            what: "event: no line of a ServeGen client is in it",
        });
    }
    Ok(sum / rows)
}

/// The rate of a line, requests a second; none of an empty one.
fn row(lines: &Lines<'_>, fields: &mut Fields) -> Result<Option<f64>, LineProblem> {
    let text = lines.text()?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let row = fields.of(text)?;
    let number = |place: usize| {
        row.get(place)
            .and_then(|field| field.trim().parse::<f64>().ok())
    };
    let is_one = |number: &f64| number.is_finite() && *number >= 0.0;
    let (start, rate) = (number(0).filter(is_one), number(1).filter(is_one));
    if row.len() == COLUMNS && start.is_some() && rate.is_some() {
        return Ok(rate);
    }
    Err(LineProblem::Json(
        "no line of a ServeGen client: start in seconds, rate a second, and four more fields, with commas between"
            .to_owned(),
    ))
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
