//! TLS on both sides, with a certificate that is replaced while clients are there.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use wastegate::tasks::Tasks;

use crate::behind::{greeting, in_front_of, serve};
use crate::knock::{echo, knock, over, status};

/// An authority of our own, and what it signs for this machine, as files.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn write(&self, folder: &Path, serial: u64) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.serial_number = Some(serial.into());
        let certificate = params.signed_by(&key, &self.0).unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.join("ca.pem"), self.0.pem()).unwrap();
    }

    /// A client that trusts nobody else.
    fn connector(&self) -> TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }
}

pub(crate) async fn encrypted(
    authority: &Authority,
    address: SocketAddr,
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    authority.connector().connect(name, stream).await.unwrap()
}

fn serial(stream: &tokio_rustls::client::TlsStream<TcpStream>) -> Vec<u8> {
    let (_, session) = stream.get_ref();
    session.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_on_both_sides_with_a_certificate_that_is_replaced() {
    wastegate::cryptography::provide();
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.write(folder.path(), 1);
    // A backend that speaks TLS only.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = listener.local_addr().unwrap();
    let chain = rustls::pki_types::CertificateDer::pem_file_iter(folder.path().join("cert.pem"));
    let chain = chain.unwrap().map(Result::unwrap).collect();
    let key = rustls::pki_types::PrivateKeyDer::from_pem_file(folder.path().join("key.pem"));
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key.unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Tasks::new().spawn("backend", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            Tasks::new().spawn("backend", async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve("tls", stream).await;
                }
            });
        }
    });
    let upstream = format!("wss://localhost:{}", backend.port());
    let files = |name: &str| Some(folder.path().join(name));
    let server = in_front_of(std::slice::from_ref(&upstream))
        .with(|config| {
            config.gateway.tls.certificate = files("cert.pem");
            config.gateway.tls.key = files("key.pem");
            config.gateway.tls.rescan = Duration::from_millis(100);
            config.gateway.upstream_authorities = files("ca.pem");
        })
        .start()
        .await;
    let stream = encrypted(&authority, server.address).await;
    let first = serial(&stream);
    let mut client = over(stream, "localhost", "/ws?user=ann&key=a", &[])
        .await
        .unwrap();
    assert_eq!(greeting(&mut client).await, "tls 127.0.0.1 https");
    echo(&mut client, &"long ".repeat(10_000)).await;

    // The next client sees the new certificate, and who is connected sees nothing.
    authority.write(folder.path(), 2);
    let mut seen = first.clone();
    while seen == first {
        seen = serial(&encrypted(&authority, server.address).await);
    }
    // A certificate that is none leaves the last one in place.
    std::fs::write(folder.path().join("cert.pem"), "none").unwrap();
    echo(&mut client, "still").await;
    let again = encrypted(&authority, server.address).await;
    assert_eq!(serial(&again), seen);
    // Plain text is no greeting here.
    assert_eq!(status(knock(server.address, "/ws?user=bob", &[]).await), 0);

    // A backend whose certificate nobody vouches for gets nothing of a client.
    let strangers = tempfile::tempdir().unwrap();
    Authority::new().write(strangers.path(), 3);
    let ca = Some(strangers.path().join("ca.pem"));
    let server = in_front_of(&[upstream])
        .with(|config| config.gateway.upstream_authorities = ca)
        .start()
        .await;
    assert_eq!(
        status(knock(server.address, "/ws?user=ann", &[]).await),
        502
    );
    server.holds("ann", 0).await;
}
