//! What a gateway records of itself on real sockets, at its edges, and a replay of it: field cases J10, J14,
//! J27 and J28. Crowds in virtual time are in `tests/sim/recording.rs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use wastegate::observe::config::JournalConfig;
use wastegate::observe::pseudonym::PseudonymKey;
use wastegate_core::types::{SplitMix64, Tier};
use wastegate_tests::harness::{Client, Server, Setup, until};

use crate::behind::{backend, in_front_of};
use crate::cli::run;

/// The share of victims that a replay has to reproduce.
const FAITHFUL: f64 = 0.995;

/// A recording gateway with the settings as they ship, at `path`.
fn recording(setup: Setup, path: &Path) -> Setup {
    let path = path.to_owned();
    setup
        .as_shipped()
        .short_goodbyes()
        .with(|config| config.observe.activity = Some(JournalConfig::at(path)))
}

async fn fidelity_of(activity: &Path) -> Value {
    let file = activity.to_str().unwrap();
    let (code, out, err) = run(&["replay", "--json", "--activity", file]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    report["fidelity"].clone()
}

/// A replay of the recording is faithful, and so many victims at least are in it.
async fn is_faithful(activity: &Path, victims: u64) {
    let fidelity = fidelity_of(activity).await;
    assert!(
        fidelity["recorded"].as_u64().unwrap() >= victims,
        "{fidelity}"
    );
    assert!(
        fidelity["share"].as_f64().unwrap() >= FAITHFUL,
        "{fidelity}"
    );
    assert_eq!(fidelity["as_recorded"], json!({}), "{fidelity}");
}

/// Waits until so much time has passed by the gateway's clock.
async fn pass(server: &Server, time: Duration) {
    let until_then = server.now().after(time);
    until("some time to pass", || server.now() >= until_then).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j10_a_close_that_makes_room_is_no_eviction() {
    let folder = TempDir::new().unwrap();
    let activity = folder.path().join("activity.ndjson");
    let setup = recording(Setup::new(), &activity);
    let server = setup
        .with(|config| config.limits.temporary_slots = 0)
        .start()
        .await;
    let mut clients = server.fill("ann", 20).await;
    pass(&server, Duration::from_secs(3)).await;
    clients.remove(4).leave().await;
    server.holds("ann", 19).await;
    for key in ["n1", "n2", "n3"] {
        clients.push(server.enter("ann", key).await);
    }
    server.stop().await;
    is_faithful(&activity, 2).await;
}

/// Clients of some users come and go, by a stream of lots.
async fn crowd(server: &Server, users: &[&str], steps: usize, seed: u64) -> Vec<Client> {
    let mut random = SplitMix64::new(seed);
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..steps {
        pass(server, Duration::from_millis(2)).await;
        let user = users[(random.next() % users.len() as u64) as usize];
        let key = format!("k{}", random.next() % 9);
        let held = clients
            .iter()
            .position(|one| one.user == user && one.key == key);
        match held.map(|at| clients.remove(at)) {
            Some(mut client) if client.is_open() => match random.next() % 12 {
                0 => drop(client.leave().await),
                1 => client.vanish().await,
                2 => drop(client),
                _ => {
                    client.echo("hello").await;
                    clients.push(client);
                }
            },
            _ => {
                // At its limit a user may have to wait: that is recorded too.
                if let Ok(client) = server.dial(user, &key).connect().await {
                    server.attached(&client).await;
                    clients.push(client);
                }
            }
        }
    }
    clients
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j14_arms_swaps_and_another_table_replay() {
    let folder = TempDir::new().unwrap();
    let activity = folder.path().join("activity.ndjson");
    let server = recording(Setup::new().policy("lru"), &activity)
        .only(&[Tier::Conservative, Tier::Moderate, Tier::Force], 0)
        .limit(4)
        .with(|config| {
            config.limits.temporary_slots = 0;
            config.cleanup.force_per_user_max = 0;
        })
        .start()
        .await;
    let users = ["ann", "bob", "cid", "dan"];
    let before = crowd(&server, &users, 80, 1).await;
    let definition = json!({
        "name": "who", "arms": [{"policy": "champion"}, {"policy": "fifo"}],
        "primary": "regret-10s",
        "guardrails": [{"metric": "blocked-users", "margin": 0.01}],
    });
    let reply = server.post("/v1/experiments", &definition).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    drop(before);
    let during = crowd(&server, &users, 120, 2).await;
    let reply = server.post("/v1/experiments/who/stop", &json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let reply = server.post("/v1/policies/fifo/activate", &json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    drop(during);
    drop(crowd(&server, &users, 80, 3).await);
    server.stop().await;
    let text = std::fs::read_to_string(&activity).unwrap();
    assert!(text.contains(r#""arm":"who/1/fifo""#), "an arm ranked");
    is_faithful(&activity, 20).await;
}

/// In front of a backend nothing waits for a client that was lost; one that closes is gone by its own will
/// all the same, and was never silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j13_in_front_of_a_backend_a_close_is_a_close() {
    let folder = TempDir::new().unwrap();
    let activity = folder.path().join("activity.ndjson");
    let backend = format!("ws://{}", backend("one").await);
    let server = recording(in_front_of(&[backend]), &activity)
        .limit(4)
        .with(|config| config.limits.temporary_slots = 0)
        .start()
        .await;
    let client = server.enter("eve", "k").await;
    client.leave().await;
    server.holds("eve", 0).await;
    let mut clients = Vec::new();
    for round in 0..6 {
        for key in 0..5 {
            pass(&server, Duration::from_millis(2)).await;
            let user = ["ann", "bob"][round % 2];
            if let Ok(client) = server.dial(user, &format!("k{round}{key}")).connect().await {
                clients.push(client);
            }
        }
        clients.remove(0).leave().await;
        clients.remove(0).vanish().await;
    }
    server.stop().await;
    let text = std::fs::read_to_string(&activity).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let eve = &lines.iter().find(|line| line["kind"] == "open").unwrap()["user"];
    let is_of_its_life = |line: &&Value| {
        let kinds = ["open", "attach", "detach", "close", "die"];
        line["user"] == *eve && kinds.contains(&line["kind"].as_str().unwrap_or_default())
    };
    let lives = lines.iter().filter(is_of_its_life);
    let ends: Vec<&Value> = lives.map(|line| &line["kind"]).collect();
    assert_eq!(ends, ["open", "attach", "detach", "close"]);
    is_faithful(&activity, 8).await;
}

/// Twelve users hold what they may; the process is killed, and begins again on the same file. `cut` is how much
/// of the file's end the kill took with it, bytes.
async fn killed_and_begun_again(folder: &TempDir, cut: usize) -> PathBuf {
    let (first, second) = (
        folder.path().join("first.ndjson"),
        folder.path().join("second.ndjson"),
    );
    let users: Vec<String> = (0..12).map(|number| format!("user-{number}")).collect();
    let setup = |path: &Path| {
        recording(Setup::new(), path).limit(3).with(|config| {
            config.limits.temporary_slots = 0;
            config.observe.pseudonym_key = Some(PseudonymKey::from_bytes([7; 16]));
        })
    };
    let server = setup(&first).start().await;
    let mut clients = Vec::new();
    for user in &users {
        for key in ["a", "b", "c"] {
            clients.push(server.enter(user, key).await);
        }
    }
    // What a kill leaves is what was written by then: everybody's openings, and no ends.
    let opened = || {
        std::fs::read_to_string(&first)
            .unwrap_or_default()
            .matches(r#""attach""#)
            .count()
    };
    until("everybody to be written down", || opened() >= 36).await;
    let left = std::fs::read(&first).unwrap();
    drop(clients);
    server.stop().await;
    let mut left = left[..left.len() - cut].to_vec();
    if cut > 0 {
        // The journal ends a torn line with a line feed when it is opened again.
        left.push(b'\n');
    }
    std::fs::write(&second, left).unwrap();
    let server = setup(&second).start().await;
    let mut clients = Vec::new();
    for user in &users {
        for key in ["d", "e", "f", "g"] {
            pass(&server, Duration::from_millis(1)).await;
            clients.push(server.enter(user, key).await);
        }
    }
    server.stop().await;
    second
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j27_a_kill_ends_what_was_held() {
    let folder = TempDir::new().unwrap();
    let activity = killed_and_begun_again(&folder, 0).await;
    is_faithful(&activity, 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j28_a_line_that_a_kill_tore_is_left_out_and_told() {
    let folder = TempDir::new().unwrap();
    let activity = killed_and_begun_again(&folder, 9).await;
    is_faithful(&activity, 12).await;
    let file = activity.to_str().unwrap();
    let (code, out, _) = run(&["replay", "--json", "--activity", file]).await;
    assert_eq!(code, Some(0));
    let report: Value = serde_json::from_str(&out).unwrap();
    let cut = report["activity"]["cut_off"].as_array().unwrap();
    assert_eq!(cut.len(), 1, "{report}");
    let text = std::fs::read_to_string(&activity).unwrap();
    let torn = text.lines().position(|line| !line.ends_with('}')).unwrap() + 1;
    assert_eq!(cut[0]["line"], torn);
}
