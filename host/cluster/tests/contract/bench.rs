//! A ledger whose clock the test moves, and what the tests of the contract say in short.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wastegate_cluster::ledger::{
    Columns, EnterAnswer, EnterAsk, Epoch, HeldEntry, KeyHash, Leases, Ledger, LedgerVictim, Life,
    NameHasher, PartState, Publication, ReassertAnswer, ReassertAsk, UserHash,
};
use wastegate_cluster::local::{LocalBackup, LocalLedger};
use wastegate_cluster::redis::{RedisLedger, StepForm};
use wastegate_cluster::shared::SharedDocument;
use wastegate_core::types::{Clock, ManagerId, ManagerKey, UserId};

use crate::engine::{Engine, Kind};

/// When the virtual clocks begin, ms: not at zero, which would hide mistakes.
const BEGIN_MS: u64 = 1_000_000;
/// The body of the engine's clock in tests.
const CLOCK: &str = "return tonumber(redis.call('GET', 'clock'))";

/// A ledger and its clock.
pub(crate) struct Bench {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) shared: Arc<dyn SharedDocument>,
    backend: Backend,
    now: AtomicU64,
}

enum Backend {
    Local(Clock, Arc<LocalLedger>),
    Engine(Engine),
}

/// What a user held at one moment.
pub(crate) enum Kept {
    Local(LocalBackup),
    Engine(String, Option<Vec<u8>>),
}

impl Bench {
    pub(crate) async fn local() -> Self {
        let clock = Clock::manual();
        let ledger = LocalLedger::new(clock.clone(), Leases::default());
        let backend = Backend::Local(clock, ledger.clone());
        Self::new(ledger.clone(), ledger, backend).await
    }

    pub(crate) async fn engine(kind: Kind, form: StepForm) -> Self {
        let engine = Engine::start(kind).await;
        let ledger = RedisLedger::with_clock(&engine.settings(form), Some(CLOCK)).unwrap();
        Self::new(ledger.clone(), ledger, Backend::Engine(engine)).await
    }

    async fn new(
        ledger: Arc<dyn Ledger>,
        shared: Arc<dyn SharedDocument>,
        backend: Backend,
    ) -> Self {
        let bench = Self {
            ledger,
            shared,
            backend,
            now: AtomicU64::new(0),
        };
        bench.advance(Duration::from_millis(BEGIN_MS)).await;
        bench
    }

    /// Moves the ledger's clock.
    pub(crate) async fn advance(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap();
        let now = self.now.fetch_add(by_ms, Ordering::Relaxed) + by_ms;
        match &self.backend {
            Backend::Local(clock, _) => clock.advance(by),
            Backend::Engine(engine) => {
                engine
                    .ask::<()>(&["SET", "clock", &now.to_string()])
                    .await
                    .unwrap();
            }
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// What a user holds, to be put back.
    pub(crate) async fn keep(&self, user: UserHash) -> Kept {
        match &self.backend {
            Backend::Local(_, ledger) => Kept::Local(ledger.backup()),
            Backend::Engine(engine) => {
                let key = format!("wg1:{{{user}}}m");
                let bytes = engine.ask(&["DUMP", &key]).await.unwrap();
                Kept::Engine(key, bytes)
            }
        }
    }

    /// Loses what was written since.
    pub(crate) async fn lose_since(&self, kept: &Kept) {
        match (&self.backend, kept) {
            (Backend::Local(_, ledger), Kept::Local(held)) => ledger.fail_over(held.clone()),
            (Backend::Engine(engine), Kept::Engine(key, bytes)) => {
                let client = redis::Client::open(engine.address().reveal()).unwrap();
                let mut connection = client.get_multiplexed_async_connection().await.unwrap();
                let mut both = redis::pipe();
                both.cmd("DEL").arg(key);
                if let Some(bytes) = bytes {
                    both.cmd("RESTORE").arg(key).arg(0).arg(bytes.as_slice());
                }
                both.exec_async(&mut connection).await.unwrap();
            }
            _ => unreachable!("kept by this bench"),
        }
    }

    /// Enters, within its time.
    pub(crate) async fn enter(
        &self,
        user: UserHash,
        life: Life,
        key: KeyHash,
        limit: u32,
    ) -> EnterAnswer {
        self.ask(user, &self.asking(life, key, limit)).await
    }

    pub(crate) fn asking(&self, life: Life, key: KeyHash, limit: u32) -> EnterAsk {
        EnterAsk {
            key,
            life,
            limit,
            not_after_ms: self.now_ms() + 250,
            dead: Arc::default(),
            victims: vec![],
        }
    }

    pub(crate) async fn ask(&self, user: UserHash, ask: &EnterAsk) -> EnterAnswer {
        self.ledger.enter(user, ask).await.unwrap().answer
    }

    /// Enters and publishes.
    pub(crate) async fn settle(&self, user: UserHash, life: Life, key: KeyHash, limit: u32) {
        let entered = self.enter(user, life, key, limit).await;
        assert!(
            matches!(entered, EnterAnswer::Entered { .. }),
            "{entered:?}"
        );
        assert_eq!(self.publish(user, life, key).await, []);
    }

    pub(crate) async fn publish(&self, user: UserHash, life: Life, key: KeyHash) -> Vec<KeyHash> {
        let parts = [publication(key, life.manager)];
        let published = self.ledger.publish(user, life.epoch, &parts).await;
        published.unwrap().answer.lost
    }

    pub(crate) async fn leave(&self, user: UserHash, life: Life, key: KeyHash) -> bool {
        self.ledger
            .leave(user, key, life)
            .await
            .unwrap()
            .answer
            .gone
    }

    /// What lives, above the limit if need be.
    pub(crate) async fn reassert(
        &self,
        user: UserHash,
        lives: &[(Life, KeyHash)],
        limit: u32,
    ) -> ReassertAnswer {
        let ask = ReassertAsk {
            epoch: lives[0].0.epoch,
            limit,
            not_after_ms: self.now_ms() + 250,
            dead: Arc::default(),
            parts: lives
                .iter()
                .map(|(life, key)| publication(*key, life.manager))
                .collect(),
        };
        self.ledger.reassert(user, &ask).await.unwrap().answer
    }

    /// What holds, with the lives of each.
    pub(crate) async fn held(&self, user: UserHash, dead: &[Epoch]) -> Vec<(KeyHash, Vec<Life>)> {
        let read = self.ledger.read(user, 0, dead).await.unwrap().answer;
        read.entries
            .iter()
            .map(|entry| (entry.key, entry.lives()))
            .collect()
    }
}

pub(crate) fn user(name: &str) -> UserHash {
    hasher().user(&UserId::new(name).unwrap())
}

pub(crate) fn key(name: &str) -> KeyHash {
    hasher().key(
        &UserId::new("ann").unwrap(),
        &ManagerKey::new(name).unwrap(),
    )
}

fn hasher() -> NameHasher {
    NameHasher::new("the secret of the tests").unwrap()
}

/// Epochs have bytes that mean something in Lua, in keys and in text.
pub(crate) fn epoch(node: u8) -> Epoch {
    Epoch::from_bytes([node, 0, b'}', b'\r', b'\n', 0xff, b'%', node])
}

pub(crate) fn life(node: u8, manager: u64) -> Life {
    Life {
        epoch: epoch(node),
        manager: ManagerId::from_raw(manager),
    }
}

pub(crate) fn victim(entry: &HeldEntry) -> LedgerVictim {
    LedgerVictim {
        key: entry.key,
        lives: entry.lives(),
    }
}

pub(crate) fn publication(key: KeyHash, manager: ManagerId) -> Publication {
    Publication {
        key,
        manager,
        state: PartState::NEWBORN,
        columns: Columns::default(),
    }
}

/// One test for each ledger.
macro_rules! contract {
    ($($(#[$doc:meta])* async fn $name:ident($bench:ident) $body:block)*) => {
        $(
            mod $name {
                use super::*;
                use crate::bench::Bench;
                use crate::engine::Kind;
                use wastegate_cluster::redis::StepForm;

                $(#[$doc])*
                async fn holds($bench: Bench) $body

                #[tokio::test]
                async fn local() {
                    holds(Bench::local().await).await;
                }

                #[tokio::test]
                async fn redis() {
                    holds(Bench::engine(Kind::Redis, StepForm::Best).await).await;
                }

                #[tokio::test]
                async fn redis_by_scripts() {
                    holds(Bench::engine(Kind::Redis, StepForm::Scripts).await).await;
                }

                #[tokio::test]
                async fn valkey() {
                    holds(Bench::engine(Kind::Valkey, StepForm::Best).await).await;
                }
            }
        )*
    };
}
pub(crate) use contract;
