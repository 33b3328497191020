//! TLS on the public listener: a certificate that can be replaced while the server runs, and a client
//! for backends that want it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::cryptography;

/// The one protocol that is spoken inside.
pub(super) const HTTP_1_1: &[u8] = b"http/1.1";

/// TLS on the public listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The certificate and those that vouch for it, PEM; none for plain text.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// Between two looks whether they were replaced. 60 s.
    pub rescan: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            rescan: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// The files, if there is a pair.
    #[must_use]
    pub fn files(&self) -> Option<CertificateFiles> {
        Some(CertificateFiles {
            certificate: self.certificate.clone()?,
            key: self.key.clone()?,
        })
    }
}

/// The files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those that vouch for it, PEM, the server's own first.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("{} (`{key}`) cannot be used", path.display())]
    File {
        /// The key that names it.
        key: &'static str,
        path: PathBuf,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A file has no certificate.
    #[error("{} (`{key}`) has no certificate", path.display())]
    Empty {
        /// The key that names it.
        key: &'static str,
        path: PathBuf,
    },
    /// They do not go together, or are not what they should be.
    #[error(
        "certificate {} (`gateway.tls.certificate`) and key {} (`gateway.tls.key`) cannot be used",
        certificate.display(), key.display()
    )]
    Pair {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
    /// The system's certificates cannot be used.
    #[error("the system's certificate authorities cannot be used")]
    System(#[source] rustls::Error),
}

/// What is served with.
struct Served {
    config: Arc<ServerConfig>,
    /// When the first certificate of the chain expires, seconds since the Unix epoch, as far as they can be read.
    expires_unix_s: Option<i64>,
}

/// The listener's side, whose certificate can be replaced.
pub struct Acceptor {
    files: CertificateFiles,
    current: ArcSwap<Served>,
    /// When the files were last changed, as far as they were read.
    changed: Mutex<Option<(SystemTime, SystemTime)>>,
}

impl Acceptor {
    /// With the certificate that is there now.
    ///
    /// # Errors
    /// [`TlsError`] with the file to mend.
    pub fn new(files: CertificateFiles) -> Result<Arc<Self>, TlsError> {
        cryptography::provide();
        let changed = files.changed();
        let served = files.read()?;
        Ok(Arc::new(Self {
            files,
            current: ArcSwap::from_pointee(served),
            changed: Mutex::new(changed),
        }))
    }

    /// Reads the files again if they were changed. Connections that are there are not touched; a
    /// certificate that cannot be used leaves the old one in place. True if there is a new one.
    ///
    /// # Errors
    /// [`TlsError`] with the file to mend.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let changed = self.files.changed();
        if changed.is_some() && *self.changed.lock() == changed {
            return Ok(false);
        }
        // Noted first: what cannot be used is told once, not at every look.
        *self.changed.lock() = changed;
        self.current.store(Arc::new(self.files.read()?));
        Ok(true)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current.load().config.clone().into()
    }

    /// Registers under `wastegate_gateway_`.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(CertificateCollector(self.clone())));
    }
}

#[derive(Debug)]
struct CertificateCollector(Arc<Acceptor>);

impl Collector for CertificateCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(expires) = self.0.current.load().expires_unix_s else {
            return Ok(());
        };
        let help = "When the first certificate of the public listener's chain expires, seconds since the Unix epoch";
        let name = "certificate_expiry_timestamp_seconds";
        let gauge = ConstGauge::new(expires);
        gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
    }
}

/// When the first of these expires, seconds since the Unix epoch; none if one cannot be read.
fn expiry(chain: &[CertificateDer<'_>]) -> Option<i64> {
    let expires = chain.iter().map(|certificate| {
        let (_, read) = x509_parser::parse_x509_certificate(certificate).ok()?;
        Some(read.validity().not_after.timestamp())
    });
    // None is less than any moment.
    expires.min().flatten()
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl CertificateFiles {
    fn changed(&self) -> Option<(SystemTime, SystemTime)> {
        let changed = |path: &Path| {
            std::fs::metadata(path)
                .and_then(|meta| meta.modified())
                .ok()
        };
        Some((changed(&self.certificate)?, changed(&self.key)?))
    }

    fn read(&self) -> Result<Served, TlsError> {
        let chain = certificates("gateway.tls.certificate", &self.certificate)?;
        let expires_unix_s = expiry(&chain);
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|source| TlsError::File {
            key: "gateway.tls.key",
            path: self.key.clone(),
            source,
        })?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|source| TlsError::Pair {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
                source,
            })?;
        // A WebSocket opens over HTTP/1.1 here.
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(Served {
            config: Arc::new(config),
            expires_unix_s,
        })
    }
}

/// The certificates of a file that a key names.
pub(super) fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let error = |source| TlsError::File {
        key,
        path: path.into(),
        source,
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(error)?
        .collect();
    let chain = chain.map_err(error)?;
    if chain.is_empty() {
        let path = path.into();
        return Err(TlsError::Empty { key, path });
    }
    Ok(chain)
}
