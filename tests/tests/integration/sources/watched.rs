//! A server with a watched directory: what it does when files come, change, break and go.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Duration;

use minisign::KeyPair;
use serde_json::Value;
use tempfile::TempDir;
use wastegate_control::rollout::signature::{Key, Keys};
use wastegate_engine::policy::load::digest;
use wastegate_tests::guests::shipped;
use wastegate_tests::harness::{Server, Setup, until, until_async};

use super::registry::variant;

/// A directory to put policies in.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// A server that ranks by `lru` and looks here every few milliseconds.
    fn watched(&self) -> Setup {
        watched(self.0.path()).policy("lru")
    }
}

fn watched(directory: &Path) -> Setup {
    let directory = directory.to_owned();
    Setup::new().with(move |config| {
        config.sources.directory.path = Some(directory);
        config.sources.directory.rescan = Duration::from_millis(50);
    })
}

/// The digest of the active policy.
pub(super) fn in_charge(server: &Server) -> String {
    server.catalog.current().unwrap().about().digest.to_string()
}

/// Waits until a policy of these bytes is active.
pub(super) async fn charged(server: &Server, bytes: &[u8]) {
    let wanted = digest(bytes);
    until(format!("{wanted} active"), || in_charge(server) == *wanted).await;
}

/// What the audit log says that happened, oldest first.
pub(super) async fn audit(server: &Server) -> Vec<Value> {
    let log = server.get("/v1/audit").await.json();
    let entries = log["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["note"].clone()).collect()
}

/// Waits until the audit log has so many records of a kind, and returns them.
async fn told(server: &Server, what: &str, times: usize) -> Vec<Value> {
    until_async(format!("{times} times {what} in the audit log"), || async {
        of(&audit(server).await, what).len() >= times
    })
    .await;
    of(&audit(server).await, what)
}

fn of(log: &[Value], what: &str) -> Vec<Value> {
    let found = log.iter().filter(|entry| entry["what"] == what);
    found.cloned().collect()
}

/// Waits until everything that lies in the directory now was looked at: a policy that comes last is
/// there, and files are dealt with in the order of their names.
async fn looked(server: &Server, place: &Place, number: u8) {
    let bytes = variant("random", number);
    place.put("random.wasm", &bytes);
    let wanted = digest(&bytes);
    until_async("the last policy of a look", || async {
        let listed = server.get("/v1/policies").await.body;
        listed.contains(&*wanted)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_content_is_put_in_charge_and_the_same_again_is_nothing() {
    let place = Place::new();
    let server = place.watched().start().await;
    charged(&server, shipped("lru")).await;

    // The first of its name in the directory, while the shipped one is active.
    place.put("lru.wasm", &variant("lru", 1));
    charged(&server, &variant("lru", 1)).await;

    // Touched, and written again with the same bytes.
    let activated = told(&server, "activated", 1).await.len();
    let later = fs::metadata(place.path("lru.wasm"))
        .unwrap()
        .modified()
        .unwrap();
    let file = File::options()
        .append(true)
        .open(place.path("lru.wasm"))
        .unwrap();
    file.set_modified(later + Duration::from_secs(60)).unwrap();
    looked(&server, &place, 1).await;
    place.put(".new", &variant("lru", 1));
    fs::rename(place.path(".new"), place.path("lru.wasm")).unwrap();
    looked(&server, &place, 2).await;
    assert_eq!(of(&audit(&server).await, "activated").len(), activated);

    // Replaced at once, and back.
    for number in [2, 1] {
        place.put(".new", &variant("lru", number));
        fs::rename(place.path(".new"), place.path("lru.wasm")).unwrap();
        charged(&server, &variant("lru", number)).await;
    }

    // Gone: the active policy stays.
    fs::remove_file(place.path("lru.wasm")).unwrap();
    looked(&server, &place, 3).await;
    assert_eq!(in_charge(&server), *digest(&variant("lru", 1)));
    assert_eq!(server.supervisor.restarts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_broken_or_half_written_leaves_who_is_in_charge() {
    let place = Place::new();
    place.put("lru.wasm", &variant("lru", 1));
    let server = place.watched().start().await;
    assert_eq!(
        in_charge(&server),
        *digest(&variant("lru", 1)),
        "found at the start"
    );

    let whole = variant("lru", 2);
    let (half, _) = whole.split_at(whole.len() / 2);
    for (number, broken) in [half, b"not wasm", shipped("fifo")].into_iter().enumerate() {
        place.put("lru.wasm", broken);
        let refused = told(&server, "refused", number + 1).await;
        assert_eq!(refused.len(), number + 1, "told once: {refused:#?}");
        assert_eq!(in_charge(&server), *digest(&variant("lru", 1)));
    }
    looked(&server, &place, 1).await;
    assert_eq!(of(&audit(&server).await, "refused").len(), 3);

    place.put("lru.wasm", &whole);
    charged(&server, &whole).await;
}

/// A policy that nobody asked for is kept ready, not made active.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_policy_only_becomes_a_revision() {
    let place = Place::new();
    let server = place.watched().start().await;
    place.put("fifo.wasm", shipped("fifo"));
    looked(&server, &place, 1).await;
    assert_eq!(in_charge(&server), *digest(shipped("lru")));
    let listed = server.get("/v1/policies").await.body;
    assert!(listed.contains(&*digest(shipped("fifo"))), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_keys_only_what_is_signed_is_taken() {
    let place = Place::new();
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let key = Key::new(&pair.pk.to_base64()).unwrap();
    let keys = Keys::new(vec![key]);
    let server = place
        .watched()
        .with(|config| config.sources.keys = keys)
        .start()
        .await;
    charged(&server, shipped("lru")).await;

    let bytes = variant("lru", 1);
    place.put("lru.wasm", &bytes);
    let refused = told(&server, "refused", 1).await;
    let reason = refused[0]["reason"].as_str().unwrap();
    assert!(reason.contains("is not signed"), "{reason}");

    let sign = |bytes: &[u8]| {
        let signed = minisign::sign(None, &pair.sk, Cursor::new(bytes), None, None);
        signed.unwrap().to_string()
    };
    place.put("lru.wasm.minisig", sign(b"something else").as_bytes());
    let refused = told(&server, "refused", 2).await;
    let reason = refused[1]["reason"].as_str().unwrap();
    assert!(reason.contains("does not fit"), "{reason}");
    assert_eq!(in_charge(&server), *digest(shipped("lru")));

    place.put("lru.wasm.minisig", sign(&bytes).as_bytes());
    charged(&server, &bytes).await;
}
