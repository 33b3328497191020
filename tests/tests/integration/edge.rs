//! What strangers meet first: caps, bans, proxies' words, TLS; several backends; settings that change.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use wastegate::gateway::upstream::Balance;
use wastegate::manager::NoApplication;
use wastegate::types::Tasks;
use wastegate_tests::harness::{Program, Setup, until, within};

use crate::knock::{closed, echo, knock, over, status};

/// A server of somebody else that says its name, then echoes.
async fn backend(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Tasks::new().spawn("backend", async move {
        while let Ok((stream, _)) = listener.accept().await {
            Tasks::new().spawn("backend", serve(name, stream));
        }
    });
    address
}

async fn serve<S>(name: &'static str, stream: S)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut said = String::new();
    #[expect(clippy::result_large_err, reason = "it is what the library asks for")]
    let note = |request: &Request, mut response: Response| {
        let header = |name| request.headers().get(name).map(|it| it.to_str().unwrap());
        said = format!(
            "{name} {} {}",
            header("x-forwarded-for").unwrap_or_default(),
            header("x-forwarded-proto").unwrap_or_default(),
        );
        let headers = response.headers_mut();
        headers.insert("x-wastegate-in-flight", "2".parse().unwrap());
        headers.insert("set-cookie", "seat=7".parse().unwrap());
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, note).await else {
        return;
    };
    socket.send(Message::text(said)).await.unwrap_or_default();
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() && socket.send(message).await.is_err() {
            return;
        }
    }
}

fn in_front_of(upstreams: &[String]) -> Setup {
    let upstreams = upstreams.iter().map(|url| url.parse().unwrap()).collect();
    Setup::new()
        .short_goodbyes()
        .application(Arc::new(NoApplication))
        .with(|config| config.gateway.upstream = upstreams)
}

async fn greeting<S>(client: &mut tokio_tungstenite::WebSocketStream<S>) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let heard = within("a greeting", client.next()).await.unwrap().unwrap();
    heard.into_text().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_and_rates_are_capped_and_come_back() {
    let server = Setup::new()
        .with(|config| {
            config.gateway.trusted_proxies = Vec::new();
            config.gateway.caps.half_open_per_address_max = 3;
            config.gateway.header_timeout = Duration::from_millis(400);
        })
        .start()
        .await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(TcpStream::connect(server.address).await.unwrap());
    }
    // Accepted in order, so these are counted before the next one is.
    let mut refused = TcpStream::connect(server.address).await.unwrap();
    let mut said = String::new();
    within("a refusal", refused.read_to_string(&mut said)).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 429") && said.ends_with("{\"error\":\"too-many-handshakes\"}"), "{said}");
    let turned = server.metric("wastegate_gateway_turned_away_total{cap=\"half-open-per-address\"}").await;
    assert!((turned - 1.0).abs() < 0.1);
    // Those who say nothing are cut off, and make room.
    for mut stream in slow {
        let mut nothing = Vec::new();
        let _ = within("the end of who says nothing", stream.read_to_end(&mut nothing)).await;
    }
    let mut client = knock(server.address, "/ws?user=ann", &[]).await.unwrap();
    echo(&mut client, "in").await;
    // A connection that is in is no half-open one any more.
    for key in ["a", "b", "c", "d"] {
        let entered = knock(server.address, &format!("/ws?user=ann&key={key}"), &[]).await;
        assert_eq!(status(entered), 101);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_and_goes_is_told_to_stay_away_and_nobody_else() {
    let server = Setup::new()
        .with(|config| {
            config.gateway.flap.lives_max = 3;
            config.manager.reconnect_grace = Duration::ZERO;
        })
        .start()
        .await;
    for _ in 0..3 {
        let client = knock(server.address, "/ws?user=ann&key=k&device=d", &[]).await.unwrap();
        drop(client);
        server.holds("ann", 0).await;
    }
    let mut said = (0, String::new());
    while said.0 != 429 {
        // The last life is counted right after its slot is free.
        match knock(server.address, "/ws?user=ann&key=k&device=d", &[]).await {
            Ok(_) => server.holds("ann", 0).await,
            Err(refused) => said = refused,
        }
    }
    assert!(said.1.contains("\"error\":\"flapping\""), "{}", said.1);
    assert_eq!(status(knock(server.address, "/ws?user=bob", &[]).await), 101);
    // The same user from elsewhere, by a proxy that is believed.
    let elsewhere = [("x-forwarded-for", "203.0.113.9")];
    assert_eq!(status(knock(server.address, "/ws?user=ann", &elsewhere).await), 101);
}

/// A header of the PROXY protocol, version 2, for TCP over IPv4.
fn proxied(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(client);
    header.extend([192, 0, 2, 1]);
    header.extend(50_000_u16.to_be_bytes());
    header.extend(443_u16.to_be_bytes());
    header
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_says_for_whom_it_speaks_before_everything_else() {
    let server = in_front_of(&[format!("ws://{}", backend("b").await)])
        .with(|config| config.gateway.proxy_protocol = true)
        .start()
        .await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&proxied([203, 0, 113, 9])).await.unwrap();
    let host = server.address.to_string();
    let mut client = over(stream, &host, "/ws?user=ann", &[]).await.unwrap();
    assert_eq!(greeting(&mut client).await, "b 203.0.113.9 http");
    echo(&mut client, "here").await;
    // Without its header nothing is believed, and nothing is answered.
    let (code, _) = knock(server.address, "/ws?user=bob", &[]).await.unwrap_err();
    assert_eq!(code, 0);
    assert_eq!(server.held("bob"), 0);
}

/// An authority of our own, and what it signs for this machine, as files.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn write(&self, folder: &Path, serial: u64) {
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

async fn encrypted(
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
    wastegate::types::provide_cryptography();
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
    let server = in_front_of(&[upstream.clone()])
        .with(|config| {
            config.gateway.tls.certificate = files("cert.pem");
            config.gateway.tls.key = files("key.pem");
            config.gateway.tls.rescan = Duration::from_millis(50);
            config.gateway.upstream_authorities = files("ca.pem");
        })
        .start()
        .await;
    let stream = encrypted(&authority, server.address).await;
    let first = serial(&stream);
    let mut client = over(stream, "localhost", "/ws?user=ann&key=a", &[]).await.unwrap();
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
    assert_eq!(status(knock(server.address, "/ws?user=ann", &[]).await), 502);
    server.holds("ann", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_backends_share_and_one_that_is_away_is_not_noticed() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone_at = gone.local_addr().unwrap();
    drop(gone);
    let urls = [
        format!("ws://{}", backend("one").await),
        format!("ws://{gone_at}"),
        format!("ws://{}", backend("two").await),
    ];
    let server = in_front_of(&urls)
        .with(|config| config.gateway.upstream_check = Duration::ZERO)
        .start()
        .await;
    let mut clients = Vec::new();
    let mut names = Vec::new();
    for number in 0..6 {
        let target = format!("/ws?user=ann&key=k{number}");
        let mut client = knock(server.address, &target, &[]).await.unwrap();
        names.push(greeting(&mut client).await);
        clients.push(client);
    }
    let of = |name: &str| names.iter().filter(|said| said.starts_with(name)).count();
    assert_eq!((of("one"), of("two")), (3, 3), "{names:?}");
    let told = server.get("/v1/upstreams").await.json();
    assert_eq!(told["upstreams"][1]["up"], json!(false));
    assert_eq!(told["upstreams"][0]["connections"], json!(3));
    drop(clients);
    server.holds("ann", 0).await;
    let rested = async || server.get("/v1/upstreams").await.json()["upstreams"][0]["connections"] == 0;
    while !rested().await {}

    // The same manager, the same backend.
    let server = in_front_of(&urls)
        .with(|config| config.gateway.upstream_balance = Balance::ByKey)
        .start()
        .await;
    let mut homes = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let mut client = knock(server.address, "/ws?user=ann&key=same", &[]).await.unwrap();
        homes.insert(greeting(&mut client).await);
    }
    assert_eq!(homes.len(), 1);
}

/// What a backend says at the upgrade, and operators later, is what policies see.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_tells_what_it_is_doing_for_a_client() {
    let server = in_front_of(&[format!("ws://{}", backend("b").await)]).start().await;
    let mut client = knock(server.address, "/ws?user=ann&key=a&room=7", &[]).await.unwrap();
    greeting(&mut client).await;
    let in_flight = || server.manager("ann", "a").map(|manager| manager.hints.in_flight());
    until("the backend's word", || in_flight() == Some(2)).await;
    let path = "/v1/users/ann/managers/a/in-flight";
    let reply = server.put(path, &json!({ "units": 0 })).await;
    assert_eq!(reply.status, 200);
    assert_eq!(in_flight(), Some(0));
}

/// Settings that are read again hold for newcomers and touch nobody who is there; those that are
/// wrong change nothing. A stop tells everybody to connect again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_program_reads_its_settings_again_and_stops_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wastegate.toml");
    let (one, two) = (backend("one").await, backend("two").await);
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write(&format!("[gateway]\nupstream = \"ws://{one}\"\n"));
    let program = env!("CARGO_BIN_EXE_wastegate-under-test");
    let config = file.display().to_string();
    let arguments = [
        "serve", "--json", "--config", &config, "--listen", "127.0.0.1:0", "--admin", "off",
    ];
    let mut server = Program::start(program, &arguments);
    let welcome: serde_json::Value = serde_json::from_str(&server.line().await).unwrap();
    let address: SocketAddr = welcome["listen"].as_str().unwrap().parse().unwrap();
    let greeted = async |key: &str| {
        let target = format!("/ws?user=ann&key={key}");
        let mut client = knock(address, &target, &[]).await.unwrap();
        let name = greeting(&mut client).await;
        (client, name.split(' ').next().unwrap().to_owned())
    };
    let (mut old, name) = greeted("old").await;
    assert_eq!(name, "one");

    write("[gateway]\nupstream = 7\n");
    server.signal("HUP");
    write(&format!("[gateway]\nupstream = \"ws://{two}\"\n"));
    server.signal("HUP");
    let (mut new, mut name) = greeted("new").await;
    while name != "two" {
        (new, name) = greeted("new").await;
    }
    echo(&mut old, "not touched").await;
    server.terminate();
    let told = async { tokio::join!(closed(&mut old), closed(&mut new)) };
    assert_eq!(told.await, (1_012, 1_012));
    assert!(server.finish().await.0.success());
}

/// Operators beyond this machine need a token, and so does everything but the probes of an
/// orchestrator once there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_need_the_token_where_there_is_one() {
    let program = env!("CARGO_BIN_EXE_wastegate-under-test");
    let open = ["serve", "--admin", "0.0.0.0:0", "--listen", "127.0.0.1:0"];
    let (status, _) = Program::start(program, &open).finish().await;
    assert_eq!(status.code(), Some(78));
    let server = Setup::new()
        .with(|config| {
            config.admin_token = wastegate::types::Secret::new("a token of some length");
        })
        .start()
        .await;
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 200);
    for path in ["/metrics", "/v1/stats", "/v1/users/ann"] {
        assert_eq!(server.get(path).await.status, 401, "{path}");
    }
    let pin = json!({ "for_ms": 1_000 });
    assert_eq!(server.post("/v1/users/ann/managers/k/pin", &pin).await.status, 401);
}
