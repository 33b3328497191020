//! `wastegate demo` as a process: it keeps what it promises, or says so by its exit code; alone and in
//! front of a server that knows nothing of it.

use serde_json::Value;
use wastegate_tests::harness::Program;
use wastegate_tests::harness::program::{python, script};

use crate::cli::run;

/// Runs the demonstration and returns what it found, if it kept its promise.
async fn demo(managers: u32, silent: u32) -> Value {
    let program = env!("CARGO_BIN_EXE_wastegate-under-test");
    let [managers, silent] = [managers, silent].map(|number| number.to_string());
    let arguments = [
        "demo",
        "--json",
        "--managers",
        &managers,
        "--silent",
        &silent,
    ];
    let (status, output) = Program::start(program, &arguments).finish().await;
    assert!(status.success(), "{status}: {output}");
    serde_json::from_str(&output).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_managers_go_and_live_ones_stay() {
    for (managers, silent) in [(20, 8), (5, 5)] {
        let summary = demo(managers, silent).await;
        assert_eq!(summary["admitted"], true);
        assert_eq!(summary["live_evicted"], 0, "{summary}");
        assert!(
            summary["silent_evicted"].as_u64().unwrap() >= 1,
            "{summary}"
        );
        assert_eq!(summary["live_answering"], managers - silent, "{summary}");
        // What it is for: the same crowd locks the newcomer out where a server only counts.
        let without = &summary["without"];
        assert_eq!(
            (&without["admitted"], &without["held_by_silent"]),
            (&false.into(), &silent.into()),
            "{summary}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_silent_managers_exactly_one_goes_at_the_last_tier() {
    let summary = demo(4, 0).await;
    assert_eq!(summary["live_evicted"], 1, "{summary}");
    assert_eq!(summary["live_answering"], 3, "{summary}");
    let tiers = summary["tiers"].as_array().unwrap();
    assert_eq!(tiers.last().unwrap()["tier"], "force");
}

/// The same story with an unmodified server in Python behind it: everything is in the answer, so both
/// are read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dead_go_and_the_living_stay_in_front_of_somebody_elses_server() {
    let mut backend = Program::start(python(), &[script("echo_backend.py")]);
    let upstream = format!("ws://{}", backend.line().await);
    for silent in [8, 20] {
        let (silent, live) = (silent.to_string(), 20 - silent);
        let arguments = ["demo", "--upstream", &upstream, "--silent", &silent];
        let (code, story, errors) = run(&arguments).await;
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{story}");
        for line in [
            format!(", in front of {upstream}, which knows nothing of it"),
            format!(
                "`ann` may hold 20 managers and holds 20: {live} are alive, {silent} went silent"
            ),
            format!("20 connections pinged at once: {live} answered, {silent} did not"),
            "The newcomer is in after ".to_owned(),
            "evicted: it never answered our Close and was cut off".to_owned(),
            "Without it, at a plain limit of 20: the same newcomer was refused after ".to_owned(),
            format!(
                " silent, 0 live. {live} of {live} live ones still talk to the server behind it."
            ),
        ] {
            assert!(story.contains(&line), "no `{line}` in:\n{story}");
        }
        let arguments = [&arguments[..], &["--json"]].concat();
        let (code, summary, _) = run(&arguments).await;
        let summary: Value = serde_json::from_str(&summary).unwrap();
        assert_eq!(
            (code, &summary["upstream"]),
            (Some(0), &Value::from(upstream.as_str()))
        );
        assert_eq!(summary["admitted"], true);
        assert!(
            summary["silent_evicted"].as_u64().unwrap() >= 1,
            "{summary}"
        );
        assert_eq!(
            (&summary["live_evicted"], &summary["live_answering"]),
            (&0.into(), &live.into())
        );
    }

    backend.kill();
    let (code, story, errors) = run(&["demo", "--upstream", &upstream]).await;
    assert_eq!((code, story.as_str()), (Some(69), ""));
    assert!(
        errors.contains(&format!("no client gets through to {upstream}: ")),
        "{errors}"
    );
    let (code, _, errors) = run(&["demo", "--upstream", "http://backend"]).await;
    assert_eq!(code, Some(64));
    assert!(errors.starts_with("error: --upstream: "), "{errors}");
}
