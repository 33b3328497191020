//! Gateways that refuse strangers, and what stands around them: backends, certificates and keys, for their
//! metrics.

use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use wastegate::gateway::identity::Mode;
use wastegate_tests::harness::http::exchange;
use wastegate_tests::harness::{Issuer, Server, Setup, until_async, within};

use super::movement::Seen;
use crate::knock::{knock, status};
use crate::moody::{Backend, Mood};

/// A request on a connection of its own.
async fn ask(server: &Server, path: &str) -> u16 {
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    exchange(server.address, head.as_bytes())
        .await
        .unwrap()
        .status
}

/// Every way to be refused before an admission, and a frame that is none.
pub(super) async fn refused(seen: &mut Seen) {
    let server = Setup::new()
        .with(|config| {
            config.gateway.trusted_proxies = Vec::new();
            config.gateway.caps.half_open_per_address_max = 3;
            config.gateway.flap.lives_max = 3;
            config.manager.reconnect_grace = Duration::ZERO;
        })
        .start()
        .await;
    seen.look(&server).await;
    assert_eq!(ask(&server, "/ws?user=ann").await, 400, "no upgrade");
    assert_eq!(ask(&server, "/elsewhere").await, 404, "no route");
    assert_eq!(status(knock(server.address, "/ws", &[]).await), 401);
    let foreign = [("origin", "https://elsewhere.example")];
    let foreign = knock(server.address, "/ws?user=ann", &foreign).await;
    assert_eq!(status(foreign), 403);
    let client = server.enter("bob", "k").await;
    let mut bad = server.dial("cid", "k").tcp().await;
    bad.write_all(server.dial("cid", "k").request().as_bytes())
        .await
        .unwrap();
    server.holds("cid", 1).await;
    // The reserved bits are set.
    bad.write_all(&[0xf1, 0x80, 0, 0, 0, 0]).await.unwrap();
    server.holds("cid", 0).await;
    // A device that comes and goes.
    until_async("a ban", async || {
        let knocked = knock(server.address, "/ws?user=dan&key=k&device=d", &[]).await;
        let refused = status(knocked) == 429;
        server.holds("dan", 0).await;
        refused
    })
    .await;
    // More half-open connections than one address may have.
    let mut silent = Vec::new();
    until_async("a cap", async || {
        silent.push(TcpStream::connect(server.address).await.unwrap());
        let cap = "wastegate_gateway_turned_away_total{cap=\"half-open-per-address\"}";
        server.metric(cap).await >= 1.0
    })
    .await;
    seen.look(&server).await;
    client.leave().await;
}

/// A backend that works, and one that does not; requests that are forwarded, fail, and are too many.
pub(super) async fn backends(seen: &mut Seen) {
    let backend = Backend::start().await;
    let server = backend
        .in_front()
        .with(|config| {
            config.gateway.http.requests_max = 1;
            config.gateway.upstream_check = Duration::ZERO;
        })
        .start()
        .await;
    seen.look(&server).await;
    let mut client = knock(server.address, "/ws?user=ann&key=k", &[])
        .await
        .unwrap();
    crate::knock::echo(&mut client, "relayed").await;
    let payload = |direction| {
        format!(
            "wastegate_connection_payload_bytes_total{{mode=\"relayed\",direction=\"{direction}\"}}"
        )
    };
    for direction in ["in", "out"] {
        // What is sent is counted a moment after it is sent.
        until_async(format!("seven bytes {direction}"), async || {
            server.metric(&payload(direction)).await == 7.0
        })
        .await;
    }
    seen.look(&server).await;
    backend.mood.send_replace(Mood::Closes);
    let failed = knock(server.address, "/ws?user=ann&key=other", &[]).await;
    assert_eq!(status(failed), 502);
    assert_eq!(ask(&server, "/page").await, 502);
    // One that the backend does not answer, and one beside it.
    let hanging = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("ws://{}", hanging.local_addr().unwrap());
    seen.look(&server).await;
    let server = Setup::new()
        .application(wastegate::manager::NoApplication)
        .with(|config| {
            config.gateway.upstream = vec![upstream.parse().unwrap()];
            config.gateway.http.requests_max = 1;
        })
        .start()
        .await;
    seen.look(&server).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    let head = b"GET /page HTTP/1.1\r\nhost: localhost\r\n\r\n";
    first.write_all(head).await.unwrap();
    let _held = within("the first request", hanging.accept()).await.unwrap();
    assert_eq!(ask(&server, "/page").await, 503);
    seen.look(&server).await;
}

fn certificate(folder: &Path, year: i32) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 1, 2);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
}

/// A certificate that is replaced by one that lasts longer.
pub(super) async fn certificates(seen: &mut Seen) {
    wastegate::cryptography::provide();
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), 2_090);
    let server = Setup::new()
        .with(|config| {
            config.gateway.tls.certificate = Some(folder.path().join("cert.pem"));
            config.gateway.tls.key = Some(folder.path().join("key.pem"));
            config.gateway.tls.rescan = Duration::from_millis(100);
        })
        .start()
        .await;
    let expiry = "wastegate_gateway_certificate_expiry_timestamp_seconds";
    // 2090-01-02 and 2091-01-02, 00:00 UTC.
    assert_eq!(server.metric(expiry).await, 3_786_998_400.0);
    seen.look(&server).await;
    certificate(folder.path(), 2_091);
    until_async("another certificate", async || {
        server.metric(expiry).await == 3_818_534_400.0
    })
    .await;
    seen.look(&server).await;
}

/// A set of keys that is read again.
pub(super) async fn keys(seen: &mut Seen) {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::new("one");
    let path = folder.path().join("keys.json");
    std::fs::write(&path, json!({ "keys": [issuer.public()] }).to_string()).unwrap();
    let server = Setup::new()
        .with(|config| {
            config.identity.mode = Mode::Jwt;
            config.identity.jwt.keys_file = Some(path);
            // Clients come and go here until a second is over.
            config.gateway.flap.lives_max = 0;
            config.identity.jwt.keys_refresh = Duration::ZERO;
            config.identity.jwt.keys_retry = Duration::ZERO;
        })
        .start()
        .await;
    seen.look(&server).await;
    let read = "wastegate_gateway_token_keys_read_timestamp_seconds";
    let first = server.metric(read).await;
    let bearer = format!("Bearer {}", issuer.token(&json!({ "sub": "ann" }), 600.0));
    until_async("the keys to be read again", async || {
        let knocked = knock(server.address, "/ws?key=k", &[("authorization", &bearer)]).await;
        assert_eq!(status(knocked), 101);
        server.metric(read).await > first
    })
    .await;
    seen.look(&server).await;
}
