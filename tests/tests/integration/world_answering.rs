//! B11: we never break what works without us. Clients whose pongs have no mask, that answer no ping, or
//! late; and what we refuse on a connection is counted and told with the setting that allows it.

mod odd;

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use wastegate::connection::frames::Unmasked;
use wastegate::manager;
use wastegate::tasks::Tasks;
use wastegate_tests::harness::{Dial, Server, Setup, http, timed, until, until_async, within};

use crate::behind::in_front_of;
use crate::cli::PROGRAM;
use odd::{CLOSE, Odd, PING, PONG, Pongs, TEXT, frame};

/// A backend that is strict about masks: it echoes, pings its client when told to, and says what it got as
/// an answer.
async fn strict_backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Tasks::new().spawn("backend", async move {
        while let Ok((stream, _)) = listener.accept().await {
            Tasks::new().spawn("backend", async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
                    return;
                };
                while let Some(Ok(message)) = socket.next().await {
                    let answer = match message {
                        Message::Text(text) if text == "ping" => {
                            Message::Ping(Bytes::from_static(b"of the backend"))
                        }
                        Message::Pong(payload) => Message::Binary(payload),
                        Message::Text(_) => message,
                        _ => continue,
                    };
                    if socket.send(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// The same in both modes: the built-in application, and a backend.
async fn both(prepare: impl Fn(Setup) -> Setup) -> [Server; 2] {
    let backend = strict_backend().await;
    let embedded = Setup::new().short_goodbyes();
    let gateway = in_front_of(&[format!("ws://{backend}")]);
    [
        prepare(embedded).start().await,
        prepare(gateway).start().await,
    ]
}

async fn view(server: &Server, key: &str) -> Value {
    let user = server.get("/v1/users/ann").await.json();
    let managers = user["managers"].as_array().unwrap();
    let found = managers.iter().find(|manager| manager["key"] == key);
    found.unwrap_or_else(|| panic!("{key} is gone")).clone()
}

/// Waits until a manager is believed to be in a health.
async fn is_judged(server: &Server, key: &str, health: &str) {
    until_async(format!("{key} to be {health}"), async || {
        view(server, key).await["health"] == health
    })
    .await;
}

/// Waits until its client has said nothing for so long.
async fn silent_for(server: &Server, key: &str, time: Duration) {
    let manager = server.manager("ann", key).unwrap();
    until(format!("{key} to be silent for {time:?}"), || {
        manager.activity().last().after(time) <= server.now()
    })
    .await;
}

/// Longer than it takes for a peer that answers nothing to count as dead.
const LONG: Duration = Duration::from_millis(2_600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_an_unmasked_pong_is_a_sign_of_life() {
    for server in both(|setup| setup.impatient()).await {
        let mut client = Odd::enter(&server, "k", Pongs::Unmasked).await;
        client.echo("hello").await;
        silent_for(&server, "k", LONG).await;
        assert_eq!(view(&server, "k").await["health"], "alive");
        assert!(view(&server, "k").await["signals"]["rtt-ms"].is_number());
        client.echo("after a silence").await;
        for number in 0..20 {
            client.echo(&format!("{number}")).await;
        }
        // A Close without a mask is one, too: the manager is given up.
        client.send(frame(CLOSE, &[0x03, 0xe8], false)).await;
        assert_eq!(client.closed().await, 1_000);
        server.holds("ann", 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_an_unmasked_pong_for_the_backend_arrives_masked() {
    let backend = strict_backend().await;
    let server = in_front_of(&[format!("ws://{backend}")]).start().await;
    let mut client = Odd::enter(&server, "k", Pongs::Unmasked).await;
    client.send(frame(TEXT, b"ping", true)).await;
    let answered = client.hear().await.unwrap();
    assert_eq!(answered, (0x82, b"of the backend".to_vec()));
    client.echo("still there").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_other_unmasked_frames_are_a_setting() {
    let with = |unmasked| {
        move |setup: Setup| setup.with(|config| config.connection.unmasked_frames = unmasked)
    };
    let text = frame(TEXT, b"bare", false);
    let ping = frame(PING, b"bare", false);
    for server in both(with(Unmasked::Answers)).await {
        for bytes in [&text, &ping] {
            let mut client = Odd::enter(&server, "k", Pongs::Good).await;
            client.send(bytes.clone()).await;
            assert_eq!(client.closed().await, 1_002);
        }
    }
    for server in both(with(Unmasked::Accept)).await {
        let mut client = Odd::enter(&server, "k", Pongs::Good).await;
        client.send(text.clone()).await;
        assert_eq!(client.hear().await, Some((TEXT, b"bare".to_vec())));
        client.send(ping.clone()).await;
        assert_eq!(client.hear().await, Some((PONG, b"bare".to_vec())));
        client.echo("and with a mask").await;
    }
    for server in both(|setup| with(Unmasked::Refuse)(setup.impatient())).await {
        let mut client = Odd::enter(&server, "k", Pongs::Unmasked).await;
        assert_eq!(client.closed().await, 1_002);
        let counted = "wastegate_connection_faults_total{fault=\"mask\",side=\"client\"}";
        assert!((server.metric(counted).await - 1.0).abs() < f64::EPSILON);
    }
}

/// A client that talks and answers no ping is there as long as its kernel is, and is known as one that
/// cannot be asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_a_client_that_never_answers_pings_stays() {
    for server in both(|setup| setup.impatient()).await {
        let mut client = Odd::enter(&server, "k", Pongs::Never).await;
        let mut number = 0;
        while *client.pinged.borrow() < 5 {
            client.echo(&format!("{number}")).await;
            number += 1;
            // It talks, at the pace of a person who types fast.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(view(&server, "k").await["health"], "alive");
        is_judged(&server, "k", "unknown").await;
        silent_for(&server, "k", LONG).await;
        let view = view(&server, "k").await;
        assert_eq!(
            (&view["health"], &view["class"]),
            (&"unknown".into(), &"responsive".into())
        );
        client.echo("still there").await;
        is_judged(&server, "k", "alive").await;
    }
}

/// One that says nothing at all and only listens is there as long as it reads, and goes once it does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_a_client_that_only_listens_stays() {
    let setup = Setup::new().impatient();
    let server = setup.with(|config| {
        config.health.stalled_after = Duration::from_millis(500);
        // Before it is given up altogether.
        config.health.dead_after = Duration::from_secs(20);
    });
    let server = server.start().await;
    let mut listener = Odd::enter(&server, "k", Pongs::Never).await;
    listener.pinged(1).await;
    let manager = server.manager("ann", "k").unwrap();
    let page = manager::Message::Text("x".repeat(16_384).into());
    let sent_until_judged = async |health: &'static str| {
        until_async(format!("k to be {health}"), async || {
            // No more than may wait for it.
            if manager.ports()[0].outbox.queued().bytes < 100_000 {
                manager.broadcast(&page, None);
            }
            view(&server, "k").await["health"] == health
        })
        .await;
    };
    sent_until_judged("unknown").await;
    silent_for(&server, "k", LONG).await;
    is_judged(&server, "k", "unknown").await;
    listener.stop();
    sent_until_judged("stalled").await;
}

/// Who never answered a ping and said nothing either is judged as ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_a_client_that_never_did_anything_is_dead() {
    for server in both(|setup| setup.impatient()).await {
        let silent = Odd::enter(&server, "k", Pongs::Never).await;
        is_judged(&server, "k", "dead").await;
        drop(silent);
    }
}

/// One that cannot be asked goes after one that was stopped, and before one that answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_who_cannot_be_asked_goes_between_the_stopped_and_the_answering() {
    for server in both(|setup| setup.impatient().limit(3)).await {
        let mut mute = Odd::enter(&server, "mute", Pongs::Never).await;
        while *mute.pinged.borrow() < 3 {
            mute.echo("hello").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        is_judged(&server, "mute", "unknown").await;
        let mut answering = Odd::enter(&server, "answering", Pongs::Good).await;
        let mut stopped = Odd::enter(&server, "stopped", Pongs::Good).await;
        stopped.pinged(1).await;
        answering.pinged(1).await;
        stopped.echo("hello").await;
        stopped.stop();
        is_judged(&server, "stopped", "suspect").await;
        let first = Odd::enter(&server, "first", Pongs::Good).await;
        assert_eq!(server.keys("ann"), ["answering", "first", "mute"]);
        let second = Odd::enter(&server, "second", Pongs::Good).await;
        assert_eq!(server.keys("ann"), ["answering", "first", "second"]);
        answering.echo("untouched").await;
        drop((first, second));
    }
}

/// A client whose answers take longer than a probe waits is not taken for a silent one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_a_client_that_answers_late_stays_and_is_not_taken_for_a_stopped_one() {
    let late = Duration::from_millis(600);
    let prepare = |setup: Setup| {
        setup.limit(3).with(|config| {
            config.health.ping_interval = Duration::from_millis(1_500);
            config.health.pong_deadline = Duration::from_millis(1_200);
            config.health.probe_deadline = Duration::from_millis(150);
        })
    };
    for server in both(prepare).await {
        let mut slow = Odd::enter(&server, "slow", Pongs::Late(late)).await;
        let mut answering = Odd::enter(&server, "answering", Pongs::Good).await;
        let mut stopped = Odd::enter(&server, "stopped", Pongs::Good).await;
        answering.pinged(1).await;
        stopped.pinged(1).await;
        stopped.echo("hello").await;
        stopped.stop();
        let measured = async || view(&server, "slow").await["signals"]["rtt-ms"].is_number();
        until_async("a pong of the slow one", measured).await;
        let (first, took) = timed(Odd::enter(&server, "first", Pongs::Good)).await;
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert_eq!(server.keys("ann"), ["answering", "first", "slow"]);
        // It has stayed alive all along, as far as heartbeats tell.
        slow.pinged(4).await;
        is_judged(&server, "slow", "alive").await;
        slow.echo("still there").await;
        answering.echo("untouched").await;
        drop(first);
    }
}

/// Inside a long frame of its own a client cannot answer; its bytes speak for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_a_client_inside_a_long_frame_of_its_own_stays() {
    for server in both(|setup| setup.impatient().limit(1).without_force()).await {
        let mut client = Odd::enter(&server, "k", Pongs::Never).await;
        let text = "x".repeat(100);
        let bytes = frame(TEXT, text.as_bytes(), true);
        for byte in bytes {
            client.send(vec![byte]).await;
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(view(&server, "k").await["health"], "alive");
        let refusal = server.refused("ann", "other").await;
        assert_eq!(refusal.reply.status, 429);
        assert_eq!(client.hear().await, Some((TEXT, text.into_bytes())));
    }
}

/// Each kind of fault is counted as what it is, in both modes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_faults_are_counted_by_kind() {
    let prepare = |setup: Setup| {
        setup.with(|config| {
            config.connection.frame_bytes_max = Some(125);
            config.connection.message_bytes_max = 150;
            config.connection.fragments_max = 4;
            config.connection.control_frames_per_s_max = 10;
        })
    };
    let masked = |first: u8, payload: &[u8]| frame(first, payload, true);
    let parts = |part: &[u8], count: usize| {
        let more = masked(0, part).repeat(count);
        [masked(2, part), more].concat()
    };
    let cases: [(&str, u16, Vec<u8>); 11] = [
        ("frame-size", 1_009, masked(0x82, &[0; 126])),
        ("message-size", 1_009, parts(&[0; 90], 1)),
        // S34: also where each of them is empty.
        ("fragments", 1_008, parts(b"", 4)),
        ("control-rate", 1_008, masked(PING, b"?").repeat(40)),
        ("mask", 1_002, frame(TEXT, b"bare", false)),
        ("reserved-bits", 1_002, masked(TEXT | 0x40, b"x")),
        ("opcode", 1_002, masked(0x83, b"x")),
        ("control-frame", 1_002, masked(PING & 0x0f, b"x")),
        ("order", 1_002, masked(0x80, b"x")),
        ("close-code", 1_002, masked(CLOSE, &[0x03, 0xed])),
        ("close-reason", 1_002, masked(CLOSE, &[0x03, 0xe8, 0xff])),
    ];
    for server in both(prepare).await {
        for (fault, code, bytes) in &cases {
            let mut client = Odd::enter(&server, "k", Pongs::Good).await;
            client.send(bytes.clone()).await;
            assert_eq!(client.closed().await, *code, "{fault}");
            let counted =
                format!("wastegate_connection_faults_total{{fault=\"{fault}\",side=\"client\"}}");
            assert!(
                (server.metric(&counted).await - 1.0).abs() < f64::EPSILON,
                "{fault}"
            );
        }
    }
}

/// One line for many connections that end for the same, with the setting that would let them pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_a_fault_leaves_one_line_that_names_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut program = Command::new(PROGRAM)
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--json",
        ])
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut welcome = String::new();
    let mut output = std::io::BufReader::new(program.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut welcome).unwrap();
    let welcome: Value = serde_json::from_str(&welcome).unwrap();
    let address: SocketAddr = welcome["listen"].as_str().unwrap().parse().unwrap();
    for number in 0..20 {
        let dial = Dial::to(address, "ann", &format!("k{number}"));
        let mut stream = dial.tcp().await;
        let request = dial.request();
        let bytes = [request.as_bytes(), &frame(TEXT, b"bare", false)].concat();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes)
            .await
            .unwrap();
        let head = within("an upgrade", http::read_head(&mut stream)).await;
        assert_eq!(head.unwrap().status, 101);
        let mut rest = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest);
        within("the end", read).await.unwrap();
    }
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("unmasked_frames"))
        .collect();
    assert_eq!(lines.len(), 1, "{text}");
    program.kill().unwrap();
    program.wait().unwrap();
}
