//! What the ledger costs an engine: processor time of each step, bytes of a manager, and renewing 100,000.
//!
//! `cargo run -p wastegate-cluster --features redis --example cost -- redis://127.0.0.1:PORT` on an engine with
//! nothing in it. It reads the engine's own times (`INFO cpu`, `INFO memory`), which do not depend on how this
//! program was built.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a program for developers"
)]

use std::sync::Arc;

use futures_util::StreamExt as _;
use wastegate_cluster::ledger::{
    Beat, BeatMode, Columns, EnterAnswer, EnterAsk, Epoch, KeyHash, Leases, Ledger, Life, NodeName,
    NodeNote, PartState, Publication, UserHash,
};
use wastegate_cluster::redis::{EngineAddress, RedisLedger, RedisSettings, StepForm};
use wastegate_core::types::{ManagerId, Secret, Signal, SignalRow};

/// Managers in all.
const MANAGERS: u32 = 100_000;
/// How many calls are on their way at a time.
const CONCURRENT: usize = 64;
/// How many signals a published row has.
const SIGNALS: usize = 8;
/// How often all are renewed in one measurement.
const ROUNDS: u32 = 2;
/// How often a manager is renewed, s: a third of its lease.
const RENEWED_EVERY: f64 = 180.0;

struct Meter(redis::aio::MultiplexedConnection);

impl Meter {
    async fn figure(&mut self, section: &str, name: &str) -> f64 {
        let mut ask = redis::cmd("INFO");
        let text: String = ask.arg(section).query_async(&mut self.0).await.unwrap();
        let mut lines = text.lines();
        lines
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Seconds of processor time so far.
    async fn cpu(&mut self) -> f64 {
        self.figure("cpu", "used_cpu_user").await + self.figure("cpu", "used_cpu_sys").await
    }

    async fn bytes(&mut self) -> f64 {
        self.figure("memory", "used_memory").await
    }
}

fn user(number: u32) -> UserHash {
    let mut bytes = [0x5a; UserHash::BYTES];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    UserHash::from_bytes(bytes)
}

fn publication(number: u32) -> Publication {
    let mut bytes = [0xa5; KeyHash::BYTES];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    let mut row = SignalRow::default();
    Signal::ALL
        .iter()
        .for_each(|signal| row[*signal] = 12_345.0);
    Publication {
        key: KeyHash::from_bytes(bytes),
        manager: ManagerId::from_raw(u64::from(number)),
        state: PartState::from_code(2),
        columns: Columns::of(&row, &Signal::ALL[..SIGNALS]),
    }
}

fn ask(epoch: Epoch, number: u32, limit: u32) -> EnterAsk {
    let publication = publication(number);
    EnterAsk {
        key: publication.key,
        life: Life {
            epoch,
            manager: publication.manager,
        },
        limit,
        not_after_ms: 1 << 47,
        dead: Arc::default(),
        victims: vec![],
    }
}

/// Does something for so many numbers; returns how long the engine worked for each, µs.
async fn each<F: Future<Output = ()>>(
    meter: &mut Meter,
    count: u32,
    call: impl Fn(u32) -> F,
) -> f64 {
    let before = meter.cpu().await;
    futures_util::stream::iter(0..count)
        .for_each_concurrent(CONCURRENT, call)
        .await;
    (meter.cpu().await - before) * 1e6 / f64::from(count)
}

async fn measure(address: &Secret, form: StepForm, per_user: u32) {
    let settings = RedisSettings {
        address: EngineAddress::Server(address.clone()),
        prefix: format!("cost{per_user}{form:?}"),
        leases: Leases::default(),
        form,
    };
    let client = redis::Client::open(address.reveal()).unwrap();
    let mut meter = Meter(client.get_multiplexed_async_connection().await.unwrap());
    redis::cmd("FLUSHALL")
        .exec_async(&mut meter.0)
        .await
        .unwrap();
    let ledger = RedisLedger::new(&settings).unwrap();
    let epoch = Epoch::from_bytes(*b"a node's");
    let beat = Beat {
        name: NodeName::new("gateway-0").unwrap(),
        epoch,
        mode: BeatMode::Start,
        dead_after: std::time::Duration::from_secs(6),
        note: NodeNote::default(),
    };
    ledger.beat(&beat).await.unwrap();
    let empty = meter.bytes().await;
    let entering = each(&mut meter, MANAGERS, |number| {
        let (ledger, ask) = (&ledger, ask(epoch, number, per_user));
        async move {
            let entered = ledger
                .enter(user(number / per_user), &ask)
                .await
                .unwrap()
                .answer;
            assert!(
                matches!(entered, EnterAnswer::Entered { .. }),
                "{entered:?}"
            );
        }
    })
    .await;
    let users = MANAGERS / per_user;
    let mut renewing = 0.0;
    for _ in 0..ROUNDS {
        renewing += each(&mut meter, users, |number| {
            let parts: Vec<_> = (number * per_user..(number + 1) * per_user)
                .map(publication)
                .collect();
            let ledger = &ledger;
            async move {
                let known = ledger
                    .publish(user(number), epoch, &parts)
                    .await
                    .unwrap()
                    .answer;
                assert!(known.lost.is_empty());
            }
        })
        .await;
    }
    let renewing = renewing / f64::from(ROUNDS);
    let bytes = (meter.bytes().await - empty) / f64::from(MANAGERS);
    let again = each(&mut meter, MANAGERS, |number| {
        let (ledger, ask) = (&ledger, ask(epoch, number, per_user));
        async move { drop(ledger.enter(user(number / per_user), &ask).await.unwrap()) }
    })
    .await;
    let full = each(&mut meter, users, |number| {
        let (ledger, ask) = (&ledger, ask(epoch, MANAGERS + number, per_user));
        async move {
            let full = ledger.enter(user(number), &ask).await.unwrap().answer;
            assert!(matches!(full, EnterAnswer::Full { .. }));
        }
    })
    .await;
    let leaving = each(&mut meter, MANAGERS, |number| {
        let (ledger, ask) = (&ledger, ask(epoch, number, per_user));
        async move {
            let left = ledger
                .leave(user(number / per_user), ask.key, ask.life)
                .await
                .unwrap();
            assert!(left.answer.gone);
        }
    })
    .await;
    let beating = each(&mut meter, 10_000, |_| {
        let (ledger, beat) = (
            &ledger,
            Beat {
                mode: BeatMode::Live,
                ..beat.clone()
            },
        );
        async move { drop(ledger.beat(&beat).await.unwrap()) }
    })
    .await;
    let core = renewing * f64::from(users) / RENEWED_EVERY / 1e4;
    println!(
        "| {per_user} | {} | {entering:.1} | {again:.1} | {full:.1} | {leaving:.1} | {renewing:.1} | {core:.2} % | {bytes:.0} | {beating:.0} |",
        if ledger.has_functions() {
            "functions"
        } else {
            "scripts"
        },
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let address = std::env::args().nth(1);
    let address = Secret::new(address.expect("the address of an engine with nothing in it"));
    println!(
        "{MANAGERS} managers, {SIGNALS} signals each, {CONCURRENT} calls at a time. Processor time of the engine: µs a call\n"
    );
    println!(
        "| managers a user | steps as | enter | the same again | at the limit | leave | publish, a user | 100,000 renewed every 3 min, of a core | bytes a manager | beat |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for per_user in [1, 5, 20] {
        measure(&address, StepForm::Best, per_user).await;
    }
    measure(&address, StepForm::Scripts, 20).await;
}
