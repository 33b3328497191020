//! Settings of the room.

use std::time::Duration;

use super::upstream::Upstream;

/// How a refusal reaches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalStyle {
    /// HTTP 429 or 503 with `Retry-After`. Browsers hide it from their scripts.
    Http,
    /// The upgrade is answered, then closed with a code and reason that scripts can read.
    Close,
}

/// The public listener.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The path that upgrades. `/ws`.
    pub path: String,
    /// How long a client has to send its request head. 5 s.
    pub header_timeout: Duration,
    /// The largest request head, bytes. 16 KiB.
    pub header_bytes_max: usize,
    /// Headers in a request. 64.
    pub headers_max: usize,
    /// How a refusal reaches the client. HTTP.
    pub refusal: RefusalStyle,
    /// The backend that every connection is handed on to; none for the built-in application.
    pub upstream: Option<Upstream>,
    /// How long the backend has to take a connection and to answer its upgrade. 5 s.
    pub upstream_timeout: Duration,
    /// How long connections have to end after the server was told to stop. 10 s.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/ws".to_owned(),
            header_timeout: Duration::from_secs(5),
            header_bytes_max: 16 * 1_024,
            headers_max: 64,
            refusal: RefusalStyle::Http,
            upstream: None,
            upstream_timeout: Duration::from_secs(5),
            drain: Duration::from_secs(10),
        }
    }
}
