//! Development mode, where anybody is whoever they say: that they are at this machine has to be true.

use std::fs;

use wastegate_tests::harness::Program;

use crate::echoing::{Echoing, told, upgrade};
use crate::stage::{PROGRAM, Stage};

/// A page whose name was made to lead here: an upgrade, and a request for a page of the backend.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_a_name_that_was_made_to_lead_here_is_refused() {
    let backend = Echoing::start().await;
    let upstream = format!("--upstream={}", backend.url());
    let mut stage = Stage::with(&[&upstream]).await;
    let host = format!("rebind.example:{}", stage.public.port());
    let origin = format!("origin: http://{host}\r\n");
    let reply = told(1, stage.public, upgrade("/s14?user=admin", &host, &origin)).await;
    assert_eq!(reply.status, 403);
    assert!(
        reply.body.contains("rebind.example") && reply.body.contains("identity.mode"),
        "{}",
        reply.body
    );
    let page = format!("GET /s14-page HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    assert_eq!(told(1, stage.public, page).await.status, 403);
    // The host of the target is the one that counts.
    let absolute = format!("http://{host}/s14?user=admin");
    let absolute = upgrade(&absolute, "localhost", &origin);
    assert_eq!(told(1, stage.public, absolute).await.status, 403);
    assert_eq!(backend.asked("s14"), 0);
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "[::1]:8080",
        &stage.public.to_string(),
    ] {
        let reply = told(1, stage.public, upgrade("/here?user=ann", host, "")).await;
        assert_eq!(reply.status, 101, "{host}: {}", reply.body);
    }
    stage.unharmed().await;
}

/// Behind a proxy at this machine the world is not at this machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s21_a_proxys_clients_are_not_at_this_machine() {
    let mut stage = Stage::with(&[]).await;
    for line in [
        "x-forwarded-for: 203.0.113.9",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: https",
        "x_forwarded_for: 203.0.113.9",
        "forwarded: for=203.0.113.9",
        "x-real-ip: 203.0.113.9",
        "cf-connecting-ip: 203.0.113.9",
        "via: 1.1 proxy",
    ] {
        let lines = format!("{line}\r\n");
        let reply = told(
            1,
            stage.public,
            upgrade("/ws?user=admin", "localhost", &lines),
        )
        .await;
        assert_eq!(reply.status, 403, "{line}: {}", reply.body);
        let name = line.split(':').next().unwrap();
        assert!(
            reply.body.contains(name) && reply.body.contains("identity.mode"),
            "{}",
            reply.body
        );
    }
    let held = told(
        1,
        stage.admin,
        "GET /v1/users/admin HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    )
    .await;
    let is_held = held.status == 200 && held.json()["held"] != 0;
    assert!(!is_held, "{}", held.body);
    stage.unharmed().await;
}

/// `headers` believes whoever is trusted, so it does not start before somebody said who that is; not by a
/// route either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s22_headers_are_believed_of_named_proxies_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("routes.toml");
    let routes =
        "[[gateway.route]]\npath = '/a'\nupstream = 'ws://127.0.0.1:9'\nidentity = 'headers'\n";
    fs::write(&file, routes).unwrap();
    let file = format!("--config={}", file.display());
    for how in ["--set=identity.mode=headers", &file] {
        let shell = "exec \"$0\" \"$@\" 2>&1";
        let mut arguments = vec!["-c", shell, PROGRAM, "serve", how];
        arguments.extend(["--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]);
        let (status, said) = Program::start("sh", &arguments).finish().await;
        assert!(!status.success(), "{said}");
        for word in ["gateway.trusted_proxies", "headers", "name the proxies"] {
            assert!(said.contains(word), "{word} in {said}");
        }
    }
    let named = [
        "--set=identity.mode=headers",
        "--set=gateway.trusted_proxies=127.0.0.3",
    ];
    let folder = tempfile::tempdir().unwrap();
    let enter = Box::new(|dial: wastegate_tests::harness::Dial| {
        dial.from([127, 0, 0, 3].into())
            .header("x-user", "bystander")
    });
    let mut stage = Stage::entering(folder, &named, enter).await;
    let forged = upgrade("/ws", "localhost", "x-user: root\r\n");
    assert_eq!(told(1, stage.public, forged).await.status, 403);
    stage.unharmed().await;
}
