//! Random lives of one user against the model: entering, leaving, taking over, running out, nodes that die,
//! writes that are lost, calls that come twice and late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wastegate_cluster::ledger::{
    EnterAnswer, EnterAsk, Epoch, KeyHash, Leases, LedgerVictim, Life, ReassertAsk, UserHash,
};
use wastegate_cluster::redis::StepForm;
use wastegate_core::types::ManagerId;

use crate::bench::{Bench, Kept, key, publication, user};
use crate::engine::Kind;
use crate::model::Model;

#[derive(Debug, Clone)]
enum Op {
    /// A new manager of a key on a node, with so many of those seen as victims, the first from `at` on.
    Enter {
        node: usize,
        key: u8,
        victims: usize,
        at: usize,
    },
    /// The same call again, as it was.
    Again {
        call: usize,
    },
    Leave {
        call: usize,
    },
    Publish {
        call: usize,
    },
    /// A node asserts what it entered, from one call on.
    Reassert {
        call: usize,
        count: usize,
    },
    Advance(u64),
    Die {
        node: usize,
    },
    /// Everybody looks.
    Look,
    Keep,
    Lose,
}

const NODES: usize = 4;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..NODES, 0u8..7, 0usize..3, 0usize..5)
            .prop_map(|(node, key, victims, at)| Op::Enter { node, key, victims, at }),
        3 => (0usize..8).prop_map(|call| Op::Again { call }),
        3 => (0usize..8).prop_map(|call| Op::Leave { call }),
        4 => (0usize..8).prop_map(|call| Op::Publish { call }),
        1 => (0usize..8, 1usize..4).prop_map(|(call, count)| Op::Reassert { call, count }),
        3 => prop_oneof![Just(1), Just(200), Just(251), Just(9_999), Just(10_000), Just(600_000)].prop_map(Op::Advance),
        1 => (0..NODES).prop_map(|node| Op::Die { node }),
        3 => Just(Op::Look),
        1 => Just(Op::Keep),
        1 => Just(Op::Lose),
    ]
}

/// One user's life.
struct Machine<'a> {
    bench: &'a Bench,
    user: UserHash,
    limit: u32,
    leases: Leases,
    model: Model,
    /// The lives of the nodes now, and how many deaths each knows of.
    nodes: [(Epoch, usize); NODES],
    lives: u64,
    calls: Vec<EnterAsk>,
    /// What the last refusal showed.
    seen: Vec<LedgerVictim>,
    kept: Option<(Kept, Model)>,
}

/// A life that no node had before.
fn next_epoch(lives: &mut u64) -> Epoch {
    *lives += 1;
    Epoch::from_bytes(lives.to_be_bytes())
}

impl<'a> Machine<'a> {
    fn new(bench: &'a Bench, user: UserHash, limit: u32) -> Self {
        let mut lives = 0;
        Self {
            bench,
            user,
            limit,
            leases: Leases::default(),
            model: Model {
                now_ms: bench.now_ms(),
                ..Model::default()
            },
            nodes: std::array::from_fn(|_| (next_epoch(&mut lives), 0)),
            lives,
            calls: vec![],
            seen: vec![],
            kept: None,
        }
    }

    /// The call that is so many back.
    fn call(&self, back: usize) -> Option<(Life, KeyHash)> {
        let call = self.calls.iter().rev().nth(back)?;
        Some((call.life, call.key))
    }

    async fn enter(&mut self, ask: &EnterAsk) {
        let answer = self.bench.ask(self.user, ask).await;
        if let EnterAnswer::Full { entries, .. } = &answer {
            let seen = entries.iter().map(|it| LedgerVictim {
                key: it.key,
                lives: it.lives(),
            });
            self.seen = seen.collect();
        }
        self.model.entered(ask, &answer, &self.leases);
    }

    async fn step(&mut self, op: Op) {
        match op {
            Op::Enter {
                node,
                key: name,
                victims,
                at,
            } => {
                let (epoch, known) = &mut self.nodes[node];
                // News of deaths come late, and never go.
                *known = (*known + victims).min(self.model.dead.len());
                let seen = self
                    .seen
                    .iter()
                    .cycle()
                    .skip(at)
                    .take(victims.min(self.seen.len()));
                let ask = EnterAsk {
                    key: key(&name.to_string()),
                    life: Life {
                        epoch: *epoch,
                        manager: ManagerId::from_raw(self.calls.len() as u64 + 1),
                    },
                    limit: self.limit,
                    not_after_ms: self.model.now_ms + 250,
                    dead: self.model.dead[..*known].into(),
                    victims: seen.cloned().collect(),
                };
                self.calls.push(ask.clone());
                self.enter(&ask).await;
            }
            Op::Again { call } => {
                if let Some(ask) = self.calls.iter().rev().nth(call).cloned() {
                    self.enter(&ask).await;
                }
            }
            Op::Leave { call } => {
                if let Some((life, key)) = self.call(call) {
                    let gone = self.bench.leave(self.user, life, key).await;
                    self.model.left(key, life, gone);
                }
            }
            Op::Publish { call } => {
                if let Some((life, key)) = self.call(call) {
                    let lost = self.bench.publish(self.user, life, key).await;
                    self.model
                        .published(key, life, !lost.is_empty(), &self.leases);
                }
            }
            Op::Reassert { call, count } => {
                let Some((Life { epoch, .. }, _)) = self.call(call) else {
                    return;
                };
                let own = self
                    .calls
                    .iter()
                    .rev()
                    .skip(call)
                    .filter(|ask| ask.life.epoch == epoch);
                let parts = own
                    .take(count)
                    .map(|ask| publication(ask.key, ask.life.manager))
                    .collect();
                let ask = ReassertAsk {
                    epoch,
                    limit: self.limit,
                    not_after_ms: self.model.now_ms + 250 * (count as u64 - 1),
                    dead: Arc::default(),
                    parts,
                };
                let answer = self
                    .bench
                    .ledger
                    .reassert(self.user, &ask)
                    .await
                    .unwrap()
                    .answer;
                self.model.reasserted(&ask, answer, &self.leases);
            }
            Op::Advance(ms) => {
                self.bench.advance(Duration::from_millis(ms)).await;
                self.model.now_ms += ms;
            }
            Op::Die { node } => {
                self.model.dead.push(self.nodes[node].0);
                self.nodes[node] = (next_epoch(&mut self.lives), self.model.dead.len());
            }
            Op::Look => self.look().await,
            Op::Keep => self.kept = Some((self.bench.keep(self.user).await, self.model.clone())),
            Op::Lose => {
                if let Some((kept, model)) = &self.kept {
                    self.bench.lose_since(kept).await;
                    self.model.lose_since(model.members());
                }
            }
        }
    }

    /// The ledger holds exactly what the model does.
    async fn look(&mut self) {
        let read = self
            .bench
            .ledger
            .read(self.user, self.limit, &self.model.dead)
            .await;
        let entries = read.unwrap().answer.entries;
        let held: Vec<_> = entries
            .iter()
            .map(|entry| (entry.key, entry.lives()))
            .collect();
        assert_eq!(held, self.model.held());
        let parts = entries.iter().flat_map(|entry| &entry.parts);
        let provisional: Vec<bool> = parts.map(|part| part.provisional).collect();
        assert_eq!(provisional, self.model.provisional());
        self.model.looked();
    }
}

/// Runs so many lives, each of a user of its own.
fn run(bench: impl AsyncFn() -> Bench, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let bench = runtime.block_on(bench());
    let users = AtomicU32::new(0);
    let config = Config {
        cases,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..Config::default()
    };
    let lives = (1u32..5, vec(op(), 1..80));
    TestRunner::new(config)
        .run(&lives, |(limit, ops)| {
            let name = format!("user {}", users.fetch_add(1, Ordering::Relaxed));
            let mut machine = Machine::new(&bench, user(&name), limit);
            runtime.block_on(async {
                for op in ops {
                    machine.step(op).await;
                }
                machine.look().await;
            });
            Ok(())
        })
        .unwrap();
    assert!(users.load(Ordering::Relaxed) >= cases);
}

#[test]
fn the_ledger_in_memory_does_as_the_model() {
    run(Bench::local, 1_000);
}

#[test]
fn redis_does_as_the_model() {
    run(
        async || Bench::engine(Kind::Redis, StepForm::Best).await,
        96,
    );
}

#[test]
fn valkey_does_as_the_model() {
    run(
        async || Bench::engine(Kind::Valkey, StepForm::Best).await,
        96,
    );
}
