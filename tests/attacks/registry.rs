//! S35: a registry that says one thing and gives another.

use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wastegate::tasks::Tasks;
use wastegate_engine::policy::load::digest;
use wastegate_tests::guests::shipped;

use crate::command::{request, status};
use crate::stage::Stage;

/// A registry with one policy, whose manifest says that it has so many bytes more than it has.
async fn registry(more: i64, tasks: &Tasks) -> SocketAddr {
    let blob = shipped("lru");
    let size = i64::try_from(blob.len()).unwrap() + more;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.wasm.config.v0+json",
            "digest": format!("sha256:{}", digest(b"{}")),
            "size": 2,
        },
        "layers": [{
            "mediaType": "application/wasm",
            "digest": format!("sha256:{}", digest(blob)),
            "size": size,
        }],
    });
    let manifest = manifest.to_string().into_bytes();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn("a registry", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else {
                    break;
                };
                head.push(byte);
            }
            let asks_manifest = String::from_utf8_lossy(&head).contains("/manifests/");
            let body: &[u8] = if asks_manifest { &manifest } else { blob };
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
        }
    });
    address
}

/// The descriptor's size is the blob's, or nothing is taken: not one byte more, not one less.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s35_a_blob_of_another_size_than_its_manifest_says_is_refused() {
    let mut stage = Stage::with(&[]).await;
    let tasks = Tasks::new();
    for (more, expected) in [(1, 502), (-1, 502), (0, 201)] {
        let address = registry(more, &tasks).await;
        let body = json!({ "reference": format!("{address}/policies/lru:1") }).to_string();
        let headers = "host: localhost\r\ncontent-type: application/json\r\n";
        let pull = "POST /v1/policies/lru/pull";
        let answer = request(stage.admin, pull, headers, body.as_bytes()).await;
        assert_eq!(status(&answer), expected, "{more}: {answer}");
        if more != 0 {
            assert!(answer.contains("its manifest says"), "{answer}");
            let known = request(stage.admin, "GET /v1/policies", "host: localhost\r\n", b"").await;
            assert!(
                !known.contains("\"policy\":\"lru\""),
                "nothing is kept: {known}"
            );
        }
    }
    tasks.stop();
    stage.unharmed().await;
}
