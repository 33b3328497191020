//! Swap under fire: operators change policies over and over while clients come in at the limit.
//!
//! Nobody waits for a swap, nobody is turned away, and every decision was made by one revision that
//! was active when it was made. When it is over nothing of the retired ones is left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};
use wastegate_core::types::DecisionId;
use wastegate_engine::policy::ActivePolicies;
use wastegate_engine::policy::breaker::BreakerState;
use wastegate_tests::guests::{guest, shipped};
use wastegate_tests::harness::{BUDGET, Client, End, Program, Server, Setup, http, until};

use crate::cli::serve;
use crate::sleepers::AWAKE;

/// Seats that change hands in a run, at the least.
const SWAPS_MIN: usize = 100;
/// Users who come in at their limit all the while.
const USERS: usize = 4;
/// Revisions that stay compiled without a seat.
const WARM: usize = 2;
/// Seats of five tiers, those kept warm, one that is loaded, and one that each user's decision
/// still holds.
const PROGRAMS_MAX: usize = 2 * 5 + WARM + 1 + USERS;

/// A policy of its own for each number: the same code, another digest.
fn numbered(component: &[u8], number: usize) -> Vec<u8> {
    let name = b"number";
    let mut section = vec![u8::try_from(name.len()).unwrap()];
    section.extend_from_slice(name);
    section.extend_from_slice(&u64::try_from(number).unwrap().to_le_bytes());
    let mut bytes = component.to_vec();
    // A custom section, which means nothing to anybody.
    bytes.extend_from_slice(&[0, u8::try_from(section.len()).unwrap()]);
    bytes.extend_from_slice(&section);
    bytes
}

/// A user who comes in at the limit until it is over. How often that was.
async fn flood(server: &Server, user: &str, over: &AtomicBool) -> usize {
    let mut inside = server.fill(user, AWAKE).await;
    let mut admitted = 0;
    while !over.load(Ordering::SeqCst) {
        let dial = server.dial(user, &format!("n{admitted}"));
        let answer = dial.connect_timed().await;
        let (client, took) = answer.unwrap_or_else(|refusal| panic!("{user}: {refusal:?}"));
        assert!(took < BUDGET, "{client:?}: {took:?}");
        admitted += 1;
        server.attached(&client).await;
        let (stay, mut gone): (Vec<Client>, Vec<Client>) =
            inside.into_iter().partition(Client::is_open);
        for client in &mut gone {
            let end = client.ended().await;
            assert!(matches!(end, End::Closed { code: 4501, .. }), "{end:?}");
        }
        inside = stay;
        inside.push(client);
        assert!(server.held(user) <= u32::try_from(AWAKE).unwrap());
    }
    admitted
}

/// The numbers of the active one and of its fallback at each tier, mildest first; 0 is nobody.
type Seats = Vec<(&'static str, u64, u64)>;

/// What was active from some moment on, as the operator could know.
struct Epoch {
    seats: Seats,
    /// Before it was asked for.
    from_us: u64,
    /// Decisions with a higher number were made when this was active, or something later.
    surely_from: u64,
}

/// Everything that was ever active.
#[derive(Default)]
struct Notes {
    epochs: Vec<Epoch>,
    /// The digest of every revision that ever sat anywhere.
    digests: BTreeMap<u64, String>,
    /// Those that trap.
    bad: BTreeSet<u64>,
    /// Files that were not accepted.
    refused: usize,
}

struct Operator<'a> {
    server: &'a Server,
    notes: Notes,
    last: Arc<ActivePolicies>,
}

impl<'a> Operator<'a> {
    fn new(server: &'a Server) -> Self {
        let mut operator = Self {
            server,
            notes: Notes::default(),
            last: Arc::default(),
        };
        operator.look(0);
        operator
    }

    /// Notes which policy is active, if that has changed since it was last looked at.
    fn look(&mut self, from_us: u64) {
        let in_charge = self.server.catalog.active_policies();
        if Arc::ptr_eq(&in_charge, &self.last) {
            return;
        }
        let number = |deployed: &Option<wastegate_engine::policy::Deployed>| {
            deployed.as_ref().map_or(0, |d| d.revision.get())
        };
        let mut seats = Vec::new();
        for (tier, seat) in in_charge.seats() {
            seats.push((tier.name(), number(&seat.active), number(&seat.fallback)));
            for deployed in seat.deployed() {
                let digest = deployed.policy.about().digest.as_ref().to_owned();
                let number = deployed.revision.get();
                let known = self.notes.digests.entry(number).or_insert(digest.clone());
                assert_eq!(*known, digest, "revision {number} is one thing for ever");
            }
        }
        self.last = in_charge;
        self.notes.epochs.push(Epoch {
            seats,
            from_us,
            surely_from: DecisionId::next().raw(),
        });
    }

    /// Changes something, which has to go well.
    async fn change(&mut self, method: &str, path: &str, body: Value) -> Value {
        let from = self.server.now().micros();
        let reply = http::ask(self.server.admin, method, path, Some(&body)).await;
        assert_eq!(reply.status, 200, "{method} {path} {body}: {}", reply.body);
        self.look(from);
        reply.json()
    }

    /// Brings a file that is good. Its number.
    async fn bring(&mut self, name: &str, query: &str, bytes: &[u8]) -> u64 {
        let from = self.server.now().micros();
        let reply = self.server.upload(name, query, bytes).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        self.look(from);
        reply.json()["revision"].as_u64().unwrap()
    }

    /// Brings a file that is refused, which changes nothing.
    async fn bring_broken(&mut self, name: &str, bytes: &[u8]) {
        let before = self.server.catalog.active_policies();
        let reply = self.server.upload(name, "activate=true", bytes).await;
        assert!((400..500).contains(&reply.status), "{}", reply.body);
        assert!(Arc::ptr_eq(&before, &self.server.catalog.active_policies()));
        self.notes.refused += 1;
    }

    /// Makes a policy active that traps whenever it is asked, until it is quarantined and the one
    /// before has answered for it.
    async fn put_up_with(&mut self, bytes: &[u8]) {
        self.bring("sleeper", "", bytes).await;
        let trap = json!({ "params": { "dream": 1.0 } });
        let set = self.change("PATCH", "/v1/policies/sleeper", trap).await;
        let number = set["revision"].as_u64().unwrap();
        self.notes.bad.insert(number);
        let mut events = self.server.events();
        let which = json!({ "revision": number });
        self.change("POST", "/v1/policies/sleeper/activate", which)
            .await;
        let breakers = &self.server.breakers;
        let digest = &self.notes.digests[&number];
        until("the bad one to be quarantined", || {
            breakers.standing(digest, self.server.now()) == BreakerState::Open
        })
        .await;
        loop {
            let decided = events.decided().await;
            let answered = decided.answer.revision.map(|revision| revision.get());
            if decided.answer.outcome.is_ok() && answered != Some(number) {
                break;
            }
        }
    }

    /// One round of everything that operators do, and that goes wrong for them.
    async fn round(&mut self, number: usize) {
        let nothing = || json!({});
        let lru = numbered(shipped("lru"), number);
        self.bring("lru", "activate=true", &lru).await;
        self.change("POST", "/v1/policies/fifo/activate", nothing())
            .await;
        self.bring_broken("lru", &lru[..lru.len() / 2]).await;
        self.bring_broken("traps", guest("traps")).await;
        let tier = json!({ "tier": "force" });
        self.change("POST", "/v1/policies/lru/activate", tier).await;
        self.change("POST", "/v1/policies/rollback", nothing())
            .await;
        let fuel = json!({ "limits": { "fuel_per_row": 1_000 + number } });
        self.change("PATCH", "/v1/policies/fifo", fuel).await;
        self.put_up_with(&numbered(guest("sleeper"), number)).await;
        self.change("POST", "/v1/policies/rollback", nothing())
            .await;
        self.change(
            "POST",
            "/v1/policies/disable",
            json!({ "tier": "proactive" }),
        )
        .await;
        // Back and forth between what is warm.
        for _ in 0..2 {
            for name in ["lru", "fifo"] {
                let path = format!("/v1/policies/{name}/activate");
                self.change("POST", &path, nothing()).await;
            }
        }
        let programs = self.server.catalog.engine().programs();
        assert!(programs <= PROGRAMS_MAX, "{programs} programs");
    }
}

/// Holds one record against what was active: it names one revision, which is one digest, and
/// which was active at its tier when the question was put, or stood in for one that fails.
fn held(record: &Value, notes: &Notes) -> Result<(), String> {
    let number = |key: &str| record[key].as_u64();
    let (id, now) = (number("id").unwrap(), number("now_us").unwrap());
    let revision = number("revision").unwrap_or(0);
    let policy = &record["policy"];
    let (key, known) = match notes.digests.get(&revision) {
        Some(digest) => ("digest", digest.as_str()),
        None => ("name", "builtin"),
    };
    if policy[key] != known {
        return Err(format!("revision {revision} is {known}"));
    }
    let known = |epoch: &&Epoch| epoch.surely_from < id;
    let first = notes.epochs.iter().take_while(known).count();
    let until = now + u64::try_from(BUDGET.as_micros()).unwrap();
    let possible = notes
        .epochs
        .iter()
        .skip(first.saturating_sub(1))
        .take_while(|epoch| epoch.from_us <= until);
    let seats: Vec<(u64, u64)> = possible
        .flat_map(|epoch| &epoch.seats)
        .filter(|(tier, ..)| record["tier"] == *tier)
        .map(|&(_, active, fallback)| (active, fallback))
        .collect();
    let may = |&(active, fallback): &(u64, u64)| {
        let stands_in = notes.bad.contains(&active) && fallback == revision;
        active == revision || stands_in
    };
    if !seats.iter().any(may) {
        return Err(format!("{seats:?} were active and what they fell back to"));
    }
    let may_fail = notes.bad.contains(&revision);
    match record["fault"]["kind"].as_str() {
        None => Ok(()),
        Some("trap" | "quarantined") if may_fail => Ok(()),
        Some(fault) => Err(format!("a fault: {fault}")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d18_swaps_under_fire_cost_nobody_anything_and_every_decision_has_one_author() {
    let server = Setup::new()
        .limit(u32::try_from(AWAKE).unwrap())
        .short_goodbyes()
        .journal()
        .with(|config| {
            config.admission.rate_max = 1_000_000;
            config.rollout.warm_max = WARM;
        })
        .start()
        .await;
    let over = AtomicBool::new(false);
    let users: Vec<String> = (0..USERS).map(|number| format!("user{number}")).collect();
    let flood = join_all(users.iter().map(|user| flood(&server, user, &over)));
    let operate = async {
        let mut operator = Operator::new(&server);
        for number in 0.. {
            operator.round(number).await;
            if operator.notes.epochs.len() > SWAPS_MIN {
                break;
            }
        }
        over.store(true, Ordering::SeqCst);
        operator
    };
    let (admitted, mut operator) = tokio::join!(flood, operate);
    let swaps = operator.notes.epochs.len() - 1;
    let (refused, bad) = (operator.notes.refused, operator.notes.bad.len());
    println!("{swaps} swaps, {refused} files refused, {bad} quarantined, admitted: {admitted:?}");
    assert!(swaps >= SWAPS_MIN && bad >= 5 && refused >= 10);

    // With nobody active only what is kept warm stays, once the last decision lets go.
    operator
        .change("POST", "/v1/policies/disable", json!({}))
        .await;
    let Operator { notes, last, .. } = operator;
    drop(last);
    let engine = server.catalog.engine().clone();
    until("retired policies to go", || engine.programs() <= WARM).await;

    let records = server.stop().await.decisions;
    for record in &records {
        if let Err(why) = held(record, &notes) {
            panic!("{why}: {record}");
        }
    }
    // One that names a revision of long ago would be found out.
    let mut forged = records.last().unwrap().clone();
    forged["revision"] = json!(1);
    forged["policy"]["digest"] = json!(notes.digests[&1]);
    assert!(held(&forged, &notes).is_err(), "{forged}");

    let evicted = |record: &Value| record["victims"].as_array().map_or(0, Vec::len);
    let evictions: usize = records.iter().map(evicted).sum();
    assert_eq!(evictions, admitted.iter().sum::<usize>(), "each once");
    let answered: BTreeSet<u64> = records
        .iter()
        .filter_map(|record| record["revision"].as_u64())
        .collect();
    println!(
        "{} decisions, by {} revisions",
        records.len(),
        answered.len()
    );
    assert!(answered.len() > swaps / 10, "the flood met the swaps");
}

/// What a process has mapped to run: regions and bytes, of which compiled policies are a part.
fn code(program: &Program) -> (usize, u64) {
    let maps = program.maps();
    let sizes = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let size = u64::from_str_radix(to, 16).ok()? - u64::from_str_radix(from, 16).ok()?;
        rest.get(..4)?.contains('x').then_some(size)
    });
    let sizes: Vec<u64> = sizes.collect();
    (sizes.len(), sizes.iter().sum())
}

/// For the whole process: thirty policies one after another take no more room than the last few.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compiled_code_of_retired_policies_is_given_back() {
    let (program, _, admin) = serve().await;
    let policies = async |from: usize, to: usize| {
        for number in from..to {
            let bytes = numbered(shipped("lru"), number);
            let reply = http::put(admin, "/v1/policies/lru?activate=true", &[], &bytes).await;
            assert_eq!(reply.status, 201, "{}", reply.body);
        }
    };
    // As many as can be kept: in a seat, as its fallback, warm.
    policies(0, 8).await;
    let programs = async || {
        let metrics = http::ask(admin, "GET", "/metrics", None).await.body;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("wastegate_policy_programs "));
        line.unwrap().parse::<usize>().unwrap()
    };
    let (few, before) = (programs().await, code(&program));
    assert!((2..8).contains(&few), "{few}");
    policies(8, 38).await;
    assert_eq!(programs().await, few);
    let after = code(&program);
    println!("{few} programs: {before:?} regions and bytes of code, then {after:?}");
    // Each is two regions, one for each size of call; threads of the runtime come and go.
    assert!(after.0 <= before.0 + 4, "{before:?} {after:?}");
    assert!(after.1 <= before.1 + before.1 / 20, "{before:?} {after:?}");
}
