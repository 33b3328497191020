//! `wastegate replay`: against a simulator that is not ours, on what a gateway recorded, and to the same
//! byte each time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use wastegate::observe::config::JournalConfig;
use wastegate_core::types::SplitMix64;
use wastegate_tests::harness::program::{python, script};
use wastegate_tests::harness::{Client, Program, Server, Setup, until};

use crate::cli::run;

/// A message log of made-up people: some talk much, and most to the same few.
fn messages(lines: usize) -> String {
    let mut random = SplitMix64::new(20_261_127);
    let (mut text, mut now) = (String::new(), 1_082_040_961);
    for _ in 0..lines {
        now += random.next() % 600;
        let someone = |random: &mut SplitMix64| {
            let most = 1 + random.next() % 120;
            1 + random.next() % most
        };
        let (src, dst) = (someone(&mut random), someone(&mut random));
        writeln!(text, "{src} {dst} {now}").unwrap();
    }
    text
}

async fn replayed(activity: &Path, more: &[&str]) -> Value {
    let mut arguments = vec!["replay", "--json", "--activity", activity.to_str().unwrap()];
    arguments.extend(more);
    let (code, out, err) = run(&arguments).await;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    serde_json::from_str(&out).unwrap()
}

fn strategy<'a>(report: &'a Value, name: &str) -> &'a Value {
    let policies = report["policies"].as_array().unwrap();
    policies.iter().find(|one| one["name"] == name).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulator_that_is_not_ours_comes_to_the_same() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("messages.txt");
    std::fs::write(&log, messages(6_000)).unwrap();
    for limit in ["3", "8"] {
        let arguments = [
            script("replay_reference.py").into_os_string(),
            log.clone().into_os_string(),
            limit.into(),
        ];
        let (status, theirs) = Program::start(python(), &arguments).finish().await;
        assert!(status.success(), "{status}, its messages are above");
        let theirs: Value = serde_json::from_str(&theirs).unwrap();
        let more = [
            "--cap", limit, "--policy", "lru", "--policy", "fifo", "--oracle",
        ];
        let ours = replayed(&log, &more).await;
        for (name, reference) in [("lru", "lru"), ("fifo", "fifo"), ("oracle", "oracle")] {
            let (ours, theirs) = (strategy(&ours, name), &theirs[reference]);
            for part in ["evictions", "reopen_misses", "regret"] {
                assert_eq!(ours[part], theirs[part], "{name} {part}, {limit} to a user");
            }
            assert_eq!((&ours["faults"], &ours["blocked"]), (&0.into(), &0.into()));
        }
        assert!(strategy(&ours, "lru")["fuel"].as_u64().unwrap() > 0);
        assert_eq!(strategy(&ours, "lru")["ratio"], 1.0);
        let natives = ["--cap", limit, "--native", "lru", "--native", "fifo"];
        let natively = replayed(&log, &natives).await;
        for (native, policy) in [("native:lru", "lru"), ("native:fifo", "fifo")] {
            let (native, policy) = (strategy(&natively, native), strategy(&ours, policy));
            for part in ["evictions", "reopen_misses", "regret"] {
                assert_eq!(native[part], policy[part], "{part}, {limit} to a user");
            }
        }
        assert_eq!(strategy(&ours, "oracle")["ratio"], 0.0);
    }
}

/// Whoever comes and goes, talks, falls silent and comes back.
struct Crowd<'a> {
    server: &'a Server,
    random: SplitMix64,
    clients: BTreeMap<(usize, u64), Client>,
    silent: Vec<(usize, u64)>,
}

const USERS: [&str; 3] = ["ann", "bob", "cid"];

impl Crowd<'_> {
    /// Times are recorded in milliseconds: what happens in two of them happens in that order.
    async fn tick(&self) {
        let now = self.server.now().millis();
        until("the next millisecond", || {
            self.server.now().millis() > now + 1
        })
        .await;
    }

    async fn step(&mut self) {
        self.tick().await;
        let user = (self.random.next() % 3) as usize;
        let place = (user, self.random.next() % 8);
        let what = self.random.next() % 100;
        let is_silent = self.silent.contains(&place);
        match self.clients.remove(&place) {
            Some(mut client) if client.is_open() && !is_silent => match what {
                0..6 => {
                    client.silence().await;
                    self.silent.push(place);
                    self.clients.insert(place, client);
                }
                6..10 => drop(client.leave().await),
                10..14 => client.vanish().await,
                _ => {
                    client.echo("hello").await;
                    self.clients.insert(place, client);
                }
            },
            Some(client) if client.is_open() => {
                self.clients.insert(place, client);
            }
            _ => {
                self.silent.retain(|silent| *silent != place);
                let key = format!("k{}", place.1);
                let client = self.server.enter(USERS[user], &key).await;
                self.clients.insert(place, client);
            }
        }
    }
}

/// What a gateway recorded of itself on real sockets, run again by the policy that ranked: the same
/// victims, decision by decision.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_run_replays_as_it_happened() {
    let folder = TempDir::new().unwrap();
    let activity = folder.path().join("activity.ndjson");
    let path = activity.clone();
    let server = Setup::new()
        .limit(4)
        .policy("lru")
        .short_goodbyes()
        .with(|config| {
            config.observe.activity = Some(JournalConfig::at(path));
            config.health.probe_deadline = Duration::from_millis(150);
            // Nobody is swept: what goes, goes by an admission's decision.
            config.cleanup.proactive_from = 2.0;
        })
        .start()
        .await;
    let mut crowd = Crowd {
        server: &server,
        random: SplitMix64::new(5),
        clients: BTreeMap::new(),
        silent: Vec::new(),
    };
    for _ in 0..400 {
        crowd.step().await;
    }
    drop(crowd);
    server.stop().await;
    let report = replayed(&activity, &["--policy", "lru", "--policy", "fifo"]).await;
    let fidelity = &report["fidelity"];
    assert!(fidelity["recorded"].as_u64().unwrap() > 60, "{fidelity}");
    assert!(fidelity["share"].as_f64().unwrap() >= 0.99, "{fidelity}");
    assert_eq!(report["cap"], 4, "the recording says so itself");
    let lru = strategy(&report, "lru");
    assert!(lru["zombies"]["dead"].as_u64().unwrap() > 0, "{lru}");

    // A replay by other rules is another world, and says so.
    let file = activity.to_str().unwrap();
    let (code, _, err) = run(&[
        "replay",
        "--activity",
        file,
        "--cap",
        "2",
        "--policy",
        "fifo",
    ])
    .await;
    assert_eq!(code, Some(1));
    assert!(err.contains("about another world"), "{err}");
    let other = [
        "replay",
        "--json",
        "--activity",
        file,
        "--cap",
        "2",
        "--policy",
        "fifo",
    ];
    let (code, out, err) = run(&[&other[..], &["--unfaithful"]].concat()).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &report["fidelity"]["faithful"]),
        (Some(0), &false.into())
    );
    assert!(err.contains("about another world"), "{err}");
    let bisect = [
        "replay",
        "bisect",
        "lru",
        "fifo",
        "--activity",
        file,
        "--cap",
        "2",
    ];
    let (_, _, err) = run(&bisect).await;
    assert!(err.contains("about another world"), "{err}");
    let again = [
        "replay",
        "--csv",
        "--activity",
        file,
        "--policy",
        "lru",
        "--threads",
    ];
    let csv = async |threads| run(&[&again[..], &[threads]].concat()).await;
    assert_eq!(
        csv("1").await,
        csv("2").await,
        "to the byte, on any number of threads"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_replayed_is_told() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("messages.txt");
    std::fs::write(&log, "1 2 5\n1 3 6\n1 4 7\n").unwrap();
    let file = log.to_str().unwrap();
    for (more, code, told) in [
        (vec!["--cap", "0"], 1, "nobody could hold anything"),
        (vec!["--policy", "lruu"], 66, "no policy of that name"),
        (
            vec!["--policy", "lrfu?half=1"],
            1,
            "did you mean `half-life-ms`?",
        ),
        (vec!["--policy", "lru?x"], 1, "is not NAME=VALUE"),
        (vec!["--user-column", "from"], 66, "`src`, `dst` and `both`"),
        (vec!["--format", "canonical"], 66, "names no column `t_ms`"),
    ] {
        let arguments = [&["replay", "--activity", file][..], &more].concat();
        let (found, _, err) = run(&arguments).await;
        assert_eq!(found, Some(code), "{more:?}: {err}");
        assert!(err.contains(told), "{more:?}: {err}");
    }
    let (code, out, _) = run(&["replay", "--activity", file]).await;
    assert_eq!(code, Some(0));
    assert!(out.contains("No decision was needed"), "{out}");
    let (_, out, _) = run(&[
        "replay",
        "bisect",
        "lru",
        "fifo",
        "--activity",
        file,
        "--cap",
        "2",
    ])
    .await;
    assert!(
        out.contains("take the same at each of 1 decisions"),
        "{out}"
    );
}

/// `ann` uses `a` at 0 and 10 s and `b` at 40 s. At 100 s `c` wants a place of two. `a` has had 2 uses in
/// 100 s and `b` 1 in 60, so `b` goes, and is missed at 110 s. Counted twice, an opening would make that 3
/// in 100 and 2 in 60, and `a` would go, which nobody wants again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j29_an_opening_is_one_use_to_hyperbolic() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("messages.txt");
    let lines = "ann a 1000000000\nann a 1000000010\nann b 1000000040\nann c 1000000100\n";
    std::fs::write(&log, format!("{lines}ann b 1000000110\n")).unwrap();
    let report = replayed(&log, &["--cap", "2", "--policy", "hyperbolic"]).await;
    let found = &strategy(&report, "hyperbolic")["reopen_misses"];
    assert_eq!(found, 1, "{report}");
}

/// J17: what an experiment takes is said before it starts, for the test that is used, margins included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j17_an_experiment_is_planned_from_recorded_activity() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("messages.txt");
    std::fs::write(&log, messages(6_000)).unwrap();
    let definition = folder.path().join("x.toml");
    let write = |rest: &str| {
        let arms = "arms = [{ policy = \"lru\" }, { policy = \"fifo\" }]";
        std::fs::write(&definition, format!("name = \"x\"\n{arms}\n{rest}")).unwrap();
    };
    let (log, file) = (log.to_str().unwrap(), definition.to_str().unwrap());
    let plan = async |more: &[&str]| {
        let mut arguments = vec!["experiment", "plan", file, "--activity", log, "--cap", "3"];
        arguments.extend(more);
        run(&arguments).await
    };
    write("primary = \"churn\"\nguardrails = [{ metric = \"blocked-users\", margin = 0.02 }]");
    let (code, out, err) = plan(&["--past", "0.3", "--days", "5", "--json"]).await;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let users = |at: usize| found["metrics"][at]["users"].as_f64().unwrap();
    assert!(users(0) >= 200.0 && users(1) >= 200.0, "{found}");
    let needed = found["users_needed"].as_f64().unwrap();
    assert_eq!(needed, users(0).max(users(1)), "{found}");
    let days = found["days"].as_array().unwrap();
    assert!(days.iter().any(|it| it["days"] == 5.0), "{found}");
    assert!(found["recorded_exposed"].as_u64().unwrap() > 50, "{found}");
    let (code, out, _) = plan(&["--effect", "0.1"]).await;
    assert!(
        code == Some(0) && out.contains("blocked-users") && out.contains("A promotion takes"),
        "{out}"
    );
    let (code, _, err) = plan(&["--effect", "2"]).await;
    assert!(code != Some(0) && err.contains("0.001 to 1"), "{err}");
    write("coverage = 2.0");
    let (code, _, err) = plan(&[]).await;
    assert!(
        code != Some(0) && err.contains("x.toml") && err.contains("coverage"),
        "{err}"
    );
}
