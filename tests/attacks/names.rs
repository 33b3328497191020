//! Names: who somebody is here and who a backend hears must be one and the same.

use std::fs;

use serde_json::json;
use wastegate_tests::harness::Issuer;

use crate::echoing::{Echoing, told, upgrade, values};
use crate::stage::Stage;

/// A stage in front of a backend where tokens of an issuer say who somebody is.
async fn by_tokens(issuer: &Issuer, backend: &Echoing) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    fs::write(&keys, json!({ "keys": [issuer.public()] }).to_string()).unwrap();
    let keys = format!("--set=identity.jwt.keys_file={}", keys.display());
    let upstream = format!("--upstream={}", backend.url());
    let token = issuer.token(&json!({ "sub": "bystander" }), 600.0);
    let token = format!("Bearer {token}");
    Stage::entering(
        folder,
        &["--set=identity.mode=jwt", &keys, &upstream],
        Box::new(move |dial| dial.header("authorization", &token)),
    )
    .await
}

fn bearer(issuer: &Issuer, user: &str) -> String {
    let token = issuer.token(&json!({ "sub": user }), 600.0);
    format!("authorization: Bearer {token}\r\n")
}

/// Subjects that a header carries as somebody else's are refused: the backend hears of none of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s17_a_user_with_white_space_around_it_is_nobody() {
    let (issuer, backend) = (Issuer::new("one"), Echoing::start().await);
    let mut stage = by_tokens(&issuer, &backend).await;
    for user in [
        " root",
        "root ",
        " ",
        "\t",
        "\u{a0}root",
        "root\u{3000}",
        "",
    ] {
        let request = upgrade("/s17", "localhost", &bearer(&issuer, user));
        let reply = told(2, stage.public, request).await;
        assert_eq!(reply.status, 400, "{user:?}: {}", reply.body);
        assert_eq!(reply.json()["error"], "unidentified");
    }
    assert_eq!(backend.asked("/s17"), 0);
    let request = upgrade("/s17?key=k", "localhost", &bearer(&issuer, "root"));
    assert_eq!(told(2, stage.public, request).await.status, 101);
    let head = backend.seen("/s17").await;
    assert_eq!(values(&head, "x-wastegate-user"), ["root"]);
    stage.unharmed().await;
}

/// What is not seen is refused in user, key and device; what is seen and no ASCII is encoded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s18_names_are_seen_and_are_encoded() {
    let (issuer, backend) = (Issuer::new("one"), Echoing::start().await);
    let mut stage = by_tokens(&issuer, &backend).await;
    let ann = bearer(&issuer, "ann");
    for unseen in [
        "\u{202e}", "\u{2066}", "\u{200e}", "\u{61c}", "\u{2028}", "\u{2029}", "\u{a0}",
        "\u{200b}", "\u{feff}", "\n", "\u{85}",
    ] {
        let user = bearer(&issuer, &format!("ro{unseen}ot"));
        let reply = told(2, stage.public, upgrade("/unseen", "localhost", &user)).await;
        assert_eq!(reply.status, 400, "{unseen:?}: {}", reply.body);
        let encoded: String = unseen.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for name in ["key", "device"] {
            let target = format!("/unseen?{name}=a{encoded}b");
            let reply = told(2, stage.public, upgrade(&target, "localhost", &ann)).await;
            assert_eq!(reply.status, 400, "{target}: {}", reply.body);
        }
    }
    for target in [
        "/unseen?key=%ff",
        "/unseen?device=a%c3",
        "/unseen?key=%20a",
        "/unseen?device=a%20",
    ] {
        let reply = told(2, stage.public, upgrade(target, "localhost", &ann)).await;
        assert_eq!(reply.status, 400, "{target}: {}", reply.body);
    }
    let mut raw = b"GET /unseen?key=".to_vec();
    raw.push(0xff);
    raw.extend_from_slice(&upgrade("", "localhost", &ann).into_bytes()[5..]);
    assert_eq!(told(2, stage.public, raw).await.status, 400);
    assert_eq!(backend.asked("/unseen"), 0);

    let wide = bearer(&issuer, "\u{ff32}oot 100%");
    let target = "/s18?key=J%C3%BCrgen&device=%E7%94%A8";
    assert_eq!(
        told(2, stage.public, upgrade(target, "localhost", &wide))
            .await
            .status,
        101
    );
    let head = backend.seen("/s18").await;
    assert_eq!(values(&head, "x-wastegate-user"), ["%EF%BC%B2oot 100%25"]);
    assert_eq!(values(&head, "x-wastegate-key"), ["J%C3%BCrgen"]);
    assert_eq!(values(&head, "x-wastegate-device"), ["%E7%94%A8"]);
    stage.unharmed().await;
}

/// A proxy's header with bytes that are no UTF-8 names nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s18_raw_bytes_name_nobody() {
    let backend = Echoing::start().await;
    let upstream = format!("--upstream={}", backend.url());
    let mut stage = Stage::entering(
        tempfile::tempdir().unwrap(),
        &[
            "--set=identity.mode=headers",
            "--set=gateway.trusted_proxies=127.0.0.0/8",
            &upstream,
        ],
        Box::new(|dial| dial.header("x-user", "bystander")),
    )
    .await;
    let said = |user: &[u8]| {
        let mut request = b"GET /raw HTTP/1.1\r\nx-user: ".to_vec();
        request.extend_from_slice(user);
        request.extend_from_slice(b"\r\n");
        let rest = upgrade("/", "localhost", "");
        request.extend_from_slice(rest.split_once("\r\n").unwrap().1.as_bytes());
        request
    };
    for user in [&b"r\xffot"[..], b"\xc3", b"r\xc2\xa0ot", b"r\xe2\x80\xaeot"] {
        let reply = told(2, stage.public, said(user)).await;
        assert_eq!(reply.status, 400, "{user:?}: {}", reply.body);
    }
    assert_eq!(backend.asked("/raw"), 0);
    assert_eq!(
        told(2, stage.public, said("J\u{fc}rgen".as_bytes()))
            .await
            .status,
        101
    );
    let head = backend.seen("/raw").await;
    assert_eq!(values(&head, "x-wastegate-user"), ["J%C3%BCrgen"]);
    stage.unharmed().await;
}

/// A token over the bound is told that it is too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s33_a_token_that_is_too_long_is_told_so() {
    let (issuer, backend) = (Issuer::new("one"), Echoing::start().await);
    let mut stage = by_tokens(&issuer, &backend).await;
    let long = format!("authorization: Bearer {}\r\n", "x".repeat(9 * 1_024));
    let reply = told(2, stage.public, upgrade("/s33", "localhost", &long)).await;
    assert_eq!(reply.status, 401);
    assert!(
        reply.body.contains("too long") && reply.body.contains("8192"),
        "{}",
        reply.body
    );
    stage.unharmed().await;
}
