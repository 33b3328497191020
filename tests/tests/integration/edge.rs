//! What strangers meet first: caps, bans, proxies' words; several backends; settings that change.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wastegate::gateway::upstream::Balance;
use wastegate_tests::harness::{Program, Setup, http, nowhere, until, within};

use crate::behind::{backend, greeting, in_front_of};
use crate::knock::{closed, echo, knock, over, status};
use crate::tls::Authority;

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
    within("a refusal", refused.read_to_string(&mut said))
        .await
        .unwrap();
    assert!(
        said.starts_with("HTTP/1.1 429") && said.contains("\"error\":\"too-many-handshakes\""),
        "{said}"
    );
    let turned = server
        .metric("wastegate_gateway_turned_away_total{cap=\"half-open-per-address\"}")
        .await;
    assert!((turned - 1.0).abs() < 0.1);
    // Those who say nothing are cut off, and make room.
    for mut stream in slow {
        let mut nothing = Vec::new();
        let _ = within(
            "the end of who says nothing",
            stream.read_to_end(&mut nothing),
        )
        .await;
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
        let client = knock(server.address, "/ws?user=ann&key=k&device=d", &[])
            .await
            .unwrap();
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
    assert_eq!(
        status(knock(server.address, "/ws?user=bob", &[]).await),
        101
    );
    // The same user from elsewhere, by a proxy that is believed.
    let elsewhere = [("x-forwarded-for", "203.0.113.9")];
    assert_eq!(
        status(knock(server.address, "/ws?user=ann", &elsewhere).await),
        101
    );
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
    let (code, _) = knock(server.address, "/ws?user=bob", &[])
        .await
        .unwrap_err();
    assert_eq!(code, 0);
    assert_eq!(server.held("bob"), 0);
}

/// What stands before a request's head has its time as well: the header of a proxy, and TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_slow_before_its_request_is_cut_off() {
    wastegate::cryptography::provide();
    let folder = tempfile::tempdir().unwrap();
    Authority::new().write(folder.path(), 1);
    let slow = |header: bool| {
        let files = |name: &str| Some(folder.path().join(name));
        let tls = (files("cert.pem"), files("key.pem"));
        Setup::new().with(move |config| {
            config.gateway.header_timeout = Duration::from_millis(300);
            config.limits.connections_total = 3;
            config.gateway.proxy_protocol = header;
            if !header {
                (config.gateway.tls.certificate, config.gateway.tls.key) = tls;
            }
        })
    };
    // Half of a PROXY header; a whole one, and no request; the first bytes of a ClientHello.
    let header = proxied([203, 0, 113, 9]);
    let hello: &[u8] = b"\x16\x03\x01\x02\x00\x01";
    for (is_header, begun) in [(true, &header[..15]), (true, &header), (false, hello)] {
        let server = slow(is_header).start().await;
        let mut held = Vec::new();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(begun).await.unwrap();
            held.push(stream);
        }
        for mut stream in held {
            let mut said = Vec::new();
            let end = stream.read_to_end(&mut said);
            let _ = within("the end of who is slow", end).await;
            let is_408 = said.starts_with(b"HTTP/1.1 408");
            assert!(said.is_empty() || is_408, "{said:?}");
        }
        assert_eq!(server.registry.created().0, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_backends_share_and_one_that_is_away_is_not_noticed() {
    let (_kept, gone_at) = nowhere();
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
    let rested =
        async || server.get("/v1/upstreams").await.json()["upstreams"][0]["connections"] == 0;
    while !rested().await {}

    // The same manager, the same backend.
    let server = in_front_of(&urls)
        .with(|config| config.gateway.upstream_balance = Balance::ByKey)
        .start()
        .await;
    let mut homes = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let mut client = knock(server.address, "/ws?user=ann&key=same", &[])
            .await
            .unwrap();
        homes.insert(greeting(&mut client).await);
    }
    assert_eq!(homes.len(), 1);
}

/// What a backend says at the upgrade, and operators later, is what policies see.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_tells_what_it_is_doing_for_a_client() {
    let server = in_front_of(&[format!("ws://{}", backend("b").await)])
        .start()
        .await;
    let mut client = knock(server.address, "/ws?user=ann&key=a&room=7", &[])
        .await
        .unwrap();
    greeting(&mut client).await;
    let in_flight = || {
        server
            .manager("ann", "a")
            .map(|manager| manager.hints.in_flight())
    };
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
        "serve",
        "--json",
        "--config",
        &config,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
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
    // Operators see it come: nobody here answers the Close yet.
    let admin: SocketAddr = welcome["admin"].as_str().unwrap().parse().unwrap();
    let ready = async || http::ask(admin, "GET", "/readyz", None).await;
    let mut told = ready().await;
    while told.status == 200 {
        told = ready().await;
    }
    assert_eq!((told.status, &told.json()["ready"]), (503, &json!(false)));
    let told = async { tokio::join!(closed(&mut old), closed(&mut new)) };
    assert_eq!(told.await, (1_012, 1_012));
    assert!(server.finish().await.0.success());
}

/// Operators beyond this machine need a token, and so does everything but the probes of an
/// orchestrator and the console's files once there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_need_the_token_where_there_is_one() {
    let program = env!("CARGO_BIN_EXE_wastegate-under-test");
    let open = ["serve", "--admin", "0.0.0.0:0", "--listen", "127.0.0.1:0"];
    let (status, _) = Program::start(program, &open).finish().await;
    assert_eq!(status.code(), Some(78));
    let server = Setup::new()
        .with(|config| {
            config.admin_token = wastegate_core::types::Secret::new("a token of some length");
        })
        .start()
        .await;
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 200);
    // The console's files hold no data; what is not one of them is asked for with the token.
    for path in ["/", "/console/app.js"] {
        let file = server.get(path).await;
        assert_eq!(file.status, 200, "{path}");
        let policy = file.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
    }
    assert_eq!(server.get("/console/../v1/stats").await.status, 404);
    for path in ["/metrics", "/v1/stats", "/v1/users/ann", "/consoles"] {
        assert_eq!(server.get(path).await.status, 401, "{path}");
    }
    let pin = json!({ "for_ms": 1_000 });
    assert_eq!(
        server
            .post("/v1/users/ann/managers/k/pin", &pin)
            .await
            .status,
        401
    );
}
