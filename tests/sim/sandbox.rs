//! Rankers that are WASM: the shipped policies as production runs them, and guests that misbehave.
//!
//! Nothing here waits for a wall clock. A pool's answer is waited for on the spot, so that virtual
//! time stands still meanwhile, and the backstop by the wall clock is set where only a hung machine
//! would meet it: fuel ends every call long before.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use parking_lot::Mutex;
use wastegate_core::decision::{Answer, Question, Ranked, Ranker};
use wastegate_core::types::{Clock, Limits};
use wastegate_engine::policy::call::Input;
use wastegate_engine::policy::{
    CallOptions, Catalog, Config, Engine, Metrics, Params, Pick, Policy, PolicyRanker, Program,
    Runtime, load, shipped,
};
use wastegate_lab::replay::ReplayCandidate;
use wastegate_tests::guests;

/// The guests that misbehave while they rank.
pub(crate) const HOSTILE: &[&str] = &[
    "duplicates",
    "errs",
    "flaky",
    "foreign-rows",
    "huge-list",
    "lazy",
    "liar",
    "memory-bomb",
    "nan-scores",
    "reversed",
    "silent",
    "spins",
    "stack-overflow",
    "traps",
];

fn config() -> Config {
    Config {
        deadline: Duration::from_secs(60),
        deadline_large: Duration::from_secs(60),
        workers: 1,
        ..Config::default()
    }
}

fn engine(clock: Clock) -> Engine {
    Engine::new(config(), clock).expect("the engine starts on this machine")
}

/// A shipped policy in front of breakers of its own.
pub(crate) fn shipped(name: &'static str, clock: &Clock) -> Box<dyn Ranker> {
    // Compiled and checked once for all runs; what a run changes is in its runtime.
    static READY: LazyLock<Mutex<BTreeMap<&'static str, Arc<Policy>>>> =
        LazyLock::new(Mutex::default);
    let policy = READY
        .lock()
        .entry(name)
        .or_insert_with(|| {
            let catalog = Catalog::new(
                engine(Clock::manual()),
                shipped::table(),
                Metrics::default(),
            );
            let pick = Pick::Shipped(name.to_owned());
            catalog
                .prepare(&pick, &Params::default(), &Limits::NODES)
                .expect("a shipped policy loads")
        })
        .clone();
    let runtime = Runtime::start(engine(clock.clone()), Metrics::default());
    let runtime = runtime.expect("the system has a thread to give");
    Box::new(OnTheSpot(Box::new(PolicyRanker::fixed(runtime, policy))))
}

/// A shipped policy without parameters, as a replay asks it.
pub(crate) fn candidate(name: &'static str) -> ReplayCandidate {
    let bytes = shipped::find(name).expect("a shipped policy");
    let program = load::program(&engine(Clock::manual()), bytes).expect("it loads");
    ReplayCandidate::policy(name.to_owned(), program, [].into())
}

/// A guest that misbehaves, asked as if the acceptance kit had not found out.
pub(crate) fn hostile(name: &'static str) -> Box<dyn Ranker> {
    static COMPILED: LazyLock<Mutex<BTreeMap<&'static str, Arc<Program>>>> =
        LazyLock::new(Mutex::default);
    let program = COMPILED
        .lock()
        .entry(name)
        .or_insert_with(|| {
            let component = guests::guest(name);
            load::program(&engine(Clock::manual()), component).expect("the guest loads")
        })
        .clone();
    Box::new(Hostile(program))
}

/// A program that no kit has checked and no breaker stops.
struct Hostile(Arc<Program>);

impl Ranker for Hostile {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let Self(program) = self;
        let columns = program.signals().iter().map(|&signal| {
            let values = question.rows.iter().map(|row| row.signals[signal]);
            values.collect()
        });
        let input = Input {
            tier: question.tier,
            scope: question.scope,
            needed: question.most,
            limit: question.limit,
            held: question.held,
            now_ms: question.now.millis(),
            seed: question.seed,
            rows: u32::try_from(question.rows.len()).unwrap_or(u32::MAX),
            columns: columns.collect(),
        };
        let outcome = program.ask(&input, &[], &CallOptions::default());
        Answer::Ready(Ranked {
            policy: program.about().clone(),
            revision: None,
            outcome: outcome.result,
            reasons: program.manifest().reasons.clone(),
            signals: program.manifest().signals.clone(),
            params: Arc::new([]),
            param_names: [].into(),
            limits: Limits::NODES,
            fuel: Some(outcome.fuel),
            duration: outcome.duration,
            experiment: None,
            explored: None,
        })
    }
}

/// Waits for answers on the thread that asks, so that virtual time cannot pass meanwhile.
struct OnTheSpot(Box<dyn Ranker>);

impl Ranker for OnTheSpot {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        match self.0.rank(question) {
            Answer::Ready(ranked) => Answer::Ready(ranked),
            Answer::Pending(mut answer) => {
                let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
                let mut context = Context::from_waker(&waker);
                Answer::Ready(loop {
                    let polled: Poll<Ranked> = answer.as_mut().poll(&mut context);
                    match polled {
                        Poll::Ready(ranked) => break ranked,
                        Poll::Pending => std::thread::park(),
                    }
                })
            }
        }
    }
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
