//! What is written, what is dropped, and what is said of that.

use std::time::Duration;

use super::*;

fn config() -> Config {
    Config {
        log_lines_per_second_max: 10,
        log_bytes_per_second_max: 1_000,
        log_node_lines_per_second_max: 15,
        log_node_bytes_per_second_max: 10_000,
        log_lines_kept: 4,
        ..Config::default()
    }
}

struct Bench {
    book: Arc<LogBook>,
    clock: Clock,
}

impl Bench {
    fn new() -> Self {
        let clock = Clock::manual();
        let book = Arc::new(LogBook::new(&config(), clock.clone()));
        Self { book, clock }
    }

    fn voice(&self, policy: &str, revision: u64) -> Voice {
        Voice {
            policy: policy.into(),
            revision: RevisionId::new(revision),
            decision: Some(DecisionId::from_raw(9)),
            share: Arc::new(self.book.share()),
            book: self.book.clone(),
        }
    }

    fn scrape(&self) -> String {
        let mut registry = Registry::default();
        self.book.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }
}

/// Says so many lines; what was dropped.
fn say(voice: &Voice, lines: u32) -> Dropped {
    let mut dropped = Dropped::NONE;
    for number in 0..lines {
        if let Err(cap) = voice.say(Level::Info, &format!("line {number}")) {
            dropped.count(cap);
        }
    }
    voice.count_dropped(dropped);
    dropped
}

#[test]
fn each_policy_has_its_share_and_all_together_have_the_nodes() {
    let bench = Bench::new();
    let (chatty, other) = (bench.voice("chatty", 1), bench.voice("other", 2));
    let over = |call, policy, node| Dropped { call, policy, node };
    assert_eq!(say(&chatty, 1_000), over(0, 990, 0));
    // The node has five left, which are the other's whatever the first one does.
    assert_eq!(say(&other, 8), over(0, 0, 3));
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(say(&other, 8), over(0, 0, 0), "a second later");

    let text = bench.scrape();
    assert!(text.contains("dropped_total{cap=\"policy\"} 990"), "{text}");
    assert!(text.contains("dropped_total{cap=\"node\"} 3"), "{text}");

    let first = bench.book.recent(RevisionId::FIRST);
    let texts: Vec<&str> = first.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["line 6", "line 7", "line 8", "line 9"]);
    assert_eq!(first.dropped, 990);
    assert_eq!(first.lines[0].decision, Some(DecisionId::from_raw(9)));
    let second = bench.book.recent(RevisionId::new(2).unwrap());
    assert_eq!(second.lines[0].unix_ms, 1_000);
}

#[test]
fn a_long_line_takes_from_the_bytes() {
    let bench = Bench::new();
    let voice = bench.voice("wordy", 1);
    assert_eq!(voice.say(Level::Warn, &"x".repeat(990)), Ok(()));
    assert_eq!(voice.say(Level::Warn, &"x".repeat(11)), Err(Cap::Policy));
    assert_eq!(voice.say(Level::Warn, "ten bytes."), Ok(()));
}

#[test]
fn what_was_dropped_is_told_once_and_policies_apart() {
    let bench = Bench::new();
    say(&bench.voice("chatty", 1), 1_244);
    say(&bench.voice("chatty", 2), 10);
    {
        let state = bench.book.state.lock();
        // Ten each; of the second share five were beyond the node's.
        assert_eq!(state.unreported[&Arc::<str>::from("chatty")], 1_239);
    }
    bench.book.report_dropped();
    assert!(bench.book.state.lock().unreported.is_empty());

    for number in 0..1_000 {
        let voice = bench.voice(&format!("p{number}"), 1);
        voice.count_dropped(Dropped {
            call: 1,
            ..Dropped::NONE
        });
    }
    let state = bench.book.state.lock();
    assert_eq!(state.unreported.len(), DISTINCT_POLICIES_MAX + 1);
    assert_eq!(state.unreported.values().sum::<u64>(), 1_000);
}

#[test]
fn numbers_are_told_in_groups() {
    for (number, text) in [
        (0, "0"),
        (999, "999"),
        (1_234, "1,234"),
        (1_000_000, "1,000,000"),
    ] {
        assert_eq!(grouped(number), text);
    }
}
