//! What letting somebody in costs: below the limit, and at the limit where room has to be made,
//! with the shipped policy in its sandbox beside the built-in ranking in the same run.
//!
//! No sockets: what is measured is admission, cleanup, snapshot, ranking, guard and eviction.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime as Tokio};
use wastegate::admission::{self, Admission, Admitted};
use wastegate::cleanup::{
    self, Cleaner, CleanerParts, Decided, PressureBook, Recorder, TierRun, UserPressure,
};
use wastegate::health::{self, Round};
use wastegate::manager::{self, Surroundings};
use wastegate::observe::ActivitySink;
use wastegate::registry::{Permit, Registry, SlotLimits};
use wastegate::tasks::{Supervisor, Tasks};
use wastegate_cli::playground::Playground;
use wastegate_core::decision::builtin::BuiltIn;
use wastegate_core::decision::{PolicyRef, Question, Ranker, TierTable, Victim};
use wastegate_core::types::{Clock, ManagerKey, UserId};
use wastegate_engine::policy::{
    self, Catalog, Engine, Params, Pick, PolicyRanker, Runtime, shipped,
};

/// The limit of the user that is measured.
const MANAGERS: u32 = 20;

/// Takes no notes: writing them happens beside the admission, in tasks of its own.
struct NoNotes;

impl Recorder for NoNotes {
    fn tier_ran(&self, _: Option<&UserId>, _: &TierRun, _: Option<Round>) {}
    fn evicted(&self, _: &Question, _: &Victim, _: &PolicyRef) {}
    fn decided(&self, _: Decided) {}
    fn pressure_changed(&self, _: &UserPressure) {}
}

struct Bench {
    tokio: Tokio,
    admission: Arc<Admission>,
    registry: Arc<Registry>,
    user: UserId,
    next: u64,
}

impl Bench {
    /// A user whose managers are evictable as soon as they are there: nobody ever attaches, and
    /// the attach grace is over at once.
    fn new(ranker: Arc<dyn Ranker>) -> Self {
        let tokio = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let _inside = tokio.enter();
        let (clock, tasks) = (Clock::system(), Tasks::new());
        let surroundings = Surroundings::new(
            clock.clone(),
            manager::Config {
                attach_grace: std::time::Duration::ZERO,
                ..manager::Config::default()
            },
            Playground.into(),
            ActivitySink::disabled(),
        );
        let limits = SlotLimits {
            managers_per_user: MANAGERS,
            ..SlotLimits::default()
        };
        let health = health::Config::default();
        let registry = Registry::new(limits, health.clone(), surroundings, tasks.clone());
        let table = TierTable::new(TierTable::default().rules(), 0, false).expect("a table");
        let cleaner = Cleaner::new(CleanerParts {
            registry: registry.clone(),
            ranker,
            recorder: Arc::new(NoNotes),
            clock: clock.clone(),
            config: cleanup::Config {
                table,
                proactive_from: 2.0,
                ..cleanup::Config::default()
            },
            health,
            tasks,
            supervisor: Supervisor::default(),
            pressure: PressureBook::default(),
            seed: 1,
            cluster: None,
        });
        let config = admission::Config::default();
        let admission = Admission::new(registry.clone(), cleaner, clock, config);
        drop(_inside);
        let user = UserId::new("ann").expect("a name");
        Self {
            tokio,
            admission,
            registry,
            user,
            next: 0,
        }
    }

    fn admit(&mut self) -> Permit {
        self.next += 1;
        let key = ManagerKey::new(&format!("k{}", self.next)).expect("a name");
        match self.tokio.block_on(self.admission.admit(&self.user, &key)) {
            Ok(Admitted::Now(permit)) => permit,
            other => panic!("not admitted: {other:?}"),
        }
    }
}

fn rankers() -> [(&'static str, Arc<dyn Ranker>); 2] {
    let tokio = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _inside = tokio.enter();
    let metrics = policy::Metrics::default();
    let engine = Engine::new(policy::Config::default(), Clock::system()).expect("an engine");
    let runtime = Runtime::start(engine.clone(), metrics.clone()).expect("threads");
    let catalog = Arc::new(Catalog::new(engine, shipped::table(), metrics));
    let pick = Pick::Shipped("qos-lexicographic".to_owned());
    catalog
        .activate(&pick, &Params::new())
        .expect("a shipped policy");
    [
        ("builtin", Arc::new(BuiltIn)),
        ("wasm", Arc::new(PolicyRanker::active(runtime, catalog))),
    ]
}

fn below_the_limit(criterion: &mut Criterion) {
    let mut bench = Bench::new(Arc::new(BuiltIn));
    criterion.bench_function("admission/below the limit", |b| {
        // The permit is dropped inside: entering and leaving again.
        b.iter(|| black_box(bench.admit()));
    });
}

fn at_the_limit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("admission/eviction at the limit");
    for (name, ranker) in rankers() {
        let mut bench = Bench::new(ranker);
        let mut held: std::collections::VecDeque<Permit> =
            (0..MANAGERS).map(|_| bench.admit()).collect();
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                held.push_back(bench.admit());
                // The permit of the manager that was evicted for it: dropping it changes nothing.
                drop(held.pop_front());
            });
        });
        assert_eq!(bench.registry.held(&bench.user), MANAGERS);
    }
    group.finish();
}

criterion_group!(benches, below_the_limit, at_the_limit);
criterion_main!(benches);
