//! Who is asked, on which thread, and what an answer comes with.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::registry::Registry;

use super::*;
use crate::policy::breaker::BreakerState;
use crate::policy::testing::{Guest, LOOP, config, question};
use crate::policy::{ActivePolicies, CallOptions, Deployed, Seat};
use crate::policy::{Config, Params, kit, load};
use wastegate_core::types::time::Clock;
use wastegate_core::types::{Limits, Scope, Tier};

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
        let params = good.params().clone();
        Arc::new(Policy::new(program, params, Limits::NODES, report))
    }

    /// The same as a revision.
    fn deployed(&self, number: u64, guest: &Guest) -> Deployed {
        Deployed {
            revision: RevisionId::new(number).unwrap(),
            policy: self.policy(guest),
        }
    }

    /// A catalog with those seats, and the ranker of the active policy.
    fn active(&self, active_policies: ActivePolicies) -> (Arc<Catalog>, PolicyRanker) {
        let engine = self.runtime.0.engine.clone();
        let catalog = Arc::new(Catalog::new(engine, &[], self.metrics.clone()));
        catalog.install(active_policies);
        let ranker = PolicyRanker::active(self.runtime.clone(), catalog.clone());
        (catalog, ranker)
    }

    fn ranker(&self, guest: &Guest) -> PolicyRanker {
        PolicyRanker::fixed(self.runtime.clone(), self.policy(guest))
    }

    fn scrape(&self) -> String {
        let mut registry = Registry::default();
        let engine = &self.runtime.0.engine;
        self.metrics.register(engine, &mut registry);
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
    assert!(text.contains("call_duration_seconds_count{scope=\"user\"} 1"));
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

#[test]
fn nobody_in_charge_is_the_builtin_ranking_and_tiers_are_apart() {
    let bench = Bench::new(config());
    let (catalog, ranker) = bench.active(ActivePolicies::default());
    let ranked = ready(ranker.rank(&question(Scope::User, 20)));
    assert_eq!((&*ranked.policy.name, ranked.revision), ("builtin", None));

    let seat = Seat::default().followed_by(bench.deployed(7, &Guest::default()));
    catalog.install(ActivePolicies::default().with([Tier::Force], &seat));
    let ranked = ready(ranker.rank(&question(Scope::User, 20)));
    let names = (&*ranked.policy.name, ranked.revision.unwrap().get());
    assert_eq!(names, ("largest", 7));
    let mut other = Question::clone(&question(Scope::User, 20));
    other.tier = Tier::Moderate;
    let ranked = ready(ranker.rank(&Arc::new(other)));
    assert_eq!(&*ranked.policy.name, "builtin");
    let text = bench.scrape();
    assert!(text.contains("revision{tier=\"force\"} 7"), "{text}");
    assert!(text.contains("revision{tier=\"moderate\"} 0"), "{text}");
}

/// Fails with that fault while it is armed by an odd limit: what a question is about decides.
fn moody() -> Guest {
    Guest::ranks(
        "(if (i32.and (local.get $limit) (i32.const 1)) (then (unreachable)))
        (call $answer (i32.const 0) (i32.const 0))",
    )
}

#[test]
fn a_policy_that_keeps_failing_is_left_alone_and_tried_in_shadow() {
    let bench = Bench::new(config());
    let ranker = bench.ranker(&moody());
    let mut changes = bench.runtime.breakers().changes();
    let Who::Fixed(policy) = ranker.who.clone() else {
        unreachable!()
    };
    let digest = policy.about().digest.clone();
    // At an odd limit it fails, at an even one it does not.
    let ask = |limit: u32| ready(ranker.rank(&question(Scope::User, limit))).outcome;
    for _ in 0..3 {
        assert_eq!(ask(21).unwrap_err().name(), "trap");
    }
    assert_eq!(ask(21), Err(Fault::Quarantined));
    let breakers = bench.runtime.breakers();
    let standing = || breakers.standing(&digest, bench.clock.now());
    assert_eq!(standing(), BreakerState::Open);
    assert_eq!(
        changes.blocking_recv().unwrap().why,
        "it failed 3 times in a row; the last time it trapped: wasm `unreachable` instruction executed, in `rank`"
    );

    // Its last input is at hand, and fails again.
    let case = breakers.last_fault(&digest).unwrap();
    assert_eq!(
        (case.decision, breakers.faults(&digest).len()),
        (Some(1), 3)
    );
    let again = policy.program().ask(
        &case.input(),
        &case.params,
        &CallOptions::default().within(case.limits),
    );
    let again = again.result.unwrap_err().to_string();
    assert_eq!(again, case.fault);

    // Whoever comes after the cool-down is no trial: the trial is beside it, and fails.
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(ask(21), Err(Fault::Quarantined));
    let mut next = || {
        let change = changes.blocking_recv().unwrap();
        (change.from, change.to)
    };
    assert_eq!(next(), (BreakerState::Open, BreakerState::HalfOpen));
    assert_eq!(next(), (BreakerState::HalfOpen, BreakerState::Open));

    // A cool-down later it is well again: three trials, and it answers in earnest.
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(ask(20), Err(Fault::Quarantined));
    assert_eq!(next(), (BreakerState::Open, BreakerState::HalfOpen));
    // A trial that has not ended yet puts the next one off.
    while let Err(fault) = ask(20) {
        assert_eq!(fault, Fault::Quarantined);
        std::thread::yield_now();
    }
    assert_eq!(next(), (BreakerState::HalfOpen, BreakerState::Closed));
    assert_eq!(standing(), BreakerState::Closed);

    let text = bench.scrape();
    assert!(text.contains("faults_total{fault=\"trap\"} 3"), "{text}");
    assert!(text.contains("trials_total{result=\"failed\"} 1"), "{text}");
    assert!(
        text.contains("trials_total{result=\"answered\"} 3"),
        "{text}"
    );
    // The worker says so after it has told the breaker.
    while !bench.scrape().contains("quarantined 0") {
        std::thread::yield_now();
    }

    // Another policy is none the worse for it.
    let other = bench.ranker(&Guest::default());
    let ranked = ready(other.rank(&question(Scope::User, 20)));
    assert!(ranked.outcome.is_ok());
}

#[test]
fn the_revision_before_takes_over_while_the_active_one_is_quarantined() {
    let bench = Bench::new(config());
    let before = Seat::default().followed_by(bench.deployed(1, &Guest::default()));
    let seat = before.followed_by(bench.deployed(2, &Guest::ranks("(unreachable)")));
    let (catalog, ranker) = bench.active(ActivePolicies::all(seat));
    let ask = || {
        let ranked = ready(ranker.rank(&question(Scope::User, 20)));
        (ranked.revision.unwrap().get(), ranked.outcome.map(drop))
    };
    for _ in 0..3 {
        let (revision, outcome) = ask();
        assert_eq!((revision, outcome.unwrap_err().name()), (2, "trap"));
    }
    for _ in 0..5 {
        assert_eq!(ask(), (1, Ok(())));
    }
    // With both quarantined the built-in ranking is left, in the name of the active one.
    let worse = catalog.active_policies().seat(Tier::Force).clone();
    let both = Seat {
        fallback: Some(bench.deployed(3, &moody())),
        ..worse
    };
    catalog.install(ActivePolicies::all(both));
    let odd = || ready(ranker.rank(&question(Scope::User, 21)));
    for _ in 0..3 {
        assert_eq!(odd().outcome.unwrap_err().name(), "trap");
    }
    let none = odd();
    assert_eq!(none.outcome, Err(Fault::Quarantined));
    assert_eq!(none.revision, RevisionId::new(2));
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
