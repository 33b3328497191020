//! A real browser: what our label of live victims rests on. Wants Chromium, which `tests/all.sh` installs,
//! and Python with `websockets`.

use serde_json::{Value, json};
use wastegate_tests::harness::program::{python, script};
use wastegate_tests::harness::{Program, Setup};

/// What the gateway and the page make of the page's eviction while it is shown that way.
async fn evicted(lifecycle: &str) -> Value {
    let server = Setup::new().limit(1).policy("lru").start().await;
    let arguments = [
        script("hidden_tab.py").into_os_string(),
        "chromium".into(),
        format!("ws://{}/ws", server.address).into(),
        format!("http://{}", server.admin).into(),
        lifecycle.into(),
    ];
    let (status, output) = Program::start(python(), &arguments).finish().await;
    assert!(
        status.success(),
        "{status}, its messages are above; is `chromium` installed?"
    );
    serde_json::from_str(&output).unwrap()
}

/// A hidden page answers our Close and hears why; so who does not answer is gone, and not merely in
/// the background.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hidden_tab_answers_our_close() {
    let told = evicted("hidden").await;
    let expected = json!({"was": "hidden", "live_kills": [1, 1], "page": "closed 4501"});
    assert_eq!(told, expected);
}

/// So does a frozen one, none of whose scripts run: the browser's network stack answers. What the page
/// hears when it thaws is the browser's matter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_tab_answers_our_close() {
    let told = evicted("frozen").await;
    assert_eq!(
        (&told["was"], &told["live_kills"]),
        (&json!("hidden"), &json!([1, 1]))
    );
    assert!(
        told["page"].as_str().unwrap().starts_with("closed "),
        "{told}"
    );
}
