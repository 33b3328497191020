//! `wastegate demo` as a process: it keeps what it promises, or says so by its exit code.

use serde_json::Value;
use wastegate_tests::harness::Program;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_keeps_its_promise() {
    let program = env!("CARGO_BIN_EXE_wastegate-under-test");
    let (status, output) = Program::start(program, &["demo", "--json"]).finish().await;
    assert!(status.success(), "{status}: {output}");
    let summary: Value = serde_json::from_str(&output).unwrap();
    assert!(summary.is_object(), "{summary}");
}
