//! What strangers meet first on the public listener: caps, proxies' words, TLS.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::net::TcpStream;

use super::Gateway;
use super::caps::{Cap, HalfOpen};
use super::config::Config;
use super::peer::ClientNetwork;
#[cfg(feature = "tls")]
use super::tls;
use crate::admission::Admission;
#[cfg(feature = "tls")]
use crate::connection::Plain;
use crate::connection::Transport;
use crate::observe::metrics::Label;
use wastegate_core::types::Timestamp;

/// The public listener's door.
pub struct Door {
    gateway: Arc<Gateway>,
    wire: Wire,
}

/// What is spoken below HTTP.
enum Wire {
    Plain,
    #[cfg(feature = "tls")]
    Tls(Arc<tls::Acceptor>),
}

impl Door {
    /// Of a gateway whose clients speak plain text.
    #[must_use]
    pub fn plain(gateway: Arc<Gateway>) -> Arc<Self> {
        let wire = Wire::Plain;
        Arc::new(Self { gateway, wire })
    }

    /// Of a gateway whose clients speak TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn encrypted(gateway: Arc<Gateway>, tls: Arc<tls::Acceptor>) -> Arc<Self> {
        let wire = Wire::Tls(tls);
        Arc::new(Self { gateway, wire })
    }

    /// The gateway's settings, as they are for a connection that begins now.
    pub(super) fn config(&self) -> Arc<Config> {
        self.gateway.config()
    }

    /// Whether bytes that are not encrypted would be noise.
    pub(super) const fn encrypts(&self) -> bool {
        !matches!(self.wire, Wire::Plain)
    }

    /// Counts a connection from an address; an error if it is one too many.
    pub(super) fn begin_handshake(&self, address: IpAddr) -> Result<HalfOpen, ()> {
        let config = self.config();
        let address = address.to_canonical();
        let is_trusted = config.is_trusted(address);
        let origin = (!is_trusted).then(|| ClientNetwork::from(address));
        let now = self.gateway.session.clock.now();
        let half_open = self.gateway.caps.begin_handshake(origin, &config.caps, now);
        half_open.map_err(|cap| self.count(cap))
    }

    /// Counts a connection that is turned away.
    pub(super) fn count(&self, cap: Cap) {
        let metrics = &self.gateway.metrics;
        metrics.turned_away.get_or_create(&Label(cap)).inc();
    }

    /// Measures how long an upgrade took that was answered now, if it succeeded.
    pub(super) fn answered(&self, status: StatusCode, begun: Timestamp) {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            let took = self.now().since(begun);
            let handshake = &self.gateway.metrics.handshake;
            handshake.observe(took.as_secs_f64());
        }
    }

    /// The time by which connections are measured.
    pub(super) fn now(&self) -> Timestamp {
        self.gateway.session.clock.now()
    }

    /// How long a connection that began then may still be a stranger's.
    pub(super) fn half_open_left(&self, begun: Timestamp) -> Duration {
        let lifetime = self.config().caps.half_open_lifetime;
        lifetime.saturating_sub(self.now().since(begun))
    }

    /// How long a connection may rest between two requests.
    pub(super) fn rest(&self) -> Duration {
        #[cfg(feature = "upstream")]
        let rest = self.config().http.rest;
        // Without backends each answer but that to an upgrade closes it.
        #[cfg(not(feature = "upstream"))]
        let rest = self.config().header_timeout;
        rest
    }

    /// Whether peers at this address announce the client that they speak for (PROXY protocol).
    pub(super) fn hears_proxies(&self, address: IpAddr) -> bool {
        let config = self.config();
        config.proxy_protocol && config.is_trusted(address.to_canonical())
    }

    /// Who is asked when a connection finds no place.
    pub(super) fn admission(&self) -> &Arc<Admission> {
        &self.gateway.admission
    }

    /// What HTTP is spoken over on a socket, once it is there.
    pub(super) async fn open(&self, stream: TcpStream) -> io::Result<Transport> {
        match &self.wire {
            Wire::Plain => Ok(stream.into()),
            #[cfg(feature = "tls")]
            Wire::Tls(tls) => {
                let accepted = tls.acceptor().accept(Plain::from(stream)).await?;
                Ok(Transport::Tls(Box::new(accepted.into())))
            }
        }
    }
}
