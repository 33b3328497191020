//! Settings of requests that are no upgrade.

use std::time::Duration;

use super::Most;
use crate::gateway::caps;

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
    /// Such requests a second, of all; 0 for no limit. 0.
    pub requests_per_s_max: u32,
    /// The same of one address. 500.
    pub requests_per_address_per_s_max: u32,
    /// Connections that bring them, at once; 0 for no limit but that of descriptors. 4,096.
    pub connections_max: u32,
    /// The same of one address. 256.
    pub connections_per_address_max: u32,
    /// How long such a connection may rest between two requests; no longer than a request head may take
    /// in any case. 5 s.
    pub rest: Duration,
}

impl Config {
    /// How many requests may be under way.
    pub(in crate::gateway) const fn requests(&self) -> Most {
        Most {
            all: self.requests_max,
            of_address: self.requests_per_address_max,
        }
    }

    /// How many connections may bring them.
    pub(in crate::gateway) const fn connections(&self) -> Most {
        Most {
            all: self.connections_max,
            of_address: self.connections_per_address_max,
        }
    }

    /// How fast they may come.
    pub(in crate::gateway) fn rates(&self) -> caps::Config {
        caps::Config {
            per_s_max: self.requests_per_s_max,
            per_address_per_s_max: self.requests_per_address_per_s_max,
            ..caps::Config::default()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            style: Style::Pass,
            head_timeout: Duration::from_secs(120),
            idle: Duration::from_secs(300),
            requests_max: 2_048,
            requests_per_address_max: 256,
            requests_per_s_max: 0,
            requests_per_address_per_s_max: 500,
            connections_max: 4_096,
            connections_per_address_max: 256,
            rest: Duration::from_secs(5),
        }
    }
}
