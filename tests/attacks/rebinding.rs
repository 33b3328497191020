//! S13: a page that makes a name of its own point at the operators' listener, and who may operate.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use wastegate_tests::guests::shipped;

use crate::command::{request, run, settings, status};
use crate::stage::Stage;

/// The page asks as the person's browser does: by its own name. It reads nothing and changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_a_page_whose_name_points_here_reads_and_changes_nothing() {
    let mut stage = Stage::with(&[]).await;
    let (admin, port) = (stage.admin, stage.admin.port());
    let json = "content-type: application/json\r\n";
    let audit = || request(admin, "GET /v1/audit", "host: localhost\r\n", b"");
    let before = audit().await;
    let wasm = shipped("lru");
    let asked: [(&str, &[u8]); 11] = [
        ("GET /v1/users/bystander", b""),
        ("GET /v1/stats", b""),
        ("GET /", b""),
        ("GET /console/app.js", b""),
        ("GET /v1/audit", b""),
        ("POST /v1/users/bystander/managers/k/evict", b"{}"),
        (
            "POST /v1/users/bystander/managers/k/pin",
            b"{\"for_ms\":60000}",
        ),
        ("POST /v1/policies/disable", b"{}"),
        ("PUT /v1/policies/evil?activate=true", wasm),
        ("PATCH /v1/policies/qos-lexicographic", b"{}"),
        (
            "POST /v1/policies/lru/pull",
            b"{\"reference\":\"127.0.0.1:1/lru:1\"}",
        ),
    ];
    let pages = [
        format!("host: rebind.example:{port}\r\norigin: http://rebind.example:{port}\r\n"),
        format!("host: rebind.example:{port}\r\n"),
        // A page that does not rebind, and one that hides where it is from.
        format!("host: 127.0.0.1:{port}\r\norigin: http://127.0.0.1:8080\r\n"),
        format!("host: localhost:{port}\r\norigin: null\r\n"),
        format!("host: localhost\r\nhost: rebind.example:{port}\r\n"),
        String::new(),
    ];
    for page in &pages {
        for (line, body) in asked {
            let answer = request(admin, line, &format!("{page}{json}"), body).await;
            assert_eq!(status(&answer), 403, "{page}{line}: {answer}");
            assert!(answer.contains("\"error\":\"foreign-"), "{answer}");
        }
    }
    let by_target = format!("GET http://rebind.example:{port}/v1/users/bystander");
    let answer = request(admin, &by_target, "host: localhost\r\n", b"").await;
    assert_eq!(status(&answer), 403, "{answer}");
    assert!(
        answer.contains("`admin.hosts`"),
        "it says what to do: {answer}"
    );
    // Nothing was done, and the operator of this machine is served as ever.
    let told = |answer: &str| answer.split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert_eq!(told(&audit().await), told(&before));
    for host in ["127.0.0.1", "localhost", "[::1]", "127.3.2.1"] {
        for host in [
            format!("host: {host}\r\n"),
            format!("host: {host}:{port}\r\n"),
        ] {
            let answer = request(admin, "GET /v1/users/bystander", &host, b"").await;
            assert_eq!(status(&answer), 200, "{host}: {answer}");
            assert!(answer.contains("\"held\":1"), "not evicted: {answer}");
        }
    }
    // Probes come by the address of a pod, and metrics name nobody.
    for path in ["GET /healthz", "GET /readyz", "GET /metrics"] {
        let answer = request(admin, path, "host: 10.1.2.3:9090\r\n", b"").await;
        assert_eq!(status(&answer), 200, "{path}: {answer}");
    }
    let refused = stage.log();
    assert!(
        refused.matches("an operator's request is refused").count() <= 3,
        "{refused}"
    );
    stage.unharmed().await;
}

/// A name that the operator gave the listener is none of an attacker's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_a_name_that_was_given_is_answered_and_no_other() {
    let mut stage = Stage::with(&["--set", "admin.hosts=desk.example"]).await;
    let port = stage.admin.port();
    for (headers, expected) in [
        (format!("host: desk.example:{port}\r\n"), 200),
        (
            "host: DESK.example\r\norigin: https://desk.example\r\n".to_owned(),
            200,
        ),
        (
            format!("host: desk.example:{port}\r\norigin: http://rebind.example\r\n"),
            403,
        ),
        (format!("host: desk.example.rebind.example:{port}\r\n"), 403),
    ] {
        let answer = request(stage.admin, "GET /v1/stats", &headers, b"").await;
        assert_eq!(status(&answer), expected, "{headers}: {answer}");
    }
    stage.unharmed().await;
}

/// Where state is kept, nobody on this machine is an operator but who can read the file: whoever else
/// asks is refused, and the commands find the token by the same configuration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_a_token_is_made_with_the_state_and_the_commands_find_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let kept = format!("policy.rollout.state_dir={}", state.display());
    let mut stage = Stage::within(folder, &["--set", &kept]).await;
    let (admin, local) = (stage.admin, "host: localhost\r\n");
    for line in ["GET /v1/stats", "GET /metrics", "POST /v1/policies/disable"] {
        let answer = request(admin, line, local, b"").await;
        assert_eq!(status(&answer), 401, "{line}: {answer}");
    }
    let file = state.join("admin.token");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = fs::read_to_string(&file).unwrap();
    let shown = format!("{local}authorization: Bearer {}\r\n", token.trim());
    assert_eq!(
        status(&request(admin, "GET /v1/stats", &shown, b"").await),
        200
    );
    assert!(!stage.log().contains(token.trim()), "it is not logged");
    assert!(
        !stage.log().contains("everybody on this machine"),
        "{}",
        stage.log()
    );

    let url = format!("http://{admin}");
    let list = ["policy", "list", "--admin", &url];
    let (code, said) = run(&[&list[..], &["--set", &kept]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&list).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("`admin.token`") && said.contains("--config"),
        "{said}"
    );
    // A file that others could have read is no secret any more, and a link leads who knows where.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = run(&[&list[..], &["--set", &kept]].concat()).await;
    assert_eq!(code, Some(1), "{said}");
    let other = stage.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    symlink(
        stage.folder.path().join("elsewhere"),
        other.join("admin.token"),
    )
    .unwrap();
    let other = format!("policy.rollout.state_dir={}", other.display());
    let serve = [
        "serve",
        "--listen=127.0.0.1:0",
        "--admin=127.0.0.1:0",
        "--set",
        &other,
    ];
    let (code, said) = run(&serve).await;
    assert_eq!(code, Some(69), "{said}");
    assert!(
        said.contains("admin.token") && said.contains("link"),
        "{said}"
    );
    assert!(!stage.folder.path().join("elsewhere").exists());
    stage.unharmed().await;
}

/// That nobody is asked who they are is a choice, or is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_no_token_is_a_choice_that_somebody_made() {
    const SAID: &str = "everybody on this machine is an operator";
    let open = Stage::with(&[]).await;
    assert_eq!(open.log().matches(SAID).count(), 1, "{}", open.log());
    let (folder, file) = settings("[admin]\ntoken = \"none\"\n");
    let kept = format!("policy.rollout.state_dir={}", folder.path().display());
    let mut stage = Stage::within(folder, &["--config", &file, "--set", &kept]).await;
    assert!(!stage.log().contains(SAID), "{}", stage.log());
    assert!(!stage.folder.path().join("admin.token").exists());
    let stats = request(stage.admin, "GET /v1/stats", "host: localhost\r\n", b"").await;
    assert_eq!(status(&stats), 200);
    // Beyond this machine it is no choice.
    let far = ["config", "check", "--set", "admin.listen=0.0.0.0:9090"];
    for more in [&["--config", &file][..], &[]] {
        let (code, said) = run(&[&far[..], more].concat()).await;
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains("anybody could be one"), "{said}");
    }
    stage.unharmed().await;
}
