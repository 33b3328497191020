//! Settings of the room.

use std::time::Duration;

/// How long an admission may take and what happens where nothing may be evicted.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Within which every admission is admitted, queued or refused. 2 s.
    pub budget: Duration,
    /// Connection attempts of one user in `rate_window`; 0 for no limit. 0.
    pub rate_max: u32,
    /// The window of `rate_max`. 60 s.
    pub rate_window: Duration,
    /// Users whose attempts are counted at once; above it the longest quiet are forgotten. 100,000.
    pub rate_users_max: usize,
    /// Clients of one user that may wait for a slot; 0 switches queueing off. 0.
    pub queue_length_max: usize,
    /// How long a client may wait in the queue. 30 s.
    pub queue_wait: Duration,
    /// What a refused client is told to wait where nothing better is known. 5 s.
    pub retry_after: Duration,
    /// Takeovers of a connection that answers by a newer one of the same device in `takeover_window`,
    /// after which each next one has to wait longer; 0 for no limit. 5.
    pub takeovers_max: u32,
    /// The window of `takeovers_max`, and the longest such wait. 60 s.
    pub takeover_window: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(2),
            rate_max: 0,
            rate_window: Duration::from_secs(60),
            rate_users_max: 100_000,
            queue_length_max: 0,
            queue_wait: Duration::from_secs(30),
            retry_after: Duration::from_secs(5),
            takeovers_max: 5,
            takeover_window: Duration::from_secs(60),
        }
    }
}
