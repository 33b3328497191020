//! How a backend is reached: TCP, and TLS where its URL wants that.

#[cfg(feature = "tls")]
use std::path::Path;
#[cfg(feature = "tls")]
use std::sync::Arc;

#[cfg(feature = "tls")]
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
#[cfg(feature = "tls")]
use rustls_platform_verifier::ConfigVerifierExt;
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::TlsConnector;

use super::{Upstream, UpstreamError, Wire};
#[cfg(feature = "tls")]
use crate::connection::Plain;
use crate::connection::Transport;
use crate::gateway::GatewayError;
use crate::gateway::config::Config;
#[cfg(feature = "tls")]
use crate::gateway::tls::{self, TlsError};

/// Opens connections to backends.
#[derive(Clone)]
pub(in crate::gateway) struct Dialer {
    /// None where no backend wants it.
    #[cfg(feature = "tls")]
    tls: Option<TlsConnector>,
}

impl Dialer {
    /// For these backends of a configuration.
    #[cfg(feature = "tls")]
    pub(in crate::gateway) fn of<'a>(
        config: &Config,
        backends: impl IntoIterator<Item = &'a Upstream>,
    ) -> Result<Self, GatewayError> {
        let encrypted = backends.into_iter().any(Upstream::is_encrypted);
        let authorities = config.upstream_authorities.as_deref();
        let tls = encrypted.then(|| connector(authorities)).transpose()?;
        Ok(Self { tls })
    }

    /// For these backends of a configuration.
    #[cfg(not(feature = "tls"))]
    pub(in crate::gateway) fn of<'a>(
        _: &Config,
        _: impl IntoIterator<Item = &'a Upstream>,
    ) -> Result<Self, GatewayError> {
        Ok(Self {})
    }

    /// Opens a connection to a backend.
    pub(in crate::gateway) async fn reach(
        &self,
        backend: &Upstream,
    ) -> Result<Transport, UpstreamError> {
        let stream = TcpStream::connect((backend.host(), backend.port()))
            .await
            .map_err(UpstreamError::Connect)?;
        // Messages are whole by the time they are written.
        stream.set_nodelay(true).map_err(UpstreamError::Connect)?;
        match backend.wire {
            Wire::Plain => Ok(stream.into()),
            #[cfg(feature = "tls")]
            Wire::Tls => self.encrypt(stream, backend.host()).await,
        }
    }

    #[cfg(feature = "tls")]
    async fn encrypt(&self, stream: TcpStream, host: &str) -> Result<Transport, UpstreamError> {
        let invalid = |error| UpstreamError::Tls(std::io::Error::other(error));
        let name = ServerName::try_from(host.to_owned()).map_err(invalid)?;
        let Some(connector) = &self.tls else {
            // It was made for other backends than this one.
            return Err(UpstreamError::Tls(std::io::ErrorKind::Unsupported.into()));
        };
        let connected = connector.connect(name, Plain::from(stream)).await;
        let connected = connected.map_err(UpstreamError::Tls)?;
        Ok(Transport::Tls(Box::new(connected.into())))
    }
}

/// The client's side of TLS: backends are checked by these authorities, or by the system's.
#[cfg(feature = "tls")]
fn connector(authorities: Option<&Path>) -> Result<TlsConnector, TlsError> {
    crate::cryptography::provide();
    let mut config = match authorities {
        None => ClientConfig::with_platform_verifier().map_err(TlsError::System)?,
        Some(path) => {
            let (key, mut roots) = ("gateway.upstream_authorities", RootCertStore::empty());
            roots.add_parsable_certificates(tls::certificates(key, path)?);
            if roots.is_empty() {
                let path = path.into();
                return Err(TlsError::Empty { key, path });
            }
            ClientConfig::builder()
                .with_root_certificates(roots)
                .with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![tls::HTTP_1_1.to_vec()];
    Ok(Arc::new(config).into())
}
