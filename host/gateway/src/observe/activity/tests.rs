//! The stream's promises, through a journal and back.

use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::line::ActivityLine;
use super::*;
use crate::observe::config::JournalConfig;
use crate::observe::journal::JournalThread;
use crate::observe::pseudonym::PseudonymKey;
use wastegate_core::types::{DecisionId, Tier};

struct Tape {
    activity: ActivitySink,
    thread: JournalThread,
    folder: TempDir,
    user: UserId,
}

impl Tape {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = JournalConfig::at(folder.path().join("activity.ndjson"));
        let (journal, thread) = Journal::open(&config, Clock::manual()).unwrap();
        let pseudonyms = Pseudonymizer::new(PseudonymKey::from_bytes([7; 16]));
        Self {
            activity: ActivitySink::new(journal, pseudonyms, Clock::manual()),
            thread,
            folder,
            user: UserId::new("ann").unwrap(),
        }
    }

    fn record_on(&self, ms: u64, manager: u64, device: Option<&str>, event: ActivityEvent) {
        self.activity.record(
            Timestamp::from_millis(ms),
            ManagerId::from_raw(manager),
            &self.user,
            &ManagerKey::new(&manager.to_string()).unwrap(),
            device.map(|name| DeviceId::new(name).unwrap()).as_ref(),
            event,
        );
    }

    fn record(&self, ms: u64, manager: u64, event: ActivityEvent) {
        self.record_on(ms, manager, None, event);
    }

    fn flush(&self, ms: u64) {
        self.activity.flush(Timestamp::from_millis(ms));
    }

    /// Ends the stream; what is on disk.
    fn text(self) -> String {
        self.activity.flush_all();
        self.thread.close().unwrap();
        std::fs::read_to_string(self.folder.path().join("activity.ndjson")).unwrap()
    }

    fn lines(self) -> Vec<ActivityLine> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    /// Time, kind and number of each line.
    fn story(self) -> Vec<(u64, ActivityKind, Option<u64>)> {
        let lines = self.lines().into_iter();
        lines.map(|line| (line.t_ms, line.kind, line.n)).collect()
    }
}

#[test]
fn a_line_has_pseudonyms_and_the_numbers_of_its_kind() {
    let tape = Tape::new();
    tape.record_on(5, 1, Some("phone"), ActivityEvent::In { bytes: 10 });
    tape.record_on(6, 1, Some("phone"), ActivityEvent::In { bytes: 20 });
    let (tier, decision) = (Some(Tier::Force), Some(DecisionId::from_raw(9)));
    tape.record(7, 1, ActivityEvent::Evict { tier, decision });
    let text = tape.text();
    assert!(!text.contains("ann") && !text.contains("phone"), "{text}");
    let hidden = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        for name in ["user", "key", "device"] {
            if let Some(id) = line.get_mut(name) {
                assert_eq!(id.as_str().unwrap().len(), 16);
                *id = name.into();
            }
        }
        line
    };
    let lines: Vec<_> = text.lines().map(hidden).collect();
    let who = |mut line: serde_json::Value| {
        line["user"] = "user".into();
        line["key"] = "key".into();
        line
    };
    assert_eq!(
        lines,
        [
            who(
                serde_json::json!({ "t_ms": 5, "device": "device", "kind": "in", "n": 2, "bytes": 30,
                    "last_ms": 1, "later": [1] })
            ),
            who(serde_json::json!({ "t_ms": 7, "kind": "evict", "tier": "force", "decision": 9 })),
        ]
    );
}

#[test]
fn a_thousand_frames_a_second_are_one_line_a_second() {
    let tape = Tape::new();
    for ms in 500..2_500 {
        tape.record(ms, 1, ActivityEvent::In { bytes: 1 });
        if ms % 100 == 0 {
            tape.flush(ms);
        }
    }
    let n = |n| Some(n);
    assert_eq!(
        tape.story(),
        [
            (500, ActivityKind::In, n(500)),
            (1_000, ActivityKind::In, n(1_000)),
            (2_000, ActivityKind::In, n(500))
        ]
    );
}

#[test]
fn another_event_of_the_manager_stands_between_the_runs() {
    let tape = Tape::new();
    for (ms, event) in [
        (1, ActivityEvent::Pong),
        (2, ActivityEvent::Pong),
        (3, ActivityEvent::Visible),
        (3, ActivityEvent::Pong),
    ] {
        tape.record(ms, 1, event);
    }
    tape.record(2, 2, ActivityEvent::Hidden);
    assert_eq!(
        tape.story(),
        [
            (1, ActivityKind::Pong, Some(2)),
            (2, ActivityKind::Hidden, None),
            (3, ActivityKind::Visible, None),
            (3, ActivityKind::Pong, Some(1))
        ]
    );
}

/// The moment of the first ping without an answer is never lost, and neither are those of few frames.
#[test]
fn what_a_replay_goes_by_is_exact() {
    let tape = Tape::new();
    for (ms, event) in [
        (1, ActivityEvent::Ping),
        (2, ActivityEvent::Pong),
        (3, ActivityEvent::Ping),
        (9, ActivityEvent::Ping),
        (11, ActivityEvent::In { bytes: 4 }),
        (15, ActivityEvent::In { bytes: 4 }),
        (40, ActivityEvent::In { bytes: 4 }),
    ] {
        tape.record(ms, 1, event);
    }
    for ms in 100..200 {
        tape.record(ms, 2, ActivityEvent::In { bytes: 1 });
    }
    let lines: Vec<_> = tape
        .lines()
        .into_iter()
        .map(|line| (line.t_ms, line.kind, line.last_ms, line.later))
        .collect();
    assert_eq!(
        lines,
        [
            (1, ActivityKind::Ping, Some(2), vec![]),
            (2, ActivityKind::Pong, None, vec![]),
            (9, ActivityKind::Ping, None, vec![]),
            (11, ActivityKind::In, Some(29), vec![4, 29]),
            (100, ActivityKind::In, Some(99), vec![]),
        ]
    );
}

#[test]
fn kinds_managers_and_devices_are_kept_apart() {
    let tape = Tape::new();
    for ms in 0..4 {
        for device in [None, Some("a"), Some("b")] {
            tape.record_on(ms, 1, device, ActivityEvent::Out { bytes: 1 });
        }
        tape.record(ms, 1, ActivityEvent::Pong);
        tape.record(ms, 2, ActivityEvent::Pong);
    }
    let lines = tape.lines();
    assert_eq!(lines.len(), 5);
    assert!(lines.iter().all(|line| line.n == Some(4)));
}

#[test]
fn a_flush_leaves_the_second_that_is_not_over() {
    let tape = Tape::new();
    tape.record(999, 1, ActivityEvent::Open);
    tape.record(1_000, 1, ActivityEvent::Attach);
    tape.flush(1_999);
    let stream = tape.activity.0.clone().unwrap();
    assert_eq!(stream.output.lock().last, Timestamp::from_millis(999));
    assert_eq!(tape.story().len(), 2);
}

#[test]
fn an_event_that_comes_too_late_does_not_turn_time_back() {
    let tape = Tape::new();
    tape.record(900, 1, ActivityEvent::Open);
    tape.flush(1_000);
    tape.record(400, 2, ActivityEvent::Open);
    tape.flush(2_000);
    let times: Vec<_> = tape.story().iter().map(|line| line.0).collect();
    assert_eq!(times, [900, 900]);
}

#[test]
fn a_full_window_is_written_early_and_loses_nothing() {
    let tape = Tape::new();
    let events = EVENTS_MAX as u64 + 10;
    for manager in 0..events {
        tape.record(1, manager, ActivityEvent::Ping);
    }
    // What is lost on the way is what the journal's queue had no room for.
    let mut lost = 0;
    let mut found = 0;
    for line in tape.text().lines() {
        match serde_json::from_str::<ActivityLine>(line) {
            Ok(_) => found += 1,
            Err(_) => {
                let gap: serde_json::Value = serde_json::from_str(line).unwrap();
                lost += gap["dropped"].as_u64().unwrap();
            }
        }
    }
    assert_eq!(found + lost, events);
    assert!(found >= EVENTS_MAX as u64);
}

#[test]
fn a_window_that_cannot_be_written_counts_what_it_drops() {
    let tape = Tape::new();
    let stream = tape.activity.0.clone().unwrap();
    let writing = stream.output.lock();
    for manager in 0..EVENTS_MAX as u64 + 3 {
        tape.record(1, manager, ActivityEvent::Open);
    }
    tape.record(1, 0, ActivityEvent::Open);
    drop(writing);
    assert_eq!(stream.window.lock().dropped, 4);
}

#[test]
fn disabled_it_does_nothing() {
    let activity = ActivitySink::new(
        Journal::disabled(),
        Pseudonymizer::new(PseudonymKey::from_bytes([0; 16])),
        Clock::manual(),
    );
    assert!(activity.0.is_none());
    activity.flush(Timestamp::ZERO);
}

fn any_event() -> impl Strategy<Value = ActivityEvent> {
    prop_oneof![
        Just(ActivityEvent::In { bytes: 3 }),
        Just(ActivityEvent::Ping),
        Just(ActivityEvent::Visible),
        Just(ActivityEvent::Detach),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes when: time never falls, no event is lost, each manager's order is kept.
    #[test]
    fn time_never_falls_and_no_event_is_lost(
        events in prop::collection::vec((0_u64..400, 0_u64..3, any_event(), any::<bool>()), 1..200),
    ) {
        let tape = Tape::new();
        let mut now = Duration::ZERO;
        let mut uncoalesced = vec![Vec::new(); 3];
        for &(step, manager, event, flush) in &events {
            now += Duration::from_millis(step);
            let ms = now.as_millis() as u64;
            tape.record(ms, manager, event);
            if !event.is_coalesced() {
                uncoalesced[manager as usize].push(event.kind());
            }
            if flush {
                tape.flush(ms);
            }
        }
        let pseudonyms = Pseudonymizer::new(PseudonymKey::from_bytes([7; 16]));
        let user = tape.user.clone();
        let lines = tape.lines();
        prop_assert!(lines.is_sorted_by_key(|line| line.t_ms));
        let recorded: u64 = lines.iter().map(|line| line.n.unwrap_or(1)).sum();
        prop_assert_eq!(recorded, events.len() as u64);
        for (manager, expected) in uncoalesced.iter().enumerate() {
            let key = pseudonyms.manager(&user, &ManagerKey::new(&manager.to_string()).unwrap());
            let found: Vec<ActivityKind> = lines
                .iter()
                .filter(|line| line.key == key && line.n.is_none())
                .map(|line| line.kind)
                .collect();
            prop_assert_eq!(&found, expected);
        }
    }
}
