//! Settings of the room.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::StatusCode;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::upstream::{Balance, Upstream};
use super::{caps, flap, tls};

/// How a refusal reaches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalStyle {
    /// HTTP 429 or 503 with `Retry-After`. Browsers hide it from their scripts.
    Http,
    /// The upgrade is answered, then closed with a code and reason that scripts can read.
    Close,
}

/// What `/readyz` says while every backend is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutBackend {
    /// 503: a balancer sends clients elsewhere.
    Fail,
    /// 200: clients come here and are refused.
    Pass,
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
    /// Origins whose pages may connect, exactly, or `*`; empty for pages of the same host only, and
    /// for whoever has a token that no foreign page has. None.
    pub origins: Vec<String>,
    /// Addresses of proxies that are believed when they say for whom they speak, and are not counted
    /// like one client. Loopback.
    pub trusted_proxies: Vec<IpNet>,
    /// Trusted proxies begin every connection with a PROXY header, version 2. No.
    pub proxy_protocol: bool,
    /// TLS. None.
    pub tls: tls::Config,
    /// Who may knock.
    pub caps: caps::Config,
    /// Who comes and goes too often.
    pub flap: flap::Config,
    /// The backends that connections are handed on to; none for the built-in application.
    pub upstream: Vec<Upstream>,
    /// How long a backend's connection is kept for a client that was lost; zero for not at all. 0.
    pub upstream_grace: Duration,
    /// What it may say meanwhile, bytes, before it is given up. 64 KiB.
    pub upstream_held_bytes_max: usize,
    /// Which of several backends gets a connection. The one with the fewest.
    pub upstream_balance: Balance,
    /// Between two looks whether backends that could not be reached can be now; zero to learn it from
    /// clients only. 5 s.
    pub upstream_check: Duration,
    /// Certificate authorities of backends, PEM; none for those of the system.
    pub upstream_authorities: Option<PathBuf>,
    /// How long backends have to take a connection and to answer its upgrade, all that are tried for one
    /// client together. 5 s.
    pub upstream_timeout: Duration,
    /// Answers to an upgrade that say that a backend is sick: it is left alone for a while, and the next
    /// one is asked. 502, 503, 504.
    pub upstream_unhealthy_statuses: Vec<StatusCode>,
    /// What `/readyz` says while every backend is away. 503.
    pub readyz_without_backend: WithoutBackend,
    /// Over which time clients are told to go when the server stops, so that they do not all come
    /// back to another one at once. A few go at once however long it is. 5 s.
    pub drain_spread: Duration,
    /// How long connections have to end after that. 10 s.
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
            origins: Vec::new(),
            trusted_proxies: loopback(),
            proxy_protocol: false,
            tls: tls::Config::default(),
            caps: caps::Config::default(),
            flap: flap::Config::default(),
            upstream: Vec::new(),
            upstream_grace: Duration::ZERO,
            upstream_held_bytes_max: 64 * 1_024,
            upstream_balance: Balance::LeastConnections,
            upstream_check: Duration::from_secs(5),
            upstream_authorities: None,
            upstream_timeout: Duration::from_secs(5),
            upstream_unhealthy_statuses: vec![
                StatusCode::BAD_GATEWAY,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ],
            readyz_without_backend: WithoutBackend::Fail,
            drain_spread: Duration::from_secs(5),
            drain: Duration::from_secs(10),
        }
    }
}

fn loopback() -> Vec<IpNet> {
    let v4 = Ipv4Net::new([127, 0, 0, 0].into(), 8).map(IpNet::from);
    let v6 = Ipv6Net::new([0, 0, 0, 0, 0, 0, 0, 1].into(), 128).map(IpNet::from);
    [v4, v6].into_iter().flatten().collect()
}

impl Config {
    /// Whether whoever connects from there may speak for others.
    #[must_use]
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|net| net.contains(&address))
    }
}
