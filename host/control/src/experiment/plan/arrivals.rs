//! How many users an experiment would have after so many hours, by when they came in a recording.

use super::{RecordedUser, RecordedUsers};

/// When users first needed room, and how many do per hour once the recording is over.
pub(super) struct Arrivals {
    /// Hours after the beginning, in order.
    after_hours: Vec<f64>,
    /// How long the recording is, hours.
    hours: f64,
    /// The share of those users who take part, times the share of them in two compared arms.
    taken: f64,
    /// Users per hour that were first seen in the second half of the recording and needed room in it: the first half
    /// has those who are always there, whenever they first need room.
    later: f64,
}

impl Arrivals {
    #[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond anybody")]
    pub(super) fn new(recorded: &RecordedUsers, taken: f64) -> Self {
        let mut after_hours: Vec<f64> = recorded.exposed.iter().map(|it| it.after_hours).collect();
        after_hours.sort_by(f64::total_cmp);
        let half = recorded.hours / 2.0;
        let seen_late = |it: &&RecordedUser| it.seen_after_hours > half;
        let late = recorded.exposed.iter().filter(seen_late).count();
        Self {
            later: if half > 0.0 { late as f64 / half } else { 0.0 },
            hours: recorded.hours,
            after_hours,
            taken,
        }
    }

    /// Users of the two arms after so many hours.
    #[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond anybody")]
    pub(super) fn users(&self, hours: f64) -> f64 {
        let come = self.after_hours.partition_point(|at| *at <= hours) as f64;
        let beyond = (hours - self.hours).max(0.0) * self.later;
        (come + beyond) * self.taken
    }

    /// Hours until so many users are in the two arms; none if they never are.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "2^53 users are beyond anybody, and a number of users is not below zero"
    )]
    pub(super) fn hours(&self, users: f64) -> Option<f64> {
        let wanted = users / self.taken;
        if !wanted.is_finite() {
            return None;
        }
        let all = self.after_hours.len() as f64;
        if wanted <= all {
            let place = (wanted.ceil() as usize).saturating_sub(1);
            return self.after_hours.get(place).copied().or(Some(0.0));
        }
        (self.later > 0.0).then(|| self.hours + (wanted - all) / self.later)
    }
}
