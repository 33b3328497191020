//! What strangers meet first on the public listener: caps, proxies' words, TLS.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use super::Gateway;
use super::caps::{Cap, HalfOpen};
use super::config::Config;
use super::peer::ClientNetwork;
use super::tls;
use crate::admission::Admission;
use crate::observe::metrics::Label;
use wastegate_core::types::Timestamp;

/// The public listener's door.
pub struct Door {
    gateway: Arc<Gateway>,
    tls: Option<Arc<tls::Acceptor>>,
}

impl Door {
    /// Of a gateway, with TLS if there is a certificate.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, tls: Option<Arc<tls::Acceptor>>) -> Arc<Self> {
        Arc::new(Self { gateway, tls })
    }

    /// The gateway's settings, as they are for a connection that begins now.
    pub(super) fn config(&self) -> Arc<Config> {
        self.gateway.config()
    }

    /// Whether bytes that are not encrypted would be noise.
    pub(super) const fn encrypts(&self) -> bool {
        self.tls.is_some()
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
        self.config().http.rest
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

    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.tls.as_ref().map(|tls| tls.acceptor())
    }
}
