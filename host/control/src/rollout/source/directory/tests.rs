//! Looks at a real directory, one at a time, and the plan by properties.

use std::fs;
use std::os::unix::fs::symlink;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use proptest::prelude::*;

use super::plan::{Listing, Todo};
use super::*;
use crate::rollout::source::Sighting;

mod planned;

/// Name, bytes, signature, and how it relates to what was there before.
type Handed = (String, Vec<u8>, Option<String>, Sighting);

/// Keeps what it was handed and answers as it is told.
#[derive(Default)]
struct Inbox {
    handed: Mutex<Vec<Handed>>,
    answer: Mutex<Option<Received>>,
}

impl Receive for Inbox {
    fn receive(&self, fetched: Fetched, sighting: Sighting) -> BoxFuture<'_, Received> {
        let Fetched {
            name,
            bytes,
            signature,
            ..
        } = fetched;
        let handed = (name.to_string(), bytes.to_vec(), signature, sighting);
        self.handed.lock().push(handed);
        let answer = self.answer.lock().clone().unwrap_or(Received::Taken);
        async { answer }.boxed()
    }
}

impl Inbox {
    /// What was handed over since it was asked last: names and contents.
    fn handed(&self) -> Vec<(String, Vec<u8>)> {
        let handed = std::mem::take(&mut *self.handed.lock());
        handed
            .into_iter()
            .map(|(name, bytes, ..)| (name, bytes))
            .collect()
    }
}

struct Place {
    folder: tempfile::TempDir,
    inbox: Arc<Inbox>,
    watcher: Arc<Watcher>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Arc::new(Inbox::default());
        let config = Config {
            path: Some(folder.path().to_owned()),
            ..Config::default()
        };
        let watcher = Watcher::new(&config, 16, inbox.clone()).unwrap();
        Self {
            folder,
            inbox,
            watcher,
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    async fn looks(&self, times: usize) -> Vec<(String, Vec<u8>)> {
        for _ in 0..times {
            self.watcher.look().await;
        }
        self.inbox.handed()
    }
}

fn one(name: &str, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    vec![(name.to_owned(), bytes.to_owned())]
}

#[tokio::test]
async fn new_bytes_are_handed_over_once() {
    let place = Place::new();
    place.put("lru.wasm", b"one");
    assert_eq!(place.looks(1).await, []);
    assert_eq!(place.looks(1).await, one("lru", b"one"));
    assert_eq!(place.looks(3).await, []);
    place.put("lru.wasm", b"three");
    assert_eq!(place.looks(2).await, one("lru", b"three"));
    // And back: it was changed again.
    place.put("lru.wasm", b"one");
    assert_eq!(place.looks(2).await, one("lru", b"one"));
}

#[tokio::test]
async fn touching_and_writing_the_same_again_does_nothing() {
    let place = Place::new();
    place.put("lru.wasm", b"one");
    assert_eq!(place.looks(2).await, one("lru", b"one"));
    let path = place.folder.path().join("lru.wasm");
    let later = fs::metadata(&path).unwrap().modified().unwrap() + Duration::from_secs(5);
    fs::File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert_eq!(place.looks(3).await, []);
    place.put(".lru.new", b"one");
    fs::rename(place.folder.path().join(".lru.new"), &path).unwrap();
    assert_eq!(place.looks(3).await, []);
}

#[tokio::test]
async fn what_is_being_written_waits() {
    let place = Place::new();
    for part in [&b"a"[..], b"ab", b"abc"] {
        place.put("lru.wasm", part);
        assert_eq!(place.looks(1).await, []);
    }
    assert_eq!(place.looks(1).await, one("lru", b"abc"));
}

#[tokio::test]
async fn a_vanished_file_does_nothing_and_may_come_back() {
    let place = Place::new();
    place.put("lru.wasm", b"one");
    assert_eq!(place.looks(2).await.len(), 1);
    fs::remove_file(place.folder.path().join("lru.wasm")).unwrap();
    assert_eq!(place.looks(2).await, []);
    place.put("lru.wasm", b"one");
    assert_eq!(place.looks(3).await, []);
    fs::remove_dir_all(place.folder.path()).unwrap();
    assert_eq!(place.looks(2).await, []);
    fs::create_dir(place.folder.path()).unwrap();
    place.put("lru.wasm", b"three");
    assert_eq!(place.looks(2).await, one("lru", b"three"));
}

/// As Kubernetes mounts a ConfigMap: every file a link through a directory that is swapped.
#[tokio::test]
async fn a_swapped_link_is_a_change() {
    let place = Place::new();
    let root = place.folder.path();
    for (version, bytes) in [("..v1", &b"one"[..]), ("..v2", b"three")] {
        fs::create_dir(root.join(version)).unwrap();
        fs::write(root.join(version).join("lru.wasm"), bytes).unwrap();
    }
    symlink("..v1", root.join("..data")).unwrap();
    symlink("..data/lru.wasm", root.join("lru.wasm")).unwrap();
    assert_eq!(place.looks(2).await, one("lru", b"one"));
    symlink("..v2", root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    assert_eq!(place.looks(2).await, one("lru", b"three"));
    assert_eq!(place.looks(1).await, []);
}

/// What is put there while we look is a change, even if nothing of that name was there before.
#[tokio::test]
async fn what_comes_later_is_no_first_sight() {
    let place = Place::new();
    place.put("lru.wasm", b"one");
    assert_eq!(place.looks(1).await, []);
    place.put("fifo.wasm", b"one");
    for _ in 0..3 {
        place.watcher.look().await;
    }
    let handed = std::mem::take(&mut *place.inbox.handed.lock());
    let handed: Vec<_> = handed
        .iter()
        .map(|(name, _, _, how)| (&**name, *how))
        .collect();
    assert_eq!(
        handed,
        [("lru", Sighting::First), ("fifo", Sighting::Changed)]
    );
}

#[tokio::test]
async fn a_signature_belongs_to_its_file() {
    let place = Place::new();
    place.put("lru.wasm", b"one");
    assert_eq!(place.looks(2).await.len(), 1);
    place.put("lru.wasm.minisig", b"signed");
    for _ in 0..2 {
        place.watcher.look().await;
    }
    let handed = place.inbox.handed.lock().pop().unwrap();
    assert_eq!(handed.2.as_deref(), Some("signed"));
    assert_eq!(handed.3, Sighting::Changed);
}

#[tokio::test]
async fn what_is_refused_is_not_handed_over_again_and_what_is_later_is() {
    let place = Place::new();
    *place.inbox.answer.lock() = Some(Received::Later("busy".to_owned()));
    place.put("lru.wasm", b"one");
    let rest = LOOKS_OF_REST as usize;
    assert_eq!(place.looks(2 + rest).await.len(), 1);
    assert_eq!(place.looks(1 + rest).await.len(), 1);
    *place.inbox.answer.lock() = Some(Received::Refused("broken".to_owned()));
    assert_eq!(place.looks(2 + rest).await.len(), 1);
    let name = PolicyName::new("lru").unwrap();
    let outcome = place.watcher.outcomes().remove(&name).unwrap();
    assert_eq!(outcome.received, Received::Refused("broken".to_owned()));
    *place.inbox.answer.lock() = None;
    assert_eq!(place.looks(2).await, []);
    place.put("lru.wasm", b"mended");
    assert_eq!(place.looks(2).await, one("lru", b"mended"));
}

#[tokio::test]
async fn what_is_too_large_or_no_policy_is_left_and_the_rest_goes_on() {
    let place = Place::new();
    place.put("big.wasm", &[0; 17]);
    place.put("README", b"hello");
    place.put("Not A Name.wasm", b"x");
    place.put(".hidden.wasm", b"x");
    place.put("orphan.wasm.minisig", b"x");
    fs::create_dir(place.folder.path().join("sub.wasm")).unwrap();
    place.put("lru.wasm", b"one");
    assert_eq!(place.looks(4).await, one("lru", b"one"));
    let listing = disk::list(place.folder.path()).unwrap();
    let odd: Vec<_> = listing.odd.iter().map(String::as_str).collect();
    assert_eq!(odd.len(), 3, "{odd:#?}");
    place.put("big.wasm", &[0; 16]);
    assert_eq!(place.looks(2).await, one("big", &[0; 16]));
}

#[tokio::test]
async fn there_is_an_end_to_what_is_looked_at() {
    let place = Place::new();
    for at in 0..FILES_MAX + 3 {
        place.put(&format!("p{at:04}.wasm"), b"x");
    }
    let listing = disk::list(place.folder.path()).unwrap();
    assert_eq!((listing.files.len(), listing.odd.len()), (FILES_MAX, 1));
    for at in 0..ENTRIES_MAX {
        place.put(&format!("n{at}"), b"x");
    }
    let listing = disk::list(place.folder.path()).unwrap();
    assert!(listing.odd.len() <= ENTRIES_MAX + 2);
}

#[tokio::test]
async fn everything_is_read_again_now_and_then() {
    let place = Place::new();
    place.put("lru.wasm", b"one");
    assert_eq!(place.looks(2).await.len(), 1);
    // As on a file system that says nothing of a change.
    let path = place.folder.path().join("lru.wasm");
    place.put("lru.wasm", b"three");
    let stamps = file::stamps(&path).unwrap();
    let name = PolicyName::new("lru").unwrap();
    place
        .watcher
        .state
        .lock()
        .memory
        .settle(&name, stamps, None);
    assert_eq!(place.looks(10).await, []);
    assert_eq!(
        place.looks(LOOKS_PER_DOUBT as usize).await,
        one("lru", b"three")
    );
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_is_a_look() {
    let place = Place::new();
    let config = Config {
        path: Some(place.folder.path().to_owned()),
        rescan: Duration::from_secs(86_400),
    };
    let watcher = Watcher::new(&config, 16, place.inbox.clone()).unwrap();
    place.put("lru.wasm", b"one");
    watcher.wake();
    let run = watcher.run();
    tokio::pin!(run);
    // The first look, and the one that it was woken for, long before the interval.
    let ended = tokio::time::timeout(Duration::from_secs(3_600), run).await;
    assert!(ended.is_err());
    assert_eq!(place.inbox.handed(), one("lru", b"one"));
}

#[test]
fn a_file_is_found_by_name() {
    let place = Place::new();
    place.put("lru.wasm", b"one");
    let name = |text| PolicyName::new(text).unwrap();
    let found = find(place.folder.path(), &name("lru"), 16)
        .unwrap()
        .unwrap();
    assert_eq!(&*found.bytes, b"one");
    assert_eq!(find(place.folder.path(), &name("mru"), 16).unwrap(), None);
    assert!(find(place.folder.path(), &name("lru"), 2).is_err());
}
