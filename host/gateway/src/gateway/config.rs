//! Settings of the room.

use std::net::IpAddr;
#[cfg(all(feature = "upstream", feature = "tls"))]
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "upstream")]
use axum::http::StatusCode;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

#[cfg(feature = "upstream")]
use super::http;
use super::origin::{AllowedOrigin, MissingOrigin};
#[cfg(feature = "tls")]
use super::tls;
#[cfg(feature = "upstream")]
use super::upstream::{Balance, Upstream, UpstreamHost};
use super::{caps, flap, route};

/// How a refusal reaches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalStyle {
    /// HTTP 429 or 503 with `Retry-After`. Browsers hide it from their scripts.
    Http,
    /// The upgrade is answered, then closed with a code and reason that scripts can read.
    Close,
}

/// What `/readyz` says while every backend is away.
#[cfg(feature = "upstream")]
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
    /// The paths that are served: of the built-in application this one, in front of backends it and
    /// everything beneath it. None for `/ws` of the application, and for all paths in front of
    /// backends. None.
    pub path: Option<route::Prefix>,
    /// How long a client has to send its request head. 5 s.
    pub header_timeout: Duration,
    /// The largest request head, bytes. 16 KiB.
    pub header_bytes_max: usize,
    /// Headers in a request. 64.
    pub headers_max: usize,
    /// How a refusal reaches the client. HTTP.
    pub refusal: RefusalStyle,
    /// Origins whose pages may connect besides the gateway's own; empty also lets in every client with
    /// a token that no foreign page has. None.
    pub origins: Vec<AllowedOrigin>,
    /// What a request is answered that has a cookie and no `Origin`. A refusal.
    pub origin_missing: MissingOrigin,
    /// Addresses of proxies that are believed when they say for whom they speak, and are not counted
    /// like one client. Loopback.
    pub trusted_proxies: Vec<IpNet>,
    /// Trusted proxies begin every connection with a PROXY header, version 2. No.
    pub proxy_protocol: bool,
    /// The certificate of the public listener. Default: none, so TLS is off.
    #[cfg(feature = "tls")]
    pub tls: tls::Config,
    /// Which handshakes are accepted.
    pub caps: caps::Config,
    /// Who comes and goes too often.
    pub flap: flap::Config,
    /// The backends that connections are handed on to; none for the built-in application.
    #[cfg(feature = "upstream")]
    pub upstream: Vec<Upstream>,
    /// Routes with backends and settings of their own. None.
    #[cfg(feature = "upstream")]
    pub routes: Vec<route::Config>,
    /// Requests that are no upgrade.
    #[cfg(feature = "upstream")]
    pub http: http::Config,
    /// Which host they are asked for. The client's.
    #[cfg(feature = "upstream")]
    pub upstream_host: UpstreamHost,
    /// How long a backend's connection is kept for a client that was lost; zero for not at all. 0.
    #[cfg(feature = "upstream")]
    pub upstream_grace: Duration,
    /// What it may say meanwhile, bytes, before it is given up. 64 KiB.
    #[cfg(feature = "upstream")]
    pub upstream_held_bytes_max: usize,
    /// Which of several backends gets a connection. The one with the fewest.
    #[cfg(feature = "upstream")]
    pub upstream_balance: Balance,
    /// Between two looks whether backends that could not be reached can be now; zero to learn it from
    /// clients only. 5 s.
    #[cfg(feature = "upstream")]
    pub upstream_check: Duration,
    /// Certificate authorities of backends, PEM; none for those of the system.
    #[cfg(all(feature = "upstream", feature = "tls"))]
    pub upstream_authorities: Option<PathBuf>,
    /// How long backends have to take a connection and to answer its upgrade, all that are tried for one
    /// client together. 5 s.
    #[cfg(feature = "upstream")]
    pub upstream_timeout: Duration,
    /// Attempts beside another one that has not answered in its share of the time, of all clients at once. Each
    /// has a descriptor. Beyond it the one that has not answered is given up before the next backend is asked.
    /// 256.
    #[cfg(feature = "upstream")]
    pub upstream_hedges_max: usize,
    /// Answers to an upgrade that say that a backend is sick: it is left alone for a while, and the next
    /// one is asked. 502, 503, 504.
    #[cfg(feature = "upstream")]
    pub upstream_unhealthy_statuses: Vec<StatusCode>,
    /// What `/readyz` says while every backend is away. 503.
    #[cfg(feature = "upstream")]
    pub readyz_without_backend: WithoutBackend,
    /// How long `/readyz` answers 503 before the first client is asked to go when the server stops,
    /// if there are connections. New clients are let in meanwhile. 1 s.
    pub drain_readyz: Duration,
    /// Over which time clients are asked to go when the server stops, evenly, so that they do not all
    /// come back to another one at once. 5 s.
    pub drain_spread: Duration,
    /// How long connections have to end after that. 10 s.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: None,
            header_timeout: Duration::from_secs(5),
            header_bytes_max: 16 * 1_024,
            headers_max: 64,
            refusal: RefusalStyle::Http,
            origins: Vec::new(),
            origin_missing: MissingOrigin::RefuseWithCookie,
            trusted_proxies: loopback(),
            proxy_protocol: false,
            #[cfg(feature = "tls")]
            tls: tls::Config::default(),
            caps: caps::Config::default(),
            flap: flap::Config::default(),
            #[cfg(feature = "upstream")]
            upstream: Vec::new(),
            #[cfg(feature = "upstream")]
            routes: Vec::new(),
            #[cfg(feature = "upstream")]
            http: http::Config::default(),
            #[cfg(feature = "upstream")]
            upstream_host: UpstreamHost::Client,
            #[cfg(feature = "upstream")]
            upstream_grace: Duration::ZERO,
            #[cfg(feature = "upstream")]
            upstream_held_bytes_max: 64 * 1_024,
            #[cfg(feature = "upstream")]
            upstream_balance: Balance::LeastConnections,
            #[cfg(feature = "upstream")]
            upstream_check: Duration::from_secs(5),
            #[cfg(all(feature = "upstream", feature = "tls"))]
            upstream_authorities: None,
            #[cfg(feature = "upstream")]
            upstream_timeout: Duration::from_secs(5),
            #[cfg(feature = "upstream")]
            upstream_hedges_max: 256,
            drain_readyz: Duration::from_secs(1),
            #[cfg(feature = "upstream")]
            upstream_unhealthy_statuses: vec![
                StatusCode::BAD_GATEWAY,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ],
            #[cfg(feature = "upstream")]
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
    /// Whether peers at this address may speak for clients.
    #[must_use]
    pub(crate) fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|net| net.contains(&address))
    }
}
