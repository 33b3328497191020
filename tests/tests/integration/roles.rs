//! Who may do what on the operators' listener: tokens with names and roles, sessions, and what a caller who
//! may only read can do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use wastegate_tests::harness::http::{Reply, exchange};
use wastegate_tests::harness::{Server, Setup};

use crate::cli::run;
use crate::world_words::Served;

const READ: &str = "a token that only reads 1";
const OPERATE: &str = "0123456789abcdef-operates";

/// A file of tokens that only its owner can use.
fn tokens(folder: &Path, text: &str) -> std::path::PathBuf {
    let path = folder.join("tokens");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

async fn server(folder: &Path) -> Server {
    let read = READ.replace(' ', "-");
    let text = format!("# two\ngrafana read {read}\nolga operate {OPERATE}\n");
    let path = tokens(folder, &text);
    Setup::new()
        .with(|config| config.operators.tokens_file = Some(path))
        .start()
        .await
}

/// A request with some headers.
async fn ask(
    server: &Server,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Reply {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("\r\n{body}");
    exchange(server.admin, request.as_bytes()).await.unwrap()
}

/// The cookie that a session is, as a client sends it back.
async fn session(server: &Server, token: &str) -> String {
    let begun = ask(
        server,
        ("POST", "/v1/session"),
        &[],
        Some(&json!({"token": token})),
    )
    .await;
    assert_eq!(begun.status, 204, "{}", begun.body);
    let cookie = begun.header("set-cookie").unwrap();
    for part in ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    cookie.split(';').next().unwrap().to_owned()
}

/// Everything that changes something is refused to a caller that may only read, whatever route it is; the
/// list is the server's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let server = server(folder.path()).await;
    let _ann = server.enter("ann", "tab").await;
    let bearer = format!("Bearer {}", READ.replace(' ', "-"));
    let as_reader = [("authorization", bearer.as_str())];
    let cookie = session(&server, &READ.replace(' ', "-")).await;
    let by_cookie = [("cookie", cookie.as_str())];
    let list = ask(&server, ("GET", "/v1"), &as_reader, None).await.json();
    let mut changing = 0;
    for route in list["routes"].as_array().unwrap() {
        let (method, path) = (
            route["method"].as_str().unwrap(),
            route["path"].as_str().unwrap(),
        );
        let is_question = path.ends_with("/ask") || path == "/v1/session";
        let path = path
            .replace("{user}", "ann")
            .replace("{key}", "tab")
            // A name that looks like the end of a question is a name.
            .replace("{name}", "ask")
            .replace(['{', '}'], "");
        if method == "GET" || is_question {
            continue;
        }
        changing += 1;
        for headers in [&as_reader, &by_cookie] {
            let refused = ask(&server, (method, &path), headers, Some(&json!({}))).await;
            assert_eq!(
                (refused.status, refused.json()["error"].as_str()),
                (403, Some("read-only")),
                "{method} {path}: {}",
                refused.body
            );
        }
    }
    // Names that look like the question that a reader may ask.
    for (method, path) in [
        ("PUT", "/v1/policies/ask"),
        ("PUT", "/v1/decisions/1/ask"),
        ("POST", "/v1/decisions/x%2f/ask"),
        ("POST", "/v1/policies/ask/ask"),
    ] {
        let refused = ask(&server, (method, path), &as_reader, Some(&json!({}))).await;
        assert_eq!(refused.status, 403, "{method} {path}: {}", refused.body);
    }
    assert!(changing > 20, "{changing}");
    assert_eq!(server.held("ann"), 1);
    for path in ["/v1/users/ann", "/v1/config", "/v1/history", "/metrics"] {
        for headers in [&as_reader, &by_cookie] {
            let shown = ask(&server, ("GET", path), headers, None).await;
            assert_eq!(shown.status, 200, "{path}: {}", shown.body);
        }
    }
}

/// The audit log has the name of the token, whatever its bearer says of itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operators_token_has_a_name_in_the_audit_log() {
    let folder = TempDir::new().unwrap();
    let server = server(folder.path()).await;
    let bearer = format!("Bearer {OPERATE}");
    let cookie = session(&server, OPERATE).await;
    let limit = json!({"managers": 7, "reason": "ticket 7"});
    let put = ("PUT", "/v1/users/ann/limit");
    let lower = format!("bearer {OPERATE}");
    for (headers, by) in [
        (vec![("authorization", lower.as_str())], "olga ("),
        // Credentials for a proxy before the server.
        (
            vec![
                ("authorization", "Basic b2xnYTp4"),
                ("cookie", cookie.as_str()),
            ],
            "olga (",
        ),
        (vec![("authorization", bearer.as_str())], "olga ("),
        (
            vec![
                ("authorization", bearer.as_str()),
                ("wastegate-actor", "bob"),
            ],
            "olga as bob (",
        ),
        (vec![("cookie", cookie.as_str())], "olga ("),
    ] {
        let done = ask(&server, put, &headers, Some(&limit)).await;
        assert_eq!(done.status, 200, "{}", done.body);
        let audit = ask(&server, ("GET", "/v1/audit"), &headers, None)
            .await
            .json();
        let last = audit["entries"].as_array().unwrap().last().unwrap().clone();
        assert!(last["by"].as_str().unwrap().starts_with(by), "{last}");
    }
}

/// Without a token, with a wrong one, with a cookie that was changed, and from another site.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_get_nothing() {
    let folder = TempDir::new().unwrap();
    let server = server(folder.path()).await;
    let cookie = session(&server, &READ.replace(' ', "-")).await;
    let risen = cookie.replace("=read.", "=operate.");
    assert_ne!(risen, cookie);
    for headers in [
        vec![],
        vec![("authorization", "Bearer 0123456789abcdef-operate")],
        vec![("authorization", "Basic b2xnYTp4")],
        vec![("cookie", risen.as_str())],
        vec![("cookie", "wastegate_session=")],
        // A wrong token is not made good by a cookie.
        vec![
            ("authorization", "Bearer wrong-wrong-wrong"),
            ("cookie", cookie.as_str()),
        ],
    ] {
        for path in ["/v1", "/v1/users", "/v1/events", "/v1/config", "/metrics"] {
            let refused = ask(&server, ("GET", path), &headers, None).await;
            assert_eq!(refused.status, 401, "{path} {headers:?}: {}", refused.body);
        }
        let who = ask(&server, ("GET", "/v1/session"), &headers, None).await;
        assert_eq!(
            who.json(),
            json!({"needed": true, "role": null, "name": null})
        );
    }
    let who = ask(
        &server,
        ("GET", "/v1/session"),
        &[("cookie", &cookie)],
        None,
    )
    .await;
    assert_eq!(
        who.json(),
        json!({"needed": true, "role": "read", "name": "grafana"})
    );
    // A page of another site, and one whose name was made to point here, even with the cookie.
    for foreign in [("origin", "https://evil.example"), ("host", "evil.example")] {
        let refused = ask(
            &server,
            ("POST", "/v1/session"),
            &[foreign],
            Some(&json!({"token": OPERATE})),
        )
        .await;
        assert!(
            matches!(refused.status, 400 | 403),
            "{foreign:?}: {}",
            refused.status
        );
        assert_eq!(refused.header("set-cookie"), None);
    }
    let wrong = json!({"token": "guessed-guessed-guessed"});
    let refused = ask(&server, ("POST", "/v1/session"), &[], Some(&wrong)).await;
    assert_eq!(refused.status, 401);
    assert!(!refused.body.contains("guessed"), "{}", refused.body);
    let ended = ask(
        &server,
        ("DELETE", "/v1/session"),
        &[("cookie", &cookie)],
        None,
    )
    .await;
    assert_eq!(ended.status, 204);
    assert!(ended.header("set-cookie").unwrap().contains("Max-Age=0"));
}

/// A file that is no such file stops the start, and `config check` says why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_tokens_is_checked() {
    let folder = TempDir::new().unwrap();
    let check = async |path: &Path| {
        let set = format!("admin.tokens_file={}", path.display());
        let (code, out, err) = run(&["config", "check", "--set", &set]).await;
        (code, out + &err)
    };
    let path = tokens(folder.path(), "ann root 0123456789abcdef\n");
    let (code, said) = check(&path).await;
    assert_eq!(
        (code, said.matches("error: ").count()),
        (Some(69), 1),
        "{said}"
    );
    assert!(
        said.contains("admin.tokens_file") && said.contains("line 1: `root` is no role"),
        "{said}"
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let (_, said) = check(&path).await;
    assert!(said.contains("others than its owner can use it"), "{said}");
    let (_, said) = check(&folder.path().join("absent")).await;
    assert!(said.contains("it cannot be read"), "{said}");
    // A file that is cut would be another file.
    let long = format!("{}\nann read 0123456789abcdef\n", "#".repeat(65_530));
    let (_, said) = check(&tokens(folder.path(), &long)).await;
    assert!(said.contains("it has more than 65536 bytes"), "{said}");
    // A token has one role.
    let path = tokens(folder.path(), "ann read 0123456789abcdef\n");
    let config = folder.path().join("own.toml");
    let text = format!(
        "[admin]\ntoken = \"0123456789abcdef\"\ntokens_file = \"{}\"\n",
        path.display()
    );
    fs::write(&config, text).unwrap();
    let (code, out, err) = run(&["config", "check", "--config", config.to_str().unwrap()]).await;
    assert_eq!(code, Some(69), "{out}{err}");
    assert!((out + &err).contains("the token of `ann` is the operators' own token too"));
    assert_eq!(check(&path).await.0, Some(0));
    let config = folder.path().join("wastegate.toml");
    let text = format!(
        "[admin]\ntoken = \"none\"\ntokens_file = \"{}\"\n",
        path.display()
    );
    fs::write(&config, text).unwrap();
    let (code, out, err) = run(&["config", "check", "--config", config.to_str().unwrap()]).await;
    assert_eq!(code, Some(78), "{out}{err}");
    assert!((out + &err).contains("set one of them"));
}

/// The settings that run are shown with where they came from, and no secret is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_shown_without_secrets() {
    let secret = "a-secret-of-some-length";
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("wastegate.toml");
    fs::write(&config, format!("[admin]\ntoken = \"{secret}\"\n")).unwrap();
    let config = format!("--config={}", config.display());
    let settings = ["--json", "--set=limits.managers_per_user=7", &config];
    let mut served = Served::start(&settings);
    let told = served.json().await;
    let admin = told["admin"].as_str().unwrap().parse().unwrap();
    let request = format!(
        "GET /v1/config HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {secret}\r\n\r\n"
    );
    let shown = exchange(admin, request.as_bytes()).await.unwrap();
    assert!(!shown.body.contains(secret));
    let shown = shown.json();
    let keys = shown["keys"].as_array().unwrap();
    let of = |name: &str| keys.iter().find(|key| key["key"] == name).unwrap();
    let limit = of("limits.managers_per_user");
    assert_eq!(limit["value"], "7");
    assert!(limit["from"].as_str().unwrap().contains("--set"), "{limit}");
    assert_eq!(of("health.ping_interval_ms")["from"], "default");
    let headers = of("gateway.header_timeout_ms");
    assert_eq!(headers["live"], true, "{headers}");
    assert!(!of("admin.token")["value"].as_str().unwrap().is_empty());
    assert!(keys.len() > 150, "{}", keys.len());
}
