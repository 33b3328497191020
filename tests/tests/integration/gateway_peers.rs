//! Real servers and real clients of other people through the gateway: Python's `websockets`, Node's `ws`,
//! Chromium. What the two ends negotiate is theirs.

use serde_json::{Value, json};
use wastegate_tests::harness::program::{node, node_script, python, script};
use wastegate_tests::harness::{Program, Server};

use crate::gateway::in_front_of;

/// A server in Node.js, and a gateway in front of it for so many managers of a user.
async fn node_behind(limit: u32) -> (Program, Server) {
    let mut backend = Program::start(node(), &[node_script("echo_backend.js")]);
    let address = backend.line().await.parse().unwrap();
    (backend, in_front_of(address, limit).await)
}

/// Compression is negotiated, and nothing of it is changed: not in a message that is larger than what
/// the gateway reads at a time, not in fragments; and pings, the close code and the reason come through.
async fn a_python_client_sees_no_difference(server: &Server) {
    let url = format!("ws://{}/ws?user=ann&key=a&device=d", server.address);
    let arguments = [script("through.py").into_os_string(), url.into()];
    let (status, output) = Program::start(python(), &arguments).finish().await;
    assert!(status.success(), "{status}, its messages are above");
    let told: Value = serde_json::from_str(&output).unwrap();
    let expected = json!({
        "extensions": ["permessage-deflate"],
        "whole": true,
        "pieces": "one two three",
        "closed": [4_321, "enough"],
    });
    assert_eq!(told, expected);
    server.holds("ann", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_talks_to_python_through_us_with_compression() {
    let mut backend = Program::start(python(), &[script("echo_backend.py")]);
    let address = backend.line().await.parse().unwrap();
    a_python_client_sees_no_difference(&in_front_of(address, 4).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_talks_to_node_through_us_with_compression() {
    let (_backend, server) = node_behind(4).await;
    a_python_client_sees_no_difference(&server).await;
}

/// The page talks in text and bytes, compressed; it closes, is closed by the server, and is evicted by
/// us, and hears each time with which code and why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_talks_to_node_through_us() {
    let (_backend, server) = node_behind(1).await;
    let url = format!("ws://{}/ws?user=ann", server.address);
    let arguments = [
        script("page_through.py").into_os_string(),
        "chromium".into(),
        url.into(),
    ];
    let (status, output) = Program::start(python(), &arguments).finish().await;
    assert!(
        status.success(),
        "{status}, its messages are above; is `chromium` installed?"
    );
    let saw: Value = serde_json::from_str(&output).unwrap();
    let expected = json!({
        "extensions": "permessage-deflate",
        "text": true,
        "binary": true,
        "closes": [4_321, "enough", true],
        "is_closed": [4_322, "as told", true],
        "is_evicted": [4_501, "evicted: its user has too many that are in use", true],
        "newcomer": "in",
    });
    assert_eq!(saw, expected);
    server.holds("ann", 0).await;
}
