//! What an operator may set about the operators' listener. Checked by `config`, which holds the ranges.

use std::path::PathBuf;
use std::time::Duration;

/// The room's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Names, without ports, that requests may be for besides `localhost` and the listener's address, in
    /// lower case. None.
    pub hosts: Vec<String>,
    /// The file of more tokens, each with a name and a role. None.
    pub tokens_file: Option<PathBuf>,
    /// Whether `/metrics` is shown to who has no token. False.
    pub metrics_without_token: bool,
    /// Connections at once. 256.
    pub connections_max: usize,
    /// Connections beside them that may only ask for `/healthz` and `/readyz`. 8.
    pub probes_reserved: usize,
    /// How long a connection may last that has not shown the token. 10 s.
    pub stranger_lifetime: Duration,
    /// How long an operator's connection may rest between two requests, or take nothing of an answer.
    /// 1 min.
    pub idle_max: Duration,
    /// How long one request may take until it is answered, its body included. 10 min.
    pub request_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            tokens_file: None,
            metrics_without_token: false,
            connections_max: 256,
            probes_reserved: 8,
            stranger_lifetime: Duration::from_secs(10),
            idle_max: Duration::from_secs(60),
            request_max: Duration::from_secs(600),
        }
    }
}
