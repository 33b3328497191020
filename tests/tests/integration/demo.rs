//! `wastegate demo` as a process: it keeps what it promises, or says so by its exit code.

use serde_json::Value;
use wastegate_tests::harness::Program;

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
