//! What the program says, as a process: its welcome, its check of a configuration, its log.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use futures_util::StreamExt;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use wastegate::tasks::Tasks;
use wastegate_tests::guests::shipped;
use wastegate_tests::harness::{Program, until, within};

use crate::behind::backend;
use crate::cli::{PROGRAM, run};
use crate::knock::{closed, echo, knock, status};
use crate::world_drain::Since;

/// A server as a process whose log is a file.
pub(crate) struct Served {
    program: Program,
    log: PathBuf,
    folder: TempDir,
}

impl Served {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let shell = format!("exec \"$0\" \"$@\" 2>{}", log.display());
        let mut all = vec!["-c", &shell, PROGRAM, "serve"];
        all.extend(["--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]);
        all.extend(arguments);
        let program = Program::start("sh", &all);
        Self {
            program,
            log,
            folder,
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.program.line().await).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) async fn says(&self, what: &str) {
        until("a line of the log", || self.log().contains(what)).await;
    }
}

pub(crate) fn listens(welcome: &Value) -> SocketAddr {
    welcome["listen"].as_str().unwrap().parse().unwrap()
}

/// The lines of a welcome for people.
async fn banner(arguments: &[&str]) -> String {
    let mut served = Served::start(arguments);
    let mut lines = String::new();
    loop {
        let line = served.program.line().await;
        lines.push_str(&line);
        lines.push('\n');
        if line.contains("ctrl-c") {
            return lines;
        }
    }
}

/// A certificate and its key, and another one's key.
pub(crate) fn certificates(folder: &Path) -> [String; 3] {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    fs::write(path("cert.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    fs::write(
        path("other.pem"),
        KeyPair::generate().unwrap().serialize_pem(),
    )
    .unwrap();
    [path("cert.pem"), path("key.pem"), path("other.pem")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w74_with_tls_the_welcome_says_wss() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key, _] = certificates(folder.path());
    let settings = [
        "--set",
        &format!("gateway.tls.certificate={certificate}"),
        "--set",
        &format!("gateway.tls.key={key}"),
    ];
    let lines = banner(&settings).await;
    assert!(
        lines.contains("wss://127.0.0.1:") && !lines.contains(" ws://"),
        "{lines}"
    );
    let mut with_json = settings.to_vec();
    with_json.push("--json");
    let told = Served::start(&with_json).json().await;
    for name in ["url", "connect"] {
        assert!(told[name].as_str().unwrap().starts_with("wss://"), "{told}");
    }
    assert_eq!(told["tls"], true);
}

/// What is printed as the way to connect works, or names what it needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w75_the_welcome_says_how_to_connect() {
    let keys = "identity.jwt.keys_url=http://127.0.0.1:1/keys";
    for (settings, needs) in [
        (
            vec!["identity.mode=jwt", keys],
            "Authorization: Bearer TOKEN",
        ),
        (
            vec![
                "identity.mode=jwt",
                keys,
                "identity.token.sources=cookie",
                "identity.token.cookie=jt",
            ],
            "cookie `jt`",
        ),
        (
            vec!["identity.mode=headers", "gateway.trusted_proxies=127.0.0.1"],
            "`x-user`",
        ),
        (
            vec!["identity.mode=cookie", "identity.cookie.name=sid"],
            "cookie `sid`",
        ),
        (
            vec![
                "identity.mode=hook",
                "identity.hook.url=http://127.0.0.1:1/who",
            ],
            "http://127.0.0.1:1/who",
        ),
    ] {
        let arguments: Vec<&str> = settings
            .iter()
            .flat_map(|setting| ["--set", setting])
            .collect();
        let lines = banner(&arguments).await;
        assert!(
            lines.contains(needs) && !lines.contains("?user="),
            "{lines}"
        );
    }
    // Where nothing is needed, the line is enough.
    let upstream = format!("ws://{}", backend("a").await);
    for arguments in [
        vec!["--json"],
        vec!["--json", "--upstream", &upstream],
        vec!["--json", "--set", "identity.mode=address"],
    ] {
        let mut served = Served::start(&arguments);
        let told = served.json().await;
        let connect = told["connect"].as_str().unwrap();
        let target = connect.split_once(&listens(&told).to_string()).unwrap().1;
        assert_eq!(
            status(knock(listens(&told), target, &[]).await),
            101,
            "{told}"
        );
        assert_eq!(told["needs"], Value::Null);
    }
}

/// Backends are as they were seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w46_the_welcome_says_what_it_saw_of_a_backend() {
    let there = format!("ws://{}", backend("a").await);
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let both = format!("{there},ws://{free}");
    let mut served = Served::start(&["--json", "--upstream", &both]);
    let told = served.json().await;
    assert_eq!(told["backends"][0]["reached"], true, "{told}");
    assert_eq!(told["backends"][1]["reached"], false, "{told}");
    let lines = banner(&["--upstream", &format!("ws://{free}")]).await;
    assert!(
        lines.contains("cannot be reached now") && !lines.contains("answers"),
        "{lines}"
    );
}

/// One line a second and reason, with the number of those that were left out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w77_refusals_leave_a_throttled_line() {
    let mut served = Served::start(&[
        "--json",
        "--set",
        "manager.connections_max=1",
        "--set",
        "gateway.refusal=close",
    ]);
    let address = listens(&served.json().await);
    let start = Since::now();
    for _ in 0..50 {
        assert_eq!(status(knock(address, "/ws", &[]).await), 401);
    }
    let foreign = [("origin", "https://evil.example")];
    let foreign = knock(address, "/ws?user=ann", &foreign).await;
    assert_eq!(status(foreign), 403);
    let target = |device: &str| format!("/ws?user=ann&key=k&device={device}");
    let mut one = knock(address, &target("a"), &[]).await.unwrap();
    echo(&mut one, "here").await;
    let one = Tasks::new().spawn("client", async move {
        while let Some(Ok(_)) = one.next().await {}
    });
    until("a second to pass", || {
        start.elapsed() > Duration::from_millis(1_100)
    })
    .await;
    let mut two = knock(address, &target("b"), &[]).await.unwrap();
    assert_eq!(within("a Close", closed(&mut two)).await, 4_434);
    one.abort();
    assert_eq!(status(knock(address, "/ws", &[]).await), 401);
    served.says("4434").await;
    until("the next line", || !left_out(&served.log()).is_empty()).await;
    let log = served.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("a client is refused"));
    let lines = lines.count();
    let seconds = usize::try_from(start.elapsed().as_secs()).unwrap();
    assert!(lines >= 4 && lines <= 4 + 3 * (seconds + 1), "{log}");
    for why in [
        "query parameter `user` is missing",
        "pages of this origin may not connect",
        "status=403",
    ] {
        assert!(log.contains(why), "{why}: {log}");
    }
}

/// The numbers of lines that were left out, where there were any.
fn left_out(log: &str) -> Vec<u32> {
    let numbers = log.split("left_out=").skip(1);
    let numbers = numbers.filter_map(|rest| rest.split_whitespace().next()?.parse().ok());
    numbers.filter(|number| *number > 0).collect()
}

/// A policy that takes its time to compile says so first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w81_a_policy_that_brings_a_runtime_is_announced_before_it_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("lru.wasm");
    fs::write(&policy, shipped("lru")).unwrap();
    // So little for a small call, and for its file, makes any policy one that brings a runtime.
    let mut served = Served::start(&[
        "--json",
        "--policy",
        policy.to_str().unwrap(),
        "--set",
        "policy.memory_user_bytes=65536",
        "--set",
        "policy.size_bytes_max=4096",
    ]);
    served.says("compiling a policy").await;
    served.json().await;
}

/// A change that needs a restart is named by its keys, each time, and one that does not is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w82_a_reload_names_the_keys_that_need_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wastegate.toml");
    fs::write(&file, "[limits]\nmanagers_per_user = 5\n").unwrap();
    let mut served = Served::start(&["--json", "--config", file.to_str().unwrap()]);
    served.json().await;
    fs::write(
        &file,
        "[limits]\nmanagers_per_user = 6\n[gateway]\nheader_timeout_ms = 700\nupstream_grace_ms = 70\n\
         origins = [\"https://app.example\"]\n[policy.params]\nw-idle = 2.0\n",
    )
    .unwrap();
    let keys = "gateway.upstream_grace_ms, limits.managers_per_user, policy.params.w-idle";
    let times = |what: &str| served.log().matches(what).count();
    for round in 1..=2 {
        served.program.signal("HUP");
        until("a reload", || {
            times("the settings were read again") == round
        })
        .await;
        assert_eq!(times(keys), round, "{}", served.log());
    }
    for live in ["gateway.origins", "gateway.header_timeout_ms"] {
        assert!(!served.log().contains(live), "{}", served.log());
    }
    // What was put back needs nothing any more.
    fs::write(&file, "[limits]\nmanagers_per_user = 5\n").unwrap();
    served.program.signal("HUP");
    until("a reload", || times("the settings were read again") == 3).await;
    assert_eq!(times("need a restart"), 2);
    drop(served.folder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w84_an_upstream_of_another_scheme_gets_a_hint() {
    for (given, meant) in [
        ("http://127.0.0.1:1", "ws://127.0.0.1:1"),
        ("https://chat.example/x", "wss://chat.example/x"),
        ("127.0.0.1:8000", "ws://127.0.0.1:8000"),
        ("localhost:8000", "ws://localhost:8000"),
        ("backend.example", "ws://backend.example"),
    ] {
        let (code, _, said) = run(&["serve", "--upstream", given]).await;
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains(&format!("did you mean `{meant}`?")), "{said}");
    }
    let (_, _, said) = run(&["serve", "--upstream", "ftp://x"]).await;
    assert!(!said.contains("did you mean"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w84_a_listener_may_have_a_name() {
    let arguments = [
        "serve",
        "--json",
        "--listen=localhost:0",
        "--admin=localhost:0",
    ];
    let mut program = Program::start(PROGRAM, &arguments);
    let told: Value = serde_json::from_str(&program.line().await).unwrap();
    let address = listens(&told);
    assert!(address.ip().is_loopback());
    let client = knock(address, "/ws?user=ann", &[]).await;
    assert_eq!(status(client), 101);
    for bad in [
        "localhost",
        "127.0.0.1",
        "no such host:80",
        "localhost:http",
    ] {
        let listen = format!("--listen={bad}");
        let serve = tokio::task::spawn_blocking(move || {
            std::process::Command::new(PROGRAM)
                .args(["serve", &listen])
                .output()
        });
        let Output { status, stderr, .. } = within("the program", serve).await.unwrap().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(78), "{said}");
        assert!(said.contains("localhost:8080"), "{said}");
    }
}
