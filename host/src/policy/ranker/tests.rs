//! Who is asked, on which thread, and what an answer comes with.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::registry::Registry;

use super::*;
use crate::policy::breaker::Standing;
use crate::policy::testing::{Guest, LOOP, config, question};
use crate::policy::{Config, Params, kit, load};
use crate::types::Scope;
use crate::types::time::Clock;

struct Bench {
    runtime: Runtime,
    metrics: Metrics,
    clock: Clock,
}

impl Bench {
    fn new(config: Config) -> Self {
        let (metrics, clock) = (Metrics::default(), Clock::manual());
        let engine = Engine::new(config, clock.clone()).unwrap();
        let runtime = Runtime::start(engine, metrics.clone()).unwrap();
        Self {
            runtime,
            metrics,
            clock,
        }
    }

    /// A policy that would not pass the kit, as if it had.
    fn policy(&self, guest: &Guest) -> Arc<Policy> {
        let engine = &self.runtime.0.engine;
        let good = load::policy(engine, &Guest::default().wasm(), &Params::new()).unwrap();
        let program = load::program(engine, &guest.wasm()).unwrap();
        let report: kit::KitReport = good.report().clone();
        Arc::new(Policy::new(program, good.params().clone(), report))
    }

    fn ranker(&self, guest: &Guest) -> PolicyRanker {
        PolicyRanker::fixed(self.runtime.clone(), self.policy(guest))
    }

    fn scrape(&self) -> String {
        let mut registry = Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }
}

fn ready(answer: Answer) -> Ranked {
    match answer {
        Answer::Ready(ranked) => ranked,
        Answer::Pending(_) => panic!("a small call went to the pool"),
    }
}

#[test]
fn a_small_call_is_answered_at_once_and_counted() {
    let bench = Bench::new(config());
    let ranked = ready(
        bench
            .ranker(&Guest::default())
            .rank(&question(Scope::User, 20)),
    );
    assert_eq!(ranked.outcome.unwrap().choices.len(), 1);
    let text = bench.scrape();
    assert!(text.contains("calls_total{scope=\"user\"} 1"), "{text}");
    assert!(text.contains("call_duration_microseconds_count{scope=\"user\"} 1"));
}

#[tokio::test]
async fn a_large_call_and_a_shadow_go_to_the_pool() {
    let bench = Bench::new(config());
    let policy = bench.policy(&Guest::default());
    let fixed = PolicyRanker::fixed(bench.runtime.clone(), policy.clone());
    let shadow = PolicyRanker::shadow(bench.runtime.clone(), policy);
    let pending = [
        fixed.rank(&question(Scope::Node, 20)),
        fixed.rank(&question(Scope::User, 4_097)),
        shadow.rank(&question(Scope::User, 20)),
    ];
    for answer in pending {
        assert!(matches!(answer, Answer::Pending(_)));
        assert_eq!(answer.wait().await.outcome.unwrap().choices.len(), 1);
    }
}

#[tokio::test]
async fn nobody_in_charge_is_the_builtin_ranking() {
    let bench = Bench::new(config());
    let engine = bench.runtime.0.engine.clone();
    let catalog = Arc::new(Catalog::new(engine, &[], bench.metrics.clone()));
    let ranker = PolicyRanker::champion(bench.runtime.clone(), catalog.clone());
    let ranked = ready(ranker.rank(&question(Scope::User, 20)));
    assert_eq!(&*ranked.policy.name, "builtin");
    catalog.install(bench.policy(&Guest::default()));
    let ranked = ready(ranker.rank(&question(Scope::User, 20)));
    assert_eq!(&*ranked.policy.name, "largest");
}

#[test]
fn a_policy_that_keeps_failing_is_left_alone_and_tried_again() {
    let bench = Bench::new(config());
    let ranker = bench.ranker(&Guest::ranks("(unreachable)"));
    let Who::Fixed(policy) = ranker.who.clone() else {
        unreachable!()
    };
    let digest = policy.about().digest.clone();
    let ask = || {
        ready(ranker.rank(&question(Scope::User, 20)))
            .outcome
            .unwrap_err()
    };
    for _ in 0..3 {
        assert_eq!(ask().name(), "trap");
    }
    assert_eq!(ask(), Fault::Quarantined);
    let breakers = bench.runtime.breakers();
    let now = |bench: &Bench| bench.clock.now();
    assert_eq!(breakers.standing(&digest, now(&bench)), Standing::Open);

    // Its last input is at hand, and fails again.
    let case = breakers.last_fault(&digest).unwrap();
    assert_eq!(
        case.fault,
        "trapped: wasm `unreachable` instruction executed, in `rank`"
    );
    let again = policy.program().ask(&case.input(), &case.params, None);
    assert_eq!(again.result.unwrap_err().to_string(), case.fault);

    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(ask().name(), "trap");
    assert_eq!(ask(), Fault::Quarantined);
    let text = bench.scrape();
    assert!(text.contains("faults_total{fault=\"trap\"} 4"), "{text}");
    assert!(text.contains("faults_total{fault=\"quarantined\"} 2"));
    assert!(text.contains("quarantined 1"));

    // Another policy is none the worse for it.
    let other = bench.ranker(&Guest::default());
    assert!(
        ready(other.rank(&question(Scope::User, 20)))
            .outcome
            .is_ok()
    );
}

#[test]
fn an_unsupported_scope_is_no_fault_of_the_policys() {
    let bench = Bench::new(config());
    let ranker = bench.ranker(&Guest::says(|manifest| manifest.scopes = vec![Scope::User]));
    for _ in 0..10 {
        let ranked = ready(ranker.rank(&question(Scope::Node, 20)));
        assert_eq!(ranked.outcome, Err(Fault::ScopeUnsupported));
    }
    assert!(
        ready(ranker.rank(&question(Scope::User, 20)))
            .outcome
            .is_ok()
    );
}

#[tokio::test]
async fn a_full_pool_answers_at_once() {
    let bench = Bench::new(Config {
        workers: 1,
        queue_max: 1,
        ..config()
    });
    let release = Arc::new(AtomicBool::new(false));
    let gate = release.clone();
    let (started, running) = std::sync::mpsc::sync_channel(1);
    let busy = move || {
        started.send(()).unwrap();
        while !gate.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let pool = &bench.runtime.0.pool;
    pool.submit(busy).unwrap();
    running.recv().unwrap();
    pool.submit(|| ()).unwrap();
    let ranker = bench.ranker(&Guest::default());
    let ranked = ready(ranker.rank(&question(Scope::Node, 20)));
    assert_eq!(ranked.outcome, Err(Fault::Saturated));
    release.store(true, Ordering::SeqCst);
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline() {
    let bench = Bench::new(Config {
        fuel_base: u64::MAX / 4,
        workers: 1,
        deadline: Duration::from_millis(30),
        deadline_large: Duration::from_millis(30),
        ..config()
    });
    let ranker = bench.ranker(&Guest::ranks(LOOP));
    let first = ranker.rank(&question(Scope::Node, 20));
    let queued = ranker.rank(&question(Scope::Node, 20));
    let deadline = Err(Fault::Deadline(Duration::from_millis(30)));
    assert_eq!(first.wait().await.outcome, deadline);
    assert_eq!(queued.wait().await.outcome, deadline);
}
