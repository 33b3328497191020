//! What a whole decision costs: snapshot to question to ranking to plan, by policies in the sandbox
//! beside the same in native code, in one run.
//!
//! Aim: at 20 managers at most 10 microseconds above native, at 10,000 at most twice native. Ratios
//! within a run mean something; times from a shared machine do not.

use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wastegate_core::decision::builtin::BuiltIn;
use wastegate_core::decision::{
    Answer, Choice, PolicyRef, Question, Ranked, Ranker, Ranking, Row, Snapshot, Standing,
    TierTable, guard,
};
use wastegate_core::types::time::Clock;
use wastegate_core::types::{
    DecisionId, Health, Limits, ManagerId, ManagerKey, Protection, Scope, Signal, SignalRow, Tier,
    Timestamp, UserId,
};
use wastegate_engine::policy::shipped;
use wastegate_engine::policy::{
    Catalog, Config, Engine, Metrics, Params, Pick, PolicyRanker, Runtime,
};

const SIZES: [u32; 4] = [20, 100, 1_000, 10_000];

/// The policies that are measured, by the names they ship under.
const POLICIES: [&str; 2] = ["lru", "qos-lexicographic"];

/// Least recently used in native code: what `lru` would cost without a sandbox.
struct NativeLru;

impl Ranker for NativeLru {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let mut order: Vec<(f64, u32)> = (0..)
            .zip(&question.rows)
            .map(|(index, row)| (row.idle_ms(), index))
            .collect();
        let most = (question.most as usize).min(order.len());
        let compare =
            |a: &(f64, u32), b: &(f64, u32)| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1));
        if (1..order.len()).contains(&most) {
            order.select_nth_unstable_by(most - 1, compare);
            order.truncate(most);
        }
        order.sort_unstable_by(compare);
        let choices = order.into_iter().map(|(score, row)| Choice {
            row,
            score,
            reason: 0,
        });
        let choices = choices.collect();
        Answer::Ready(Ranked {
            reasons: Arc::new(["least recently used".to_owned()]),
            signals: Arc::new([Signal::IdleMs]),
            ..Ranked::of(PolicyRef::builtin(), Ok(Ranking { choices }))
        })
    }
}

/// Every ranker that is measured, by name.
fn rankers(rows: u32) -> Vec<(String, Arc<dyn Ranker>)> {
    let config = Config::default();
    let config = Config {
        // The call itself is measured, not the way to another thread.
        inline_rows_max: config.inline_rows_max.max(rows),
        ..config
    };
    let metrics = Metrics::default();
    let engine = Engine::new(config, Clock::system()).expect("this machine runs WASM");
    let runtime = Runtime::start(engine.clone(), metrics.clone()).expect("threads");
    let catalog = Catalog::new(engine, shipped::table(), metrics);
    let mut rankers: Vec<(String, Arc<dyn Ranker>)> = vec![
        ("native/builtin".to_owned(), Arc::new(BuiltIn)),
        ("native/lru".to_owned(), Arc::new(NativeLru)),
    ];
    for name in POLICIES {
        let policy = catalog
            .prepare(
                &Pick::Shipped(name.to_owned()),
                &Params::new(),
                &Limits::NODES,
            )
            .expect("shipped policies load");
        let ranker = PolicyRanker::fixed(runtime.clone(), policy);
        rankers.push((format!("wasm/{name}"), Arc::new(ranker)));
    }
    rankers
}

fn snapshot(rows: u32) -> Snapshot {
    let now = Timestamp::from_millis(100_000_000);
    let rows: Vec<Row> = (0..rows).map(|index| row(index, now)).collect();
    let held = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    Snapshot {
        scope: Scope::User,
        now,
        limit: held,
        held,
        rows,
    }
    .sorted()
}

/// A responsive manager, with every signal known and the idle times well mixed.
fn row(index: u32, now: Timestamp) -> Row {
    let idle_ms = u64::from(index) * 7_919 % 10_007 * 13 + 5;
    let mut signals = SignalRow::default();
    for &signal in Signal::ALL {
        signals[signal] = f64::from(index % 97);
    }
    signals[Signal::IdleMs] = f64::from(u32::try_from(idle_ms).unwrap_or(u32::MAX));
    signals[Signal::Health] = 1.0;
    signals[Signal::Protection] = 0.0;
    Row {
        manager: ManagerId::next(),
        user: UserId::new("ann").expect("a valid name"),
        key: ManagerKey::new(&format!("tab-{index}")).expect("a valid name"),
        last_activity: Timestamp::from_millis(now.millis() - idle_ms),
        standing: Standing::Attached,
        health: Health::Alive,
        taken_over: false,
        protection: Protection::Evictable,
        signals,
        elsewhere: None,
    }
}

/// One whole decision.
fn decide(ranker: &dyn Ranker, table: &TierTable, snapshot: &Snapshot) -> usize {
    let needed = (snapshot.held / 100).max(1);
    let id = DecisionId::from_raw(1);
    let question = Question::new(snapshot, table, Tier::Force, needed, id, 7);
    let question = Arc::new(question);
    let Answer::Ready(answer) = ranker.rank(&question) else {
        panic!("every call is made inline");
    };
    assert!(answer.outcome.is_ok(), "{:?}", answer.outcome);
    guard::plan(&question, table, &answer).victims().len()
}

/// The ranking alone, question to answer: where the sandbox is.
fn rank(criterion: &mut Criterion) {
    let table = TierTable::default();
    for rows in SIZES {
        let mut group = criterion.benchmark_group(format!("rank/{rows}"));
        let snapshot = snapshot(rows);
        let needed = (rows / 100).max(1);
        let id = DecisionId::from_raw(1);
        let question = Arc::new(Question::new(&snapshot, &table, Tier::Force, needed, id, 7));
        for (name, ranker) in rankers(rows) {
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| matches!(ranker.rank(black_box(&question)), Answer::Ready(_)));
            });
        }
        group.finish();
    }
}

/// Snapshot to plan.
fn decision(criterion: &mut Criterion) {
    let table = TierTable::default();
    for rows in SIZES {
        let mut group = criterion.benchmark_group(format!("decision/{rows}"));
        let snapshot = snapshot(rows);
        for (name, ranker) in rankers(rows) {
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| decide(&*ranker, &table, black_box(&snapshot)));
            });
        }
        group.finish();
    }
}

/// Decisions a second on one thread and on two: whether instances get into each other's way.
fn threads(criterion: &mut Criterion) {
    let (table, snapshot) = (TierTable::default(), snapshot(20));
    for (name, ranker) in rankers(20) {
        let mut group = criterion.benchmark_group(format!("threads/{name}"));
        for threads in [1_u64, 2] {
            group.throughput(Throughput::Elements(threads));
            group.bench_function(BenchmarkId::from_parameter(threads), |bencher| {
                bencher.iter_custom(|rounds| {
                    together(threads, rounds, || {
                        black_box(decide(&*ranker, &table, &snapshot));
                    })
                });
            });
        }
        group.finish();
    }
}

/// How long so many threads take for so many rounds each.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the machine's time"
)]
fn together(threads: u64, rounds: u64, work: impl Fn() + Sync) -> Duration {
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..rounds).for_each(|_| work()));
        }
    });
    started.elapsed()
}

fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = rank, decision, threads
}
criterion_main!(benches);
