//! Policies through a real registry: published by the program, pulled by the library.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use wastegate_control::rollout::source::oci::{self, About, Config, Reference};
use wastegate_control::rollout::source::{Fetched, PolicyOrigin};
use wastegate_tests::guests::shipped;
use wastegate_tests::harness::{PATIENCE, Registry, http};

use crate::cli;

const MIB: u64 = 1 << 20;

/// The same policy in other bytes: with a section that nobody reads.
pub(super) fn variant(name: &str, number: u8) -> Vec<u8> {
    let mut bytes = shipped(name).to_vec();
    bytes.extend([0, 3, 1, b'v', number]);
    bytes
}

/// Runs the program: its exit code and all that it says.
async fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let (code, out, err) = cli::run(arguments).await;
    (code, out + &err)
}

pub(super) async fn publish(file: &Path, reference: &str) -> (Option<i32>, String) {
    let file = file.to_str().unwrap();
    let patience = format!("policy.registry.timeout_ms={}", PATIENCE.as_millis());
    let arguments = ["policy", "publish", file, reference, "--set", &patience];
    run(&arguments).await
}

/// A busy machine says nothing about a registry.
fn patient() -> Config {
    Config {
        timeout: PATIENCE,
        ..Config::default()
    }
}

async fn pull(reference: &str) -> Result<Fetched, String> {
    let reference: Reference = reference.parse().unwrap();
    let pulled = oci::pull(&patient(), &reference, MIB).await;
    pulled.map_err(|error| error.to_string())
}

pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_pulled_by_tag_and_by_digest() {
    let (registry, files) = (Registry::start().await, Files::new());
    let file = files.put("lru.wasm", shipped("lru"));
    files.put("lru.wasm.minisig", b"line one\nline \"two\"\n\ttab\n");
    let tagged = registry.at("policies/lru:1");
    let (code, said) = publish(&file, &tagged).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.starts_with("published lru 1.0.0, ") && said.contains("bytes, signed"),
        "{said}"
    );
    let pinned = said
        .lines()
        .last()
        .unwrap()
        .split('"')
        .nth(1)
        .unwrap()
        .to_owned();
    let (_, again) = publish(&file, &tagged).await;
    assert_eq!(said, again, "the same policy is the same digest");

    for reference in [&tagged, &pinned] {
        let fetched = pull(reference).await.unwrap();
        assert_eq!(
            (&*fetched.bytes, fetched.name.as_str()),
            (shipped("lru"), "lru")
        );
        assert_eq!(
            fetched.signature.as_deref(),
            Some("line one\nline \"two\"\n\ttab\n")
        );
        assert_eq!(fetched.origin, PolicyOrigin::Registry(pinned.clone()));
    }

    // The tag moves on, the pin does not.
    let file = files.put("other.wasm", &variant("lru", 2));
    assert_eq!(publish(&file, &tagged).await.0, Some(0));
    let moved = pull(&tagged).await.unwrap();
    assert_eq!(
        (&*moved.bytes, moved.signature),
        (&*variant("lru", 2), None)
    );
    assert_eq!(&*pull(&pinned).await.unwrap().bytes, shipped("lru"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_or_too_large_or_another_is_refused() {
    let (registry, files) = (Registry::start().await, Files::new());
    let file = files.put("lru.wasm", shipped("lru"));
    let tagged = registry.at("policies/lru:1");
    assert_eq!(publish(&file, &tagged).await.0, Some(0));

    let said = pull(&registry.at("policies/lru:2")).await.unwrap_err();
    assert!(said.contains("has no manifest policies/lru:2"), "{said}");
    let said = pull(&registry.at("policies/fifo:1")).await.unwrap_err();
    assert!(said.contains("has no manifest policies/fifo:1"), "{said}");
    let wrong = registry.at(&format!("policies/lru:1@sha256:{}", "0".repeat(64)));
    let said = pull(&wrong).await.unwrap_err();
    assert!(said.contains("has no manifest"), "{said}");

    let small = oci::pull(&patient(), &tagged.parse().unwrap(), 100).await;
    let said = small.unwrap_err().to_string();
    assert!(said.contains("has more than 100 bytes"), "{said}");
}

/// What other tools push: an image, which is not a policy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_is_no_policy() {
    const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let registry = Registry::start().await;
    let image = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": EMPTY, "size": 2 },
        "layers": [],
    });
    let send = async |method: &str, path: &str, media_type: &str, body: &str| {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: {media_type}\r\ncontent-length: {length}\r\n\r\n{body}",
            registry.address
        );
        let reply = http::exchange(registry.address, request.as_bytes())
            .await
            .unwrap();
        assert!((200..300).contains(&reply.status), "{reply:?}");
        reply
    };
    let bytes = "application/octet-stream";
    let begun = send("POST", "/v2/policies/lru/blobs/uploads/", bytes, "").await;
    let place = begun.header("location").unwrap();
    let (_, path) = place.split_once(&registry.address.to_string()).unwrap();
    send("PUT", &format!("{path}&digest={EMPTY}"), bytes, "{}").await;
    let media_type = image["mediaType"].as_str().unwrap();
    send(
        "PUT",
        "/v2/policies/lru/manifests/1",
        media_type,
        &image.to_string(),
    )
    .await;

    let said = pull(&registry.at("policies/lru:1")).await.unwrap_err();
    let why = "is no policy: its config is `application/vnd.oci.image.config.v1+json`";
    assert!(said.contains(why), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_a_server_would_take_is_published() {
    let (registry, files) = (Registry::start().await, Files::new());
    let good = files.put("lru.wasm", shipped("lru"));
    let broken = files.put("broken.wasm", b"\0asm broken");
    for (file, reference, code, why) in [
        (&broken, registry.at("policies/lru:1"), 1, "error: "),
        (
            &good,
            registry.at("policies/fifo:1"),
            1,
            "the policy calls itself `lru`",
        ),
        (
            &good,
            registry.at("policies/lru"),
            2,
            "says neither tag nor digest",
        ),
        (
            &good,
            registry.at(&format!("policies/lru@sha256:{}", "0".repeat(64))),
            69,
            "has to have a tag and no digest",
        ),
        (
            &files.0.path().join("none.wasm"),
            registry.at("policies/lru:1"),
            66,
            "is not there",
        ),
    ] {
        let (found, said) = publish(file, &reference).await;
        assert!(
            found == Some(code) && said.contains(why),
            "{found:?} {said}"
        );
    }
    let said = pull(&registry.at("policies/lru:1")).await.unwrap_err();
    assert!(
        said.contains("has no manifest"),
        "nothing was published: {said}"
    );

    let gone = registry.at("policies/lru:1");
    drop(registry);
    let (code, said) = publish(&good, &gone).await;
    assert!(
        code == Some(69) && said.contains("did not take the policy"),
        "{said}"
    );
}

/// A registry that accepts and never answers: publishing ends as pulling does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_to_a_registry_that_hangs_ends() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = format!("{}/policies/lru:1", silent.local_addr().unwrap());
    let config = Config {
        timeout: Duration::from_millis(300),
        ..Config::default()
    };
    let (reference, about) = (reference.parse().unwrap(), About::default());
    let published = oci::publish(&config, &reference, shipped("lru"), None, &about).await;
    let said = published.unwrap_err().to_string();
    assert!(said.contains("did not answer within 300 ms"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signed_a_file_is_told() {
    // Made by minisign 0.11; the key is of no use to anybody.
    let signed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../host/control/src/rollout/signature/fixtures/policy.wasm"
    );
    let key = "RWR+woIlFmVRY2ReOwBhXYo818CSI6I/d7+RN5yf1RfDczN37OO+Z+Av";
    let other = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let verify = async |key: &str| run(&["policy", "verify", signed, "--key", key]).await;
    let (code, said) = verify(key).await;
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "signed by key 635165162582C27E: release 1\n")
    );
    let (code, said) = verify(other).await;
    assert!(
        code == Some(1) && said.contains("`policy.signatures.keys` does not have"),
        "{said}"
    );
    let (code, said) = verify("my key").await;
    assert!(
        code == Some(2) && said.contains("is no minisign public key"),
        "{said}"
    );
    let (code, said) = run(&["policy", "verify", signed]).await;
    assert!(
        code == Some(1) && said.contains("there are no keys"),
        "{said}"
    );
}
