//! Sessions from nothing: how often, how long, how far apart, all declared.

use super::chats::{Chat, Owner, Turn};
use super::random_draw::{RandomDraws, ms};
use super::servegen::zipf;

/// Between two turns of a session, ms: median and 90th percentile as in Mooncake's conversations.
const GAP_MS: (f64, f64) = (123_000.0, 480_000.0);
/// How fast an answer streams and how large it is.
const ANSWER_MS_MEAN: f64 = 8_000.0;
const BYTES_PER_MS: f64 = 0.2;

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// The number of users that are made up.
    pub users: usize,
    /// For how long, hours.
    pub hours: f64,
    /// Sessions that a user begins in an hour, in the mean.
    pub sessions_per_hour: f64,
    /// How uneven users are: the exponent of Zipf's law, 0 for even.
    pub skew: f64,
    /// Turns of a session, in the mean; at least 1.
    pub turns: f64,
    /// From which everything is drawn.
    pub seed: u64,
}

/// Makes sessions, in the order of users and time.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "users are far below 2^53")]
pub fn sessions(shape: &Shape) -> Vec<Owner> {
    let weights = zipf(shape.users, shape.skew);
    let scale = shape.users as f64 / weights.iter().sum::<f64>();
    let (end_ms, mut owners) = (shape.hours * 3_600_000.0, Vec::new());
    for (user, weight) in weights.iter().enumerate() {
        let mut draws = RandomDraws::of(shape.seed, user as u64);
        let every_ms = 3_600_000.0 / (shape.sessions_per_hour * weight * scale).max(1e-9);
        let mut at_ms = draws.exponential(every_ms);
        while at_ms < end_ms {
            let chat = Chat {
                number: owners.len() as u64,
                turns: turns(&mut draws, at_ms, end_ms, shape.turns),
            };
            owners.push(Owner {
                user: format!("user-{user}"),
                chat,
            });
            at_ms += draws.exponential(every_ms);
        }
    }
    owners
}

/// At least one turn, then more with an even chance each: their number is geometric.
fn turns(draws: &mut RandomDraws, from_ms: f64, end_ms: f64, mean: f64) -> Vec<Turn> {
    let (mut turns, mut at_ms) = (Vec::new(), from_ms);
    loop {
        let answer_ms = draws.exponential(ANSWER_MS_MEAN);
        turns.push(Turn {
            at_ms: ms(at_ms),
            answer_ms: ms(answer_ms),
            answer_bytes: ms(answer_ms * BYTES_PER_MS),
        });
        at_ms += answer_ms + draws.log_normal(GAP_MS.0, GAP_MS.1);
        if at_ms >= end_ms || !draws.happens(1.0 - 1.0 / mean.max(1.0)) {
            return turns;
        }
    }
}
