//! The journal's promises, with a real thread and a real disk.

mod rotation;

use std::fs;
use std::io::Write;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

struct Room {
    folder: TempDir,
    config: JournalConfig,
    clock: Clock,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = JournalConfig::at(folder.path().join("decisions.ndjson"));
        Self {
            folder,
            config,
            clock: Clock::manual(),
        }
    }

    fn rotating(rotate_bytes: u64, keep_files: usize) -> Self {
        let mut room = Self::new();
        room.config.rotate_bytes = NonZeroU64::new(rotate_bytes).unwrap();
        room.config.keep_files = keep_files;
        room
    }

    fn open(&self) -> (Journal, JournalThread) {
        Journal::open(&self.config, self.clock.clone()).unwrap()
    }

    /// Opens, writes numbered lines, closes.
    fn write(&self, numbers: std::ops::Range<u64>) {
        let (journal, thread) = self.open();
        for n in numbers {
            assert_eq!(journal.write(&json!({ "n": n })), WriteOutcome::Accepted);
        }
        thread.close().unwrap();
    }

    /// The files beside the current one, oldest first.
    fn rotated(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "decisions.ndjson")
            .collect();
        let seq = |name: &String| -> u64 {
            let (_, rest) = name.split_once('-').unwrap();
            rest.split_once('.').unwrap().0.parse().unwrap()
        };
        names.sort_by_key(seq);
        names
    }

    fn read(&self, name: &str) -> Vec<Value> {
        let bytes = fs::read(self.folder.path().join(name)).unwrap();
        let text = if name.ends_with(".zst") {
            zstd::decode_all(bytes.as_slice()).unwrap()
        } else {
            bytes
        };
        let text = String::from_utf8(text).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{name} is torn");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or(json!({ "torn": line })))
            .collect()
    }

    /// All lines on disk, in order.
    fn lines(&self) -> Vec<Value> {
        let mut names = self.rotated();
        names.push("decisions.ndjson".to_owned());
        names.iter().flat_map(|name| self.read(name)).collect()
    }

    /// Waits until so many lines are on disk, without a close.
    fn wait_for(&self, lines: usize) {
        for _ in 0..500 {
            if self.lines().len() == lines {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("not {lines} lines within five seconds");
    }
}

fn numbered(numbers: std::ops::Range<u64>) -> Vec<Value> {
    numbers.map(|n| json!({ "n": n })).collect()
}

#[test]
fn every_accepted_line_survives_close() {
    let room = Room::rotating(10_000, 1_000);
    let (journal, thread) = room.open();
    let accepted: u64 = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let journal = journal.clone();
                scope.spawn(move || {
                    let write = |n| journal.write(&json!({ "writer": writer, "n": n }));
                    (0..2_000)
                        .filter(|&n: &u64| write(n) == WriteOutcome::Accepted)
                        .count() as u64
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum()
    });
    assert_eq!(accepted, 8_000);
    thread.close().unwrap();
    assert_eq!(room.lines().len(), 8_000);
    assert!(room.rotated().len() > 10);
    assert_eq!(
        journal.write(&json!({})),
        WriteOutcome::Dropped,
        "after close"
    );
}

#[test]
fn lines_reach_the_disk_soon_without_a_close() {
    let room = Room::new();
    let (journal, _thread) = room.open();
    journal.write(&json!({ "n": 0 }));
    room.wait_for(1);
    assert_eq!(room.lines(), numbered(0..1));
}

#[test]
fn a_full_queue_drops_counts_and_says_so() {
    let mut room = Room::new();
    room.config.queue_lines_max = NonZeroUsize::new(4).unwrap();
    let queue = Queue::new(room.config.queue_lines_max, room.config.queue_bytes_max);
    let outcomes: Vec<WriteOutcome> = (0..6).map(|_| queue.push(b"{}\n")).collect();
    assert_eq!(
        outcomes[3..],
        [
            WriteOutcome::Accepted,
            WriteOutcome::Dropped,
            WriteOutcome::Dropped
        ]
    );
    assert_eq!(
        (queue.counts.accepted.get(), queue.counts.dropped.get()),
        (4, 2)
    );
    let mut batch = Vec::new();
    assert_eq!(queue.take(&mut batch), queue::Phase::Open);
    assert_eq!(batch, b"{}\n{}\n{}\n{}\n{\"dropped\":2}\n");
    assert_eq!(
        queue.push(b"{}\n"),
        WriteOutcome::Accepted,
        "there is room again"
    );
}

#[test]
fn a_line_larger_than_the_queue_is_a_gap_in_the_journal() {
    let mut room = Room::new();
    room.config.queue_bytes_max = NonZeroUsize::new(32).unwrap();
    let (journal, thread) = room.open();
    assert_eq!(journal.write(&"x".repeat(64)), WriteOutcome::Dropped);
    journal.count_dropped(2);
    thread.close().unwrap();
    let dropped: u64 = room
        .lines()
        .iter()
        .map(|line| line["dropped"].as_u64().unwrap())
        .sum();
    assert_eq!(dropped, 3);
}

#[test]
fn what_is_no_json_is_dropped_not_written_in_part() {
    let room = Room::new();
    let (journal, thread) = room.open();
    let no_json = std::collections::HashMap::from([((1, 2), 3)]);
    assert_eq!(journal.write(&no_json), WriteOutcome::Dropped);
    thread.close().unwrap();
    assert_eq!(room.lines(), [json!({ "dropped": 1 })]);
}

#[test]
fn it_appends_after_a_restart_and_ends_a_torn_line() {
    let room = Room::new();
    room.write(0..2);
    room.write(2..3);
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(&room.config.path)
        .unwrap();
    file.write_all(b"{\"n\":3").unwrap();
    drop(file);
    room.write(4..5);
    let torn = json!({ "torn": "{\"n\":3" });
    let [before, after] = [numbered(0..3), numbered(4..5)];
    assert_eq!(room.lines(), [before, vec![torn], after].concat());
}

#[test]
fn a_second_writer_is_refused() {
    let room = Room::new();
    let (_journal, thread) = room.open();
    assert!(matches!(
        Journal::open(&room.config, room.clock.clone()),
        Err(Error::JournalOpen { .. })
    ));
    thread.close().unwrap();
    room.write(0..1);
}

#[test]
fn a_path_that_cannot_be_written_stops_the_start() {
    for path in ["/", "no/such/folder/decisions.ndjson"] {
        let opened = Journal::open(&JournalConfig::at(path), Clock::manual());
        let message = opened.map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(path), "{message}");
    }
}

/// A device that is always full stands for a disk that is.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_retried_counted_and_in_the_end_reported() {
    let (journal, thread) =
        Journal::open(&JournalConfig::at("/dev/full"), Clock::manual()).unwrap();
    assert_eq!(journal.write(&json!({})), WriteOutcome::Accepted);
    let mut registry = Registry::default();
    journal.register(&mut registry);
    let Err(Error::JournalLost { lines, source, .. }) = thread.close() else {
        panic!("nothing can be written to a full device");
    };
    assert_eq!((lines, source.kind()), (1, std::io::ErrorKind::StorageFull));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("lines_total 1\n"), "{text}");
    assert!(!text.contains("errors_total 0\n"), "{text}");
}

#[test]
fn a_disabled_journal_costs_nothing_and_says_so() {
    assert_eq!(
        Journal::disabled().write(&json!({})),
        WriteOutcome::Disabled
    );
    assert!(!Journal::disabled().is_enabled());
}
