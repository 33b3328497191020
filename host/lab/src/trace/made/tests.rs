//! Made traces: the same for the same seed, with the rates that were declared.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::path::Path;

use super::synth::{Shape, sessions};
use super::*;
use crate::trace::error::TraceError;
use crate::trace::event::{Trace, TraceEventKind};

const SHAPE: Shape = Shape {
    users: 200,
    hours: 6.0,
    sessions_per_hour: 4.0,
    skew: 0.8,
    turns: 3.0,
    seed: 7,
};

fn trace(faults: &FaultRates) -> Trace {
    faults.events(&sessions(&SHAPE)).unwrap()
}

fn kinds(trace: &Trace) -> BTreeMap<&'static str, f64> {
    trace
        .events
        .iter()
        .fold(BTreeMap::new(), |mut kinds, event| {
            *kinds.entry(event.kind.name()).or_default() += 1.0;
            kinds
        })
}

#[test]
fn the_same_seed_makes_the_same_and_another_another() {
    let faults = FaultRates::default();
    assert_eq!(trace(&faults), trace(&faults));
    assert_ne!(trace(&faults), trace(&FaultRates { seed: 2, ..faults }));
    let other = Shape { seed: 8, ..SHAPE };
    assert_ne!(sessions(&other), sessions(&SHAPE));
}

#[test]
fn faults_come_at_their_declared_rates() {
    let none = FaultRates {
        die_silently: 0.0,
        close: 0.0,
        background: 0.0,
        reconnect_without_close: 0.0,
        seed: 1,
    };
    let quiet = kinds(&trace(&none));
    assert_eq!(
        quiet.keys().copied().collect::<Vec<_>>(),
        ["attach", "in", "open", "out"]
    );
    let chats = quiet["open"];
    assert!(chats > 3_000.0, "{chats}");
    let turns = quiet["in"] / chats;
    assert!(
        (2.0..3.2).contains(&turns),
        "{turns}: the end of the trace cuts some off"
    );
    let ends = kinds(&trace(&FaultRates {
        die_silently: 0.2,
        close: 0.5,
        ..none
    }));
    assert!(
        (ends["die-silently"] / chats - 0.2).abs() < 0.03,
        "{ends:?}"
    );
    assert!((ends["close"] / chats - 0.5).abs() < 0.03, "{ends:?}");
    let again = kinds(&trace(&FaultRates {
        reconnect_without_close: 0.15,
        ..none
    }));
    let extra = again["open"] - chats;
    assert_eq!(extra, again["die-silently"], "each leaves one behind");
    assert!(
        (0.08..0.16).contains(&(extra / (quiet["in"] - chats))),
        "of pauses, the long ones: {again:?}"
    );
}

#[test]
fn a_session_is_never_used_after_it_was_left() {
    let trace = trace(&FaultRates::default());
    let mut gone = HashSet::new();
    let mut open = HashSet::new();
    for event in &trace.events {
        match event.kind {
            TraceEventKind::Open { .. } => assert!(open.insert(event.session)),
            TraceEventKind::DieSilently | TraceEventKind::Close => {
                assert!(gone.insert(event.session))
            }
            _ => assert!(open.contains(&event.session) && !gone.contains(&event.session)),
        }
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn turns_of_a_mooncake_session_share_a_block() {
    let text = r#"{"timestamp": 0, "input_length": 5, "output_length": 100, "hash_ids": [0, 1, 2]}
{"timestamp": 10, "input_length": 5, "output_length": 50, "hash_ids": [0, 7]}
{"timestamp": 60000, "input_length": 9, "output_length": 10, "hash_ids": [0, 1, 2, 3]}

{"timestamp": 70000, "input_length": 9, "output_length": 10, "hash_ids": [0, 1, 2, 3, 4]}
{"timestamp": 80000, "input_length": 9, "output_length": 10, "hash_ids": [0]}
"#;
    let chats = mooncake::read(file(text).path(), &mut Vec::new()).unwrap();
    let turns: Vec<usize> = chats.iter().map(|chat| chat.turns.len()).collect();
    assert_eq!(turns, [3, 1, 1]);
    assert_eq!(chats[0].turns[0].answer_ms, 2_000);
}

#[test]
fn what_is_no_trace_is_told_with_its_line() {
    let report = |error: TraceError| error.to_string();
    let read = |path: &Path| mooncake::read(path, &mut Vec::new());
    let rate = |path: &Path| servegen::rate(path, &mut Vec::new());
    let bad =
        file("{\"timestamp\": 5, \"hash_ids\": [1]}\n{\"timestamp\": 4, \"hash_ids\": [1]}\n");
    assert!(report(read(bad.path()).unwrap_err()).contains(":2: "));
    let bad = file("{\"timestamp\": 5}\n");
    assert!(report(read(bad.path()).unwrap_err()).contains("missing field `hash_ids`"));
    assert!(report(read(file("").path()).unwrap_err()).contains("holds no event"));
    assert!(
        report(rate(file("0,1.5,1,,0,0\n600,x\n").path()).unwrap_err())
            .contains(":2: no line of a ServeGen client")
    );
    assert!((rate(file("0,1.5,1,,0,0\n600,0.5,1,,0,0\n").path()).unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn sessions_are_dealt_by_rates() {
    let chats = |count: u64| {
        (0..count)
            .map(|number| Chat {
                number,
                turns: Vec::new(),
            })
            .collect()
    };
    let dealt = servegen::deal(chats(4_000), &[3.0, 0.0, 1.0], 10, 1);
    let of = |client: &str| {
        dealt
            .iter()
            .filter(|owner| owner.user.starts_with(client))
            .count()
    };
    assert!(
        (2_850..3_150).contains(&of("client-0-")),
        "{}",
        of("client-0-")
    );
    assert_eq!(of("client-1-"), 0);
    let users: HashSet<&str> = dealt.iter().map(|owner| owner.user.as_str()).collect();
    assert_eq!(users.len(), 20);
}
