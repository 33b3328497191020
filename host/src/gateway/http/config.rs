//! Settings of requests that are no upgrade.

use std::time::Duration;

/// What happens to a request that is no upgrade, where there are backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// It is handed on.
    Pass,
    /// It is refused: 404, 405, 426 or 400.
    Refuse,
}

/// Requests that are no upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What happens to them. Handed on.
    pub style: Style,
    /// How long a backend has to begin its answer, from when it has the request. 120 s.
    pub head_timeout: Duration,
    /// How long nothing may move of a body on its way, either way. 300 s.
    pub idle: Duration,
    /// Requests under way at once, of all; 0 for no limit. 2,048.
    pub requests_max: u32,
    /// The same of one address. 256.
    pub requests_per_address_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            style: Style::Pass,
            head_timeout: Duration::from_secs(120),
            idle: Duration::from_secs(300),
            requests_max: 2_048,
            requests_per_address_max: 256,
        }
    }
}
