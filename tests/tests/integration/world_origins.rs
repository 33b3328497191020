//! Pages of which origin may connect, through proxies and without.

use wastegate::gateway::origin::MissingOrigin;
use wastegate_tests::harness::{Program, Server, Setup};

use crate::scripted::{answer, upgrade};

/// The status for a page with a cookie, and more header lines.
async fn asked(server: &Server, host: &str, page: &str, lines: &str) -> u16 {
    let lines = format!("cookie: sid=1\r\norigin: {page}\r\n{lines}");
    answer(server.address, &upgrade(host, &lines)).await.status
}

async fn listing(origins: &[&str]) -> Server {
    let origins = origins
        .iter()
        .map(|origin| origin.parse().unwrap())
        .collect();
    Setup::new()
        .with(|config| config.gateway.origins = origins)
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w58_a_port_that_need_not_be_written_makes_no_other_origin() {
    let server = listing(&[]).await;
    for (host, page) in [
        ("chat.example:443", "https://chat.example"),
        ("chat.example", "https://chat.example:443"),
        ("chat.example:80", "http://chat.example"),
        ("CHAT.example:8443", "https://chat.Example:8443"),
        ("[::1]:443", "https://[0:0::1]"),
    ] {
        assert_eq!(asked(&server, host, page, "").await, 101, "{host} {page}");
    }
    for (host, page) in [
        ("chat.example:443", "http://chat.example"),
        ("chat.example:8443", "https://chat.example"),
        ("chat.example", "https://evil.example"),
        ("chat.example", "https://chat.example.evil"),
        ("chat.example", "ftp://chat.example"),
        ("chat.example", "null"),
    ] {
        assert_eq!(asked(&server, host, page, "").await, 403, "{host} {page}");
    }
}

/// Our sample for nginx hands on the port that the page has, and says the scheme: with that the strict
/// comparison holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w59_behind_our_nginx_sample_the_port_counts_and_is_there() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/nginx-in-front.conf");
    let sample = std::fs::read_to_string(root).unwrap();
    for line in [
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "proxy_set_header X-Forwarded-Host $http_host;",
    ] {
        assert!(sample.contains(line), "{line}");
    }
    assert!(!sample.contains("$host;"));
    // What it then sends for a page of chat.example:8443.
    let sent = "x-forwarded-proto: https\r\nx-forwarded-host: chat.example:8443\r\n";
    let (host, server) = ("chat.example:8443", listing(&[]).await);
    assert_eq!(
        asked(&server, host, "https://chat.example:8443", sent).await,
        101
    );
    for page in [
        "https://chat.example",
        "http://chat.example:8443",
        "https://chat.example:9443",
    ] {
        assert_eq!(asked(&server, host, page, sent).await, 403, "{page}");
    }
    // Without the port, the page is another origin.
    assert_eq!(
        asked(&server, "chat.example", "https://chat.example:8443", "").await,
        403
    );
}

/// S29: a page over http is not the page over https, where a proxy says which of the two it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s29_the_scheme_counts_where_it_is_known() {
    let server = listing(&[]).await;
    for said in [
        "x-forwarded-proto: https\r\n",
        "forwarded: for=203.0.113.9;proto=https\r\n",
    ] {
        for (page, status) in [
            ("https://chat.example", 101),
            ("http://chat.example", 403),
            ("ftp://chat.example", 403),
        ] {
            assert_eq!(
                asked(&server, "chat.example", page, said).await,
                status,
                "{page}"
            );
        }
    }
}

/// Clients outside of browsers keep cookies and send no origin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w60_native_clients_with_cookies_can_be_let_in() {
    let request = upgrade("chat.example", "cookie: sid=1\r\n");
    let refused = answer(listing(&[]).await.address, &request).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (403, &"origin".into())
    );
    let listed = listing(&["https://chat.example"]).await;
    assert_eq!(answer(listed.address, &request).await.status, 403);
    let any = listing(&["*"]).await;
    assert_eq!(answer(any.address, &request).await.status, 101);

    let allowing = Setup::new()
        .with(|config| config.gateway.origin_missing = MissingOrigin::Allow)
        .start()
        .await;
    assert_eq!(answer(allowing.address, &request).await.status, 101);
    // Pages are held to the same as before.
    assert_eq!(
        asked(&allowing, "chat.example", "https://evil.example", "").await,
        403
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w61_a_wildcard_stands_for_subdomains() {
    let server = listing(&["https://*.example", "http://*.dev.test:8080"]).await;
    for (page, status) in [
        ("https://a.example", 101),
        ("https://a.b.example", 101),
        ("http://x.dev.test:8080", 101),
        ("https://example", 403),
        ("http://a.example", 403),
        ("https://a.example:8443", 403),
        ("https://a.example.evil", 403),
        ("https://aexample", 403),
    ] {
        assert_eq!(
            asked(&server, "gateway.test", page, "").await,
            status,
            "{page}"
        );
    }
    for bad in [
        "https://a*.example",
        "*.example",
        "https://*",
        "https://*.*.example",
        "https://a.example:*",
    ] {
        let (status, words) = check("gateway.origins", bad).await;
        assert_eq!(status, Some(78), "{bad}: {words}");
        assert!(
            words.contains("gateway.origins") && words.contains("subdomains"),
            "{words}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w62_every_origin_that_browsers_and_applications_send_can_be_listed() {
    let origins = [
        "null",
        "file://",
        "capacitor://localhost",
        "ionic://localhost",
        "tauri://localhost",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    ];
    let (status, words) = check("gateway.origins", &origins.join(",")).await;
    assert_eq!(status, Some(0), "{words}");
    let server = listing(&origins).await;
    for page in origins {
        assert_eq!(
            asked(&server, "gateway.test", page, "").await,
            101,
            "{page}"
        );
    }
    for page in ["file://x", "capacitor://evil", "tauri2://localhost"] {
        assert_eq!(
            asked(&server, "gateway.test", page, "").await,
            403,
            "{page}"
        );
    }
    let (status, words) = check("gateway.origins", "wss://chat.example").await;
    assert_eq!(status, Some(78), "{words}");
    assert!(words.contains("http or https"), "{words}");
}

/// What `config check` says of a key: its exit code and its words.
async fn check(key: &str, value: &str) -> (Option<i32>, String) {
    let set = format!("{key}={value}");
    let program = env!("CARGO_BIN_EXE_wastegate-under-test");
    let arguments = ["config", "check", "--json", "--set", &set];
    let (status, output) = Program::start(program, &arguments).finish().await;
    (status.code(), output)
}
