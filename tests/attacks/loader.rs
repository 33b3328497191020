//! Files that end or hold whoever loads them, by every way in.

#![allow(
    clippy::disallowed_methods,
    reason = "how long an attack holds somebody is real time"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use wastegate_tests::harness::http::{Reply, put};
use wastegate_tests::harness::{Program, until, within};

use crate::hostile::{
    COMPONENT_TYPE, INSTANCE_TYPE, components, empty_functions, fifo_with, loops, shipped_policy,
    types, world_of_types,
};
use crate::stage::{PROGRAM, Stage};

/// What a refusal takes when nothing is compiled: far more than counting, far less than compiling.
const AT_ONCE: Duration = Duration::from_secs(2);

/// The bounds of the fence so wide that the attack gets to the compiler.
const OPEN: [&str; 4] = [
    "--set=policy.load.loops_max=5000",
    "--set=policy.load.loop_locals_max=9000000",
    "--set=policy.load.functions_max=9000000",
    "--set=policy.load.nesting_max=1000",
];

async fn push(stage: &Stage, file: &[u8]) -> Reply {
    put(stage.admin, "/v1/policies/fifo", &[], file).await
}

/// Pushes a file and expects a refusal at once with these words.
async fn refused(stage: &mut Stage, file: &[u8], words: &str) {
    let since = Instant::now();
    let reply = push(stage, file).await;
    let took = since.elapsed();
    assert_eq!(reply.status, 422, "{reply:?}");
    assert!(reply.body.contains(words), "{reply:?}");
    assert!(took < AT_ONCE, "took {took:?}");
    stage.unharmed().await;
}

/// What a verb of the program says of a file, and with which code.
async fn says(verb: &str, file: &Path, more: &[&str]) -> (Option<i32>, String) {
    let file = file.display().to_string();
    let mut arguments = vec!["policy", verb, &file];
    arguments.extend(more);
    let (status, text) = Program::start(PROGRAM, &arguments).finish().await;
    (status.code(), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s01_a_file_of_nested_types_is_refused() {
    let mut stage = Stage::with(&[]).await;
    for begin in [INSTANCE_TYPE, COMPONENT_TYPE] {
        for file in [
            fifo_with(&types(begin, 1_000)),
            world_of_types(begin, 1_000),
        ] {
            refused(&mut stage, &file, "`policy.load.nesting_max`").await;
        }
    }
}

/// As open as the fence goes, what compiles has the stack for what it lets through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s01_behind_a_fence_as_open_as_it_goes_nobody_is_harmed() {
    let mut stage = Stage::with(&OPEN).await;
    let files = [
        (fifo_with(&types(INSTANCE_TYPE, 990)), 201),
        (fifo_with(&types(COMPONENT_TYPE, 990)), 201),
        (world_of_types(COMPONENT_TYPE, 990), 422),
    ];
    for (file, status) in files {
        let reply = push(&stage, &file).await;
        assert_eq!(reply.status, status, "{reply:?}");
        stage.unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_a_file_of_nested_types_in_the_directory_ends_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("policies");
    fs::create_dir(&directory).unwrap();
    fs::write(
        directory.join("fifo.wasm"),
        fifo_with(&types(INSTANCE_TYPE, 1_000)),
    )
    .unwrap();
    let state = folder.path().join("state");
    let settings = [
        format!("--set=policy.directory.path={}", directory.display()),
        "--set=policy.directory.rescan_ms=50".to_owned(),
        format!("--set=policy.rollout.state_dir={}", state.display()),
    ];
    let settings = settings.each_ref().map(String::as_str);
    for _ in 0..2 {
        let inner = tempfile::tempdir().unwrap();
        let mut stage = Stage::within(inner, &settings).await;
        until("the file is refused", || {
            stage.log().contains("policy from the directory refused")
        })
        .await;
        stage.unharmed().await;
        // However it ends: what is there at the next start is the same.
        stage.program.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_check_and_inspect_say_no_in_a_sentence() {
    let mut stage = Stage::with(&[]).await;
    let path = stage.folder.path().join("fifo.wasm");
    for deep in [1_000, 50_000] {
        fs::write(&path, fifo_with(&types(INSTANCE_TYPE, deep))).unwrap();
        for verb in ["check", "inspect"] {
            let (code, text) = says(verb, &path, &[]).await;
            assert_eq!(code, Some(1), "{text}");
            assert!(text.contains("policy.load.nesting_max"), "{text}");
        }
        for verb in ["bench", "fuzz"] {
            let (code, text) = says(verb, &path, &[]).await;
            assert!(code.is_some_and(|code| code > 0), "{verb}: {code:?} {text}");
        }
    }
    stage.unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s04_loops_times_locals_are_refused_or_killed_at_the_limit() {
    let mut stage = Stage::with(&[]).await;
    let path = stage.folder.path().join("fifo.wasm");
    for count in [300, 1_000] {
        fs::write(&path, fifo_with(&loops(count))).unwrap();
        let (code, text) = says("check", &path, &[]).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("policy.load.loop_locals_max"), "{text}");
    }
    let limits = [
        ("deadline_ms=700", "policy.load.deadline_ms"),
        ("cpu_ms=1000", "policy.load.cpu_ms"),
        ("memory_bytes=536870912", "policy.load.memory_bytes"),
    ];
    for (limit, key) in limits {
        let limit = format!("--set=policy.load.{limit}");
        let mut settings = OPEN.to_vec();
        settings.push(&limit);
        let since = Instant::now();
        let (code, text) = says("check", &path, &settings).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(key), "{text}");
        assert!(
            since.elapsed() < Duration::from_secs(8),
            "{:?}",
            since.elapsed()
        );
    }
    stage.unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_eight_thousand_nested_components_are_refused() {
    let mut stage = Stage::with(&[]).await;
    let file = fifo_with(&components(8_000));
    refused(&mut stage, &file, "`policy.load.nesting_max`").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s06_a_hundred_thousand_empty_functions_are_refused() {
    let mut stage = Stage::with(&[]).await;
    let file = fifo_with(&empty_functions(100_000));
    refused(&mut stage, &file, "`policy.load.functions_max`").await;
}

/// A bad file is being compiled while a good one is pushed: the good one does not wait for it, nor does a
/// stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s07_a_good_policy_is_taken_while_a_bad_one_is_compiled_and_a_stop_is_prompt() {
    let mut stage = Stage::with(&OPEN).await;
    let admin = stage.admin;
    let hostile = fifo_with(&loops(1_000));
    let held = tokio::spawn(async move {
        wastegate_tests::harness::http::exchange(admin, &request(&hostile)).await
    });
    let pid = stage.program.id();
    until("the bad one is compiled", || child_of(pid)).await;
    let since = Instant::now();
    let reply = push(&stage, &shipped_policy("fifo")).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    assert!(!held.is_finished(), "the bad one was still compiled");
    stage.unharmed().await;

    let since = Instant::now();
    stage.program.terminate();
    let (status, _) = stage.program.finish().await;
    assert!(status.success(), "{status}");
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    within("whoever pushed it hears of it", held).await.unwrap();
    until("nobody goes on compiling", || !child_of(pid)).await;
}

/// A file that was refused for what it is comes back under other names and at other times: it is refused in
/// the same words, and nothing is compiled for it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s07_what_a_source_brings_again_is_not_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("policies");
    fs::create_dir(&directory).unwrap();
    let settings = [
        format!("--set=policy.directory.path={}", directory.display()),
        "--set=policy.directory.rescan_ms=50".to_owned(),
        "--set=policy.load.deadline_ms=1500".to_owned(),
    ];
    let mut settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    settings.extend(OPEN);
    let mut stage = Stage::within(folder, &settings).await;
    let pid = stage.program.id();
    let refusals = |stage: &Stage| {
        stage
            .log()
            .matches("policy from the directory refused")
            .count()
    };
    let hostile = fifo_with(&loops(1_000));
    let place = |name: &str| {
        let hidden = directory.join(".new");
        fs::write(&hidden, &hostile).unwrap();
        fs::rename(&hidden, directory.join(name)).unwrap();
    };
    place("fifo.wasm");
    until("it is compiled", || child_of(pid)).await;
    until("it is refused", || refusals(&stage) == 1).await;
    assert!(
        stage.log().contains("policy.load.deadline_ms"),
        "{}",
        stage.log()
    );
    // Under its own name it is not even taken up again.
    place("fifo.wasm");
    for (name, times) in [("lru.wasm", 2), ("other.wasm", 3)] {
        place(name);
        until("it is refused again", || {
            assert!(!child_of(pid), "{name} is compiled again");
            refusals(&stage) == times
        })
        .await;
    }
    stage.unharmed().await;
}

fn request(file: &[u8]) -> Vec<u8> {
    let head = format!(
        "PUT /v1/policies/fifo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        file.len()
    );
    [head.as_bytes(), file].concat()
}

/// Whether a process has one that compiles.
fn child_of(pid: u32) -> bool {
    let entries = fs::read_dir("/proc").unwrap();
    let parents = entries.flatten().filter_map(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("PPid:"))?;
        line.split_whitespace().nth(1)?.parse::<u32>().ok()
    });
    parents.into_iter().any(|parent| parent == pid)
}
