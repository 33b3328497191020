//! Policies compared on real users: a bad one is found out and rolled back by statistics, one that traps
//! by the breaker first, and where there is no difference none is found.

mod weighed;

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tempfile::TempDir;
use wastegate_tests::guests::guest;
use wastegate_tests::harness::{Client, Server, Setup, until, until_async};

use crate::cli::operate;

/// Users who come at the same time.
const AT_ONCE: usize = 16;

fn setup() -> Setup {
    Setup::new().limit(2).policy("lru").short_goodbyes()
}

async fn start(server: &Server, definition: &Value) -> Value {
    let reply = server.post("/v1/experiments", definition).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.json()
}

async fn look(server: &Server, name: &str) -> Value {
    server.get(&format!("/v1/experiments/{name}")).await.json()
}

/// A user with an idle session and one in use opens a third. Whoever loses the one in use wants it
/// back at once; of the others every tenth does.
async fn visit(server: &Server, number: usize) -> Vec<Client> {
    let user = format!("user-{number}");
    let mut idle = server.enter(&user, "idle").await;
    let mut used = server.enter(&user, "used").await;
    idle.echo("first").await;
    used.echo("later").await;
    let new = server.enter(&user, "new").await;
    until("somebody to go", || !(idle.is_open() && used.is_open())).await;
    let mut clients = vec![new];
    if !used.is_open() {
        let mut again = server.enter(&user, "used").await;
        again.echo("back").await;
        clients.push(again);
    } else if number.is_multiple_of(10) {
        clients.push(server.enter(&user, "idle").await);
    }
    clients
}

pub(crate) async fn crowd(server: &Server, users: std::ops::Range<usize>) -> Vec<Vec<Client>> {
    let visits = stream::iter(users).map(|number| visit(server, number));
    visits.buffer_unordered(AT_ONCE).collect().await
}

fn users(view: &Value) -> Vec<u64> {
    let arms = view["assessment"]["users"].as_array().unwrap();
    arms.iter()
        .map(|arm| arm["users"].as_u64().unwrap())
        .collect()
}

/// `reversed` takes who was active last: users want their sessions back, and statistics see it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_hurts_is_found_out_and_rolled_back() {
    let server = setup().start().await;
    server.upload("reversed", "", guest("reversed")).await;
    let view = start(
        &server,
        &json!({
            "name": "bad-idea", "arms": [{"policy": "champion"}, {"policy": "reversed"}],
            "primary": "regret-10s", "guardrails": [{"metric": "blocked-users", "margin": 0.01}],
            "harm_after_s": 0,
        }),
    )
    .await;
    assert_eq!(view["state"], "running");
    let mut events = server.events();
    let mut clients = crowd(&server, 0..20).await;
    let mut labels = BTreeSet::new();
    for decided in events.so_far().decided {
        let label = decided.answer.experiment.clone().unwrap_or_default();
        labels.insert((label.to_string(), decided.answer.policy.name.to_string()));
    }
    let label = |arm: &str, policy: &str| (format!("bad-idea/1/{arm}"), policy.to_owned());
    let expected = [label("champion", "lru"), label("reversed", "reversed")];
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), expected);
    clients.extend(crowd(&server, 20..280).await);
    until_async("statistics to find it out", async || {
        look(&server, "bad-idea").await["state"] == "rolled-back"
    })
    .await;
    let view = look(&server, "bad-idea").await;
    let reason = view["reason"].as_str().unwrap();
    assert!(
        reason.contains("`reversed` is worse than the control in `regret-10s`"),
        "{reason}"
    );
    assert!(users(&view).iter().all(|users| *users >= 100), "{view}");
    assert!(
        view["assessment"]["split"]["always_p"].as_f64().unwrap() > 0.001,
        "{view}"
    );
    // In the audit log with the numbers, once.
    let audit = server.get("/v1/audit").await.json();
    let entries = audit["entries"].as_array().unwrap();
    let rolled: Vec<_> = entries
        .iter()
        .filter(|it| it["note"]["what"] == "experiment-rolled-back")
        .collect();
    assert_eq!(rolled.len(), 1, "{audit}");
    assert!(rolled[0].to_string().contains("regret-10s"), "{audit}");
    // From now on everybody loses the idle one.
    let mut events = server.events();
    let more = crowd(&server, 1_000..1_010).await;
    for _ in 0..10 {
        assert_eq!(&*events.decided().await.answer.policy.name, "lru");
    }
    drop((clients, more));
}

/// A policy that fails is no matter of statistics: the breaker ends it after three calls, and nobody
/// was refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_traps_is_ended_by_the_breaker_first() {
    let server = setup().limit(3).start().await;
    server.upload("sleeper", "", guest("sleeper")).await;
    start(
        &server,
        &json!({
            "name": "trap",
            "arms": [{"policy": "champion"}, {"policy": "sleeper", "params": {"dream": 1.0}}],
        }),
    )
    .await;
    let mut clients = Vec::new();
    for number in 0..40 {
        let user = format!("user-{number}");
        clients.extend(server.fill(&user, 3).await);
        clients.push(server.enter(&user, "fourth").await);
    }
    until_async("the breaker to end it", async || {
        look(&server, "trap").await["state"] == "rolled-back"
    })
    .await;
    let view = look(&server, "trap").await;
    let reason = view["reason"].as_str().unwrap();
    assert!(reason.starts_with("breaker: the arm `sleeper`"), "{reason}");
    assert!(
        users(&view).iter().all(|users| *users < 100),
        "long before statistics: {view}"
    );
    let quality = server.get("/v1/quality").await.json();
    assert_eq!(
        quality["since_start"]["admissions"]["blocked"]["hits"], 0,
        "{quality}"
    );
    let mut events = server.events();
    let _more = server.enter("user-1", "one-more").await;
    assert_eq!(
        &*events.decided().await.answer.policy.name,
        "lru",
        "the control ranks for all"
    );
}

/// Nothing is found where there is nothing, and everything can be done from a shell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_policies_that_rank_alike_stay_undecided() {
    let files = TempDir::new().unwrap();
    let server = setup().start().await;
    let file = files.path().join("same.toml");
    let definition = "name = \"same\"\nquestion = \"Is it <the same>?\"\nprimary = \"regret-10s\"\n\
        arms = [{ name = \"one\", policy = \"lrfu\", params = { half-life-ms = 300000 } }, \
        { name = \"two\", policy = \"lrfu\", params = { half-life-ms = 300001 } }]\n";
    std::fs::write(&file, definition).unwrap();
    let started = done(&server, &["experiment", "start", file.to_str().unwrap()]).await;
    assert!(
        started.starts_with("same: running, phase 1, verdict continue"),
        "{started}"
    );
    let mut clients = Vec::new();
    for part in 0..3 {
        clients.extend(crowd(&server, part * 90..(part + 1) * 90).await);
        let view = look(&server, "same").await;
        assert_eq!(
            (&view["state"], &view["assessment"]["verdict"]),
            (&json!("running"), &json!("continue")),
            "{view}"
        );
    }
    let view = look(&server, "same").await;
    assert_eq!(users(&view).iter().sum::<u64>(), 270, "{view}");
    let primary = &view["assessment"]["comparisons"][0]["findings"][0];
    assert!(primary["events"].as_f64().unwrap() > 0.0, "{primary}");
    assert!(primary["users_needed"].as_f64().unwrap() > 0.0, "{primary}");

    let status = done(&server, &["experiment", "status"]).await;
    assert!(
        status.contains("  one: ") && status.contains(" users, "),
        "{status}"
    );
    let csv = done(&server, &["experiment", "export", "same"]).await;
    assert_eq!(csv.lines().count(), 271, "one exposure a user");
    assert!(!csv.contains("user-1"), "users are keyed hashes");
    let page = files.path().join("report.html");
    done(
        &server,
        &[
            "experiment",
            "report",
            "same",
            "--out",
            page.to_str().unwrap(),
        ],
    )
    .await;
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains("<h1>Undecided: go on.</h1>") && page.contains("Is it &lt;the same&gt;?"),
        "{page}"
    );
    let renewed = done(&server, &["experiment", "renew", "same"]).await;
    assert!(
        renewed.starts_with("same: nothing is newer: ") && renewed.contains("phase 1"),
        "{renewed}"
    );
    let stopped = done(&server, &["experiment", "stop", "same", "--reason", "seen"]).await;
    assert!(stopped.starts_with("same: stopped"), "{stopped}");
    let (code, told) = run(&server, &["experiment", "start", file.to_str().unwrap()]).await;
    assert_eq!(code, Some(1));
    assert!(
        told.contains("there is an experiment `same` already"),
        "{told}"
    );
    let (_, told) = run(&server, &["experiment", "stop", "other"]).await;
    assert!(told.contains("there is no experiment `other`"), "{told}");
    std::fs::write(
        &file,
        "name = \"x\"\narms = [{policy=\"champion\"}, {policy=\"lruu\"}]",
    )
    .unwrap();
    let (_, told) = run(&server, &["experiment", "start", file.to_str().unwrap()]).await;
    assert!(
        told.contains("the arm `lruu` cannot be made ready: there is no policy `lruu`"),
        "{told}"
    );
}

/// Killed in the middle, and started again on the same state: users stay exposed as they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_forgets_nobody() {
    let state = TempDir::new().unwrap();
    let server = setup().state_dir(state.path()).start().await;
    start(
        &server,
        &json!({"name": "kept", "arms": [{"policy": "champion"}, {"policy": "fifo"}]}),
    )
    .await;
    let clients = crowd(&server, 0..30).await;
    let before = users(&look(&server, "kept").await);
    assert_eq!(before.iter().sum::<u64>(), 30);
    let csv = server.get("/v1/experiments/kept/export").await.body;
    drop(clients);
    server.stop().await;
    let server = setup().state_dir(state.path()).start().await;
    let view = look(&server, "kept").await;
    assert_eq!(
        (users(&view), &view["state"], &view["phase"]["number"]),
        (before, &json!("running"), &json!(1))
    );
    assert_eq!(server.get("/v1/experiments/kept/export").await.body, csv);
    let _again = crowd(&server, 0..5).await;
    assert_eq!(
        users(&look(&server, "kept").await).iter().sum::<u64>(),
        30,
        "nobody is counted twice"
    );
    server.stop().await;
    // Another limit is another question.
    let server = setup().limit(3).state_dir(state.path()).start().await;
    let view = look(&server, "kept").await;
    assert_eq!(
        (users(&view), &view["phase"]["number"]),
        (vec![0, 0], &json!(2))
    );
}

/// Runs a verb of an operator against a server: exit code, and what it said.
pub(crate) async fn run(server: &Server, line: &[&str]) -> (Option<i32>, String) {
    let (code, out, err) = operate(server, "ann", line).await;
    (code, out + &err)
}

pub(crate) async fn done(server: &Server, line: &[&str]) -> String {
    let (code, said) = run(server, line).await;
    assert_eq!(code, Some(0), "{line:?}: {said}");
    said
}
