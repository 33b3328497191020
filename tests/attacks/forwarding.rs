//! Headers that speak for others: a client's through a proxy, and in spellings that a backend could take
//! for ours.

use tokio::io::AsyncWriteExt;
use wastegate_tests::harness::http::read_head;
use wastegate_tests::harness::within;

use crate::echoing::{Echoing, UPGRADE, from, told, upgrade, values};
use crate::stage::Stage;

async fn behind(backend: &Echoing, proxies: &str) -> Stage {
    let upstream = format!("--upstream={}", backend.url());
    let proxies = format!("gateway.trusted_proxies={proxies}");
    Stage::with(&[&upstream, "--set=identity.mode=address", "--set", &proxies]).await
}

/// A client's `X-Forwarded-For` that is no text, to which a proxy appends (as our nginx sample does), in
/// one line and in two: the client is who the proxy says, and never the proxy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s16_a_hop_that_is_no_text_hides_nobody() {
    let backend = Echoing::start().await;
    let mut stage = behind(&backend, "127.0.0.1").await;
    for (target, lines, user) in [
        (
            "/one",
            &b"x-forwarded-for: \xff, 127.0.0.5\r\n"[..],
            Some("127.0.0.5"),
        ),
        (
            "/two",
            b"x-forwarded-for: \xff\r\nx-forwarded-for: 127.0.0.5\r\n",
            Some("127.0.0.5"),
        ),
        (
            "/quote",
            b"x-forwarded-for: \", 127.0.0.5\r\n",
            Some("127.0.0.5"),
        ),
        ("/only", b"x-forwarded-for: \xff\r\n", None),
        ("/last", b"x-forwarded-for: 127.0.0.5, \xff\r\n", None),
    ] {
        let mut stream = from(1, stage.public).await;
        let mut request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n").into_bytes();
        request.extend_from_slice(lines);
        request.extend_from_slice(format!("{UPGRADE}\r\n").as_bytes());
        stream.write_all(&request).await.unwrap();
        let head = within("an answer", read_head(&mut stream)).await.unwrap();
        match user {
            Some(user) => {
                assert_eq!(head.status, 101, "{target}");
                let seen = backend.seen(target).await;
                assert_eq!(values(&seen, "x-wastegate-user"), [user], "{target}");
                let hops = values(&seen, "x-forwarded-for");
                assert!(
                    hops.len() == 1 && hops[0].ends_with("127.0.0.5, 127.0.0.1"),
                    "{hops:?}"
                );
                assert!(hops[0].is_ascii(), "{hops:?}");
            }
            // An unknown client has no address to be told by.
            None => assert_eq!(head.status, 403, "{target}"),
        }
    }
    stage.unharmed().await;
}

/// Spellings with `_`, and one that no proxy writes: from a stranger and from a trusted proxy's client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s19_no_spelling_passes_for_ours_or_for_a_proxys() {
    let forged = [
        ("x_wastegate_user", "root"),
        ("x_wastegate-user", "root"),
        ("x-wastegate-user", "root"),
        ("X-Wastegate_Key", "root"),
        ("x_forwarded_for", "9.9.9.9"),
        ("x_forwarded-proto", "gopher"),
        ("x_real_ip", "9.9.9.9"),
        ("x-forwarded", "for=9.9.9.9"),
    ];
    let lines: String = forged
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let backend = Echoing::start().await;
    for (target, proxies) in [("/stranger", "10.0.0.0/8"), ("/proxy", "127.0.0.0/8")] {
        let mut stage = behind(&backend, proxies).await;
        let request = upgrade(target, "localhost", &lines);
        assert_eq!(told(2, stage.public, request).await.status, 101);
        let head = backend.seen(target).await;
        for word in ["root", "9.9.9.9", "gopher", "_"] {
            assert!(!head.contains(word), "{word} in\n{head}");
        }
        assert_eq!(values(&head, "x-wastegate-user"), ["127.0.0.2"]);
        stage.unharmed().await;
    }
}

/// Headers that mean another client, another request or one hop. The rule is in `docs/gateway.md`: those of
/// one hop and those that mean another request go on from nobody, those that mean another client from
/// trusted proxies only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s20_headers_that_mean_another_client_or_request_go_by_one_rule() {
    let of_client = [
        "True-Client-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "X-Real-IP",
        "CF-Connecting-IP",
    ];
    let of_nobody = [
        "Proxy",
        "Proxy-Authorization",
        "Proxy-Connection",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X_Original_URL",
    ];
    let line = |name: &&str| format!("{name}: forged-value\r\n");
    let lines: String = of_client.iter().chain(&of_nobody).map(line).collect();
    let backend = Echoing::start().await;
    for (target, proxies, kept) in [
        ("/stranger", "10.0.0.0/8", 0),
        ("/proxy", "127.0.0.0/8", of_client.len()),
    ] {
        let mut stage = behind(&backend, proxies).await;
        let request = upgrade(target, "localhost", &format!("{lines}x-tenant: blue\r\n"));
        assert_eq!(told(2, stage.public, request).await.status, 101);
        let page = format!(
            "GET {target}-page HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{lines}x-tenant: blue\r\n\r\n"
        );
        assert_eq!(told(2, stage.public, page).await.status, 200);
        for target in [format!("{target} "), format!("{target}-page")] {
            let head = backend.seen(&target).await;
            assert_eq!(head.matches("forged-value").count(), kept, "{head}");
            for name in of_nobody {
                assert!(values(&head, name).is_empty(), "{name} in\n{head}");
            }
            assert_eq!(values(&head, "x-tenant"), ["blue"]);
        }
        stage.unharmed().await;
    }
}
