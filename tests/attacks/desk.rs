//! S15: who holds connections of the operators' listener, and with what.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wastegate_tests::harness::{http, until, within};

use crate::command::{request, settings, status};
use crate::stage::Stage;

const LOCAL: &str = "host: localhost\r\n";
const TOKEN: &str = "a token of some length";

async fn open(to: SocketAddr, said: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    // Some are closed for the next ones.
    let _ = stream.write_all(said).await;
    stream
}

/// More connections than there are places, silent ones and ones that asked without the token, are kept
/// open by somebody who may do nothing. Probes and operators get in all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_connections_that_show_no_token_keep_nobody_out() {
    let (folder, file) = settings(&format!("[admin]\ntoken = \"{TOKEN}\"\n"));
    let mut stage = Stage::within(folder, &["--config", &file]).await;
    let admin = stage.admin;
    let before = stage.program.descriptors();
    let asks = b"GET /v1/stats HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let begins = b"GET /v1/sta";
    let held = (0..300).map(|number| {
        let said: &[u8] = match number % 3 {
            0 => asks,
            1 => begins,
            _ => b"",
        };
        open(admin, said)
    });
    let held = join_all(held).await;
    for _ in 0..20 {
        let health = request(admin, "GET /healthz", "host: 10.0.0.1\r\n", b"").await;
        assert_eq!(status(&health), 200, "{health}");
        let shown = format!("{LOCAL}authorization: Bearer {TOKEN}\r\n");
        let stats = request(admin, "GET /v1/stats", &shown, b"").await;
        assert_eq!(status(&stats), 200, "{stats}");
    }
    // What was displaced is closed: 256 places, and what a bystander needs.
    until("the displaced to be closed", || {
        stage.program.descriptors() <= before + 256 + 8
    })
    .await;
    stage.unharmed().await;
    drop(held);
}

/// What shows nothing has a lifetime, whatever it says in between; what has shown it may rest for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_what_shows_no_token_ends_by_itself() {
    let (folder, file) = settings(&format!(
        "[admin]\ntoken = \"{TOKEN}\"\nstranger_lifetime_ms = 700\nidle_max_ms = 60000\n"
    ));
    let mut stage = Stage::within(folder, &["--config", &file]).await;
    let admin = stage.admin;
    let mut operator = open(
        admin,
        format!(
            "GET /v1/stats HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
        )
        .as_bytes(),
    )
    .await;
    let head = http::read_head(&mut operator).await.unwrap();
    assert_eq!(head.status, 200);
    http::read_body(&mut operator, head).await;
    let ends = |said: &'static [u8]| async move {
        let mut stream = open(admin, said).await;
        let mut all = Vec::new();
        let read = within("its end", stream.read_to_end(&mut all)).await;
        let all = String::from_utf8_lossy(&all).into_owned();
        (read.is_ok(), all)
    };
    let (_, silent) = ends(b"").await;
    assert_eq!(silent, "");
    let (_, begun) = ends(b"GET /v1/st").await;
    assert!(begun.is_empty() || begun.contains("408"), "{begun}");
    let (clean, asked) = ends(b"GET /v1/stats HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(clean && asked.contains(" 401 "), "{asked}");
    // One that asks over and over, within every idle time, has the same lifetime.
    let mut busy = TcpStream::connect(admin).await.unwrap();
    let over_and_over = async {
        let mut answers = 0;
        loop {
            let asked = busy
                .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
                .await;
            let head = http::read_head(&mut busy).await;
            let (Ok(()), Some(head)) = (asked, head) else {
                return answers;
            };
            http::read_body(&mut busy, head).await;
            answers += 1;
        }
    };
    let answers = within("the end of one that is never silent", over_and_over).await;
    assert!(answers > 0);
    // And the operator's connection has outlived them all.
    let again = format!(
        "GET /v1/stats HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    );
    operator.write_all(again.as_bytes()).await.unwrap();
    assert_eq!(http::read_head(&mut operator).await.unwrap().status, 200);
    stage.unharmed().await;
}

/// Requests are under way in every place: probes are answered, and the others are told why not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_probes_are_answered_while_every_place_is_at_work() {
    let mut stage = Stage::with(&[
        "--set",
        "admin.connections_max=4",
        "--set",
        "admin.probes_reserved=2",
    ])
    .await;
    let admin = stage.admin;
    let upload = b"PUT /v1/policies/slow HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 100000\r\n\r\n";
    let mut uploads = Vec::new();
    for _ in 0..4 {
        let mut stream = open(admin, upload).await;
        // It is being read.
        let said = http::read_head(&mut stream);
        assert_eq!(within("100", said).await.unwrap().status, 100);
        uploads.push(stream);
    }
    let other = request(admin, "GET /v1/stats", LOCAL, b"").await;
    assert_eq!(status(&other), 503, "{other}");
    assert!(other.contains("`admin.connections_max`"), "{other}");
    // Silent ones hold the reserve, too: the oldest goes.
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(open(admin, b"").await);
        for path in ["GET /healthz", "GET /readyz"] {
            let probe = request(admin, path, "host: 10.0.0.1\r\n", b"").await;
            assert_eq!(status(&probe), 200, "{probe}");
        }
    }
    for stream in &mut uploads {
        let mut byte = [0; 1];
        let quiet = tokio::time::timeout(Duration::from_millis(1), stream.read(&mut byte)).await;
        assert!(quiet.is_err(), "requests under way are not cut off");
    }
    stage.unharmed().await;
}
