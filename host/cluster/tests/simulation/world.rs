//! The world of the simulation: nodes, clients, faults and the checkers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use wastegate_cluster::ledger::{
    EnterAnswer, EnterAsk, Epoch, HeldEntry, KeyHash, Leases, Ledger, LedgerVictim, Life,
    NodeCommand, NodeMessage, NodeOrder, ReassertAnswer, UserHash,
};
use wastegate_cluster::local::{LocalBackup, LocalLedger};
use wastegate_core::types::{Clock, ManagerId, SplitMix64, Tier, Timestamp};

use crate::node::{BUDGET, Node};
use crate::seen::{Seen, Weather};

const NODES: usize = 3;
const LIMIT: u32 = 4;
const KEYS: u64 = 9;
/// One round of the world.
const TICK: Duration = Duration::from_millis(100);
/// Every so many rounds a node beats and reads, and publishes.
const BEAT_TICKS: u64 = 10;
const PUBLISH_TICKS: u64 = 30;

/// A call that is carried out later than it was sent.
struct Delayed {
    at: Timestamp,
    ask: EnterAsk,
}

pub(crate) struct World {
    seed: u64,
    random: SplitMix64,
    clock: Clock,
    ledger: Arc<LocalLedger>,
    user: UserHash,
    nodes: Vec<Node>,
    managers: u64,
    delayed: Vec<Delayed>,
    /// How far the ledger may be above its limit: what was asserted, and what it was before.
    allowed: usize,
    backup: LocalBackup,
    evicted: BTreeSet<Life>,
    pub(crate) seen: Seen,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let clock = Clock::manual();
        let ledger = LocalLedger::new(clock.clone(), Leases::default());
        let nodes = (0..NODES).map(|name| Node::new(name, epoch(&mut random)));
        Self {
            seed,
            user: UserHash::from_bytes([7; 16]),
            nodes: nodes.collect(),
            backup: ledger.backup(),
            random,
            clock,
            ledger,
            managers: 0,
            delayed: vec![],
            allowed: 0,
            evicted: BTreeSet::new(),
            seen: Seen::default(),
        }
    }

    fn chance(&mut self, of: u64) -> bool {
        self.random.next().is_multiple_of(of)
    }

    fn pick(&mut self, below: u64) -> u64 {
        self.random.next() % below
    }

    /// Lives for so long.
    pub(crate) async fn live(&mut self, lasting: Duration, weather: Weather) {
        let faults = weather == Weather::Storm;
        let end = self.clock.now().after(lasting);
        let mut tick = 0;
        while self.clock.now() < end {
            self.clock.advance(TICK);
            tick += 1;
            if faults {
                self.fail();
            }
            self.carry_delayed().await;
            for node in 0..NODES {
                if self.nodes[node].is_frozen(self.clock.now()) {
                    continue;
                }
                if (tick + node as u64).is_multiple_of(BEAT_TICKS) {
                    self.beat(node, faults).await;
                    self.read(node).await;
                }
                self.leave(node, faults).await;
                if (tick + node as u64).is_multiple_of(PUBLISH_TICKS) {
                    self.publish(node, faults).await;
                }
                match self.pick(4) {
                    _ if weather == Weather::Calm => {}
                    0 => self.admit(node, faults).await,
                    1 => self.end(node),
                    _ => {}
                }
            }
            self.shrink().await;
            self.check().await;
        }
    }

    fn fail(&mut self) {
        let (now, node) = (self.clock.now(), self.pick(NODES as u64) as usize);
        let for_ms = Duration::from_millis(self.pick(12_000));
        if self.chance(120) {
            self.nodes[node].frozen_until = Some(now.after(for_ms));
        }
        if self.chance(120) {
            self.nodes[node].cut_until = Some(now.after(for_ms));
        }
        if self.chance(250) {
            // Killed, and started again under its name: its sockets are gone, the ledger does not know yet.
            self.nodes[node] = Node::new(node, epoch(&mut self.random));
        }
        if self.chance(20) {
            self.backup = self.ledger.backup();
        }
        if self.chance(250) {
            self.seen.lost_writes += 1;
            self.ledger.fail_over(self.backup.clone());
            self.allowed = NODES * KEYS as usize;
        }
    }

    /// Whether a call is sent at all, and whether its answer comes back.
    fn way(&mut self, node: usize, faults: bool) -> (bool, bool) {
        let cut = faults && self.nodes[node].is_cut(self.clock.now());
        (
            !(cut || faults && self.chance(25)),
            !(faults && self.chance(25)),
        )
    }

    async fn beat(&mut self, node: usize, faults: bool) {
        let (sent, answered) = self.way(node, faults);
        let now = self.clock.now();
        if !sent {
            return;
        }
        let beat = self.nodes[node].membership.beat();
        let answer = self.ledger.beat(&beat).await.unwrap();
        if !answered {
            return;
        }
        let next = epoch(&mut self.random);
        let node = &mut self.nodes[node];
        let news = node.membership.answered(answer, now, now, next);
        self.seen.deaths += u64::from(node.membership.epoch() == next);
        node.reassert |= news.reassert.is_some();
        if node.reassert && node.membership.is_live(now) {
            let Some(ask) = node.reassertion(LIMIT, now) else {
                return;
            };
            let answer = self.ledger.reassert(self.user, &ask).await.unwrap().answer;
            let ReassertAnswer::Asserted { held, over } = answer else {
                return;
            };
            node.reassert = false;
            self.seen.reasserted += 1;
            self.seen.over += u64::from(over > 0);
            self.allowed = self.allowed.max(held as usize);
            let parts = node.publications();
            let _ = self.ledger.publish(self.user, ask.epoch, &parts).await;
        }
    }

    async fn publish(&mut self, node: usize, faults: bool) {
        let (sent, _) = self.way(node, faults);
        let node = &mut self.nodes[node];
        let parts = node.publications();
        if sent && node.membership.is_live(self.clock.now()) {
            let epoch = node.membership.epoch();
            let answer = self.ledger.publish(self.user, epoch, &parts).await;
            node.reassert |= !answer.unwrap().answer.lost.is_empty();
        }
    }

    async fn leave(&mut self, node: usize, faults: bool) {
        for (key, life) in std::mem::take(&mut self.nodes[node].leaving) {
            let (sent, answered) = self.way(node, faults);
            if sent {
                let _ = self.ledger.leave(self.user, key, life).await;
            }
            if !(sent && answered) {
                self.nodes[node].leaving.push((key, life));
            }
        }
    }

    /// Commands: what has left the ledger closes here.
    async fn read(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if node.is_cut(self.clock.now()) {
            return;
        }
        let epoch = node.membership.epoch();
        let inbox = self.ledger.receive(epoch, &node.read, Duration::ZERO).await;
        let inbox = inbox.unwrap().answer;
        for message in inbox.messages {
            let NodeMessage::Command(command) = message else {
                continue;
            };
            if node.here.get(&command.key) == Some(&command.life.manager) {
                node.here.remove(&command.key);
                // What was re-asserted meanwhile goes too.
                node.leaving.push((command.key, command.life));
                assert!(self.evicted.insert(command.life), "a fence acted twice");
            }
        }
        node.read = inbox.read;
    }

    /// A client's manager ends.
    fn end(&mut self, node: usize) {
        let place = self.pick(KEYS) as usize;
        let node = &mut self.nodes[node];
        if let Some((&key, &manager)) = node.here.iter().nth(place) {
            node.here.remove(&key);
            let epoch = node.membership.epoch();
            node.leaving.push((key, Life { epoch, manager }));
        }
    }

    /// A client wants a manager.
    async fn admit(&mut self, at: usize, faults: bool) {
        let key = KeyHash::from_bytes([self.pick(KEYS) as u8; 16]);
        let now = self.clock.now();
        if self.nodes[at].here.contains_key(&key) {
            return;
        }
        self.managers += 1;
        let manager = ManagerId::from_raw(self.managers);
        let membership = &self.nodes[at].membership;
        let Ok(mut ask) = membership.enter((key, manager), LIMIT, vec![], BUDGET, now) else {
            return;
        };
        for _ in 0..2 {
            let (sent, answered) = self.way(at, faults);
            if !sent || !answered {
                // The client of the ledger gives up. It takes the call back; the call may come later all the same.
                self.seen.lost_answers += 1;
                let late = Duration::from_millis(self.pick(600));
                self.delayed.push(Delayed {
                    at: now.after(late),
                    ask: ask.clone(),
                });
                self.nodes[at].leaving.push((key, ask.life));
                return;
            }
            match self.ledger.enter(self.user, &ask).await.unwrap().answer {
                EnterAnswer::Entered { taken, .. } => {
                    self.seen.entered += 1;
                    self.nodes[at].here.insert(key, manager);
                    self.evict(&ask.victims[..taken]).await;
                    return;
                }
                EnterAnswer::Full { entries, .. } => {
                    self.seen.full += 1;
                    ask.victims = self.victims(&entries, LIMIT as usize);
                }
                other => panic!("seed {}: {other:?}", self.seed),
            }
        }
    }

    /// Who leaves so that one more has room: any of them, as good as another here.
    fn victims(&mut self, entries: &[HeldEntry], limit: usize) -> Vec<LedgerVictim> {
        let needed = (entries.len() + 1).saturating_sub(limit);
        let first = self.pick(entries.len() as u64) as usize;
        let chosen = entries.iter().cycle().skip(first).take(needed);
        let victim = |entry: &HeldEntry| LedgerVictim {
            key: entry.key,
            lives: entry.lives(),
        };
        chosen.map(victim).collect()
    }

    async fn evict(&mut self, victims: &[LedgerVictim]) {
        for victim in victims {
            self.seen.taken += 1;
            for life in &victim.lives {
                let command = NodeMessage::Command(NodeCommand {
                    asker: life.epoch,
                    number: 0,
                    user: self.user,
                    key: victim.key,
                    life: *life,
                    order: NodeOrder::Evict {
                        tier: Tier::Force,
                        answering: true,
                        past_pin: false,
                    },
                });
                // Each command comes twice.
                for _ in 0..2 {
                    let _ = self.ledger.send(life.epoch, &command).await;
                }
            }
        }
    }

    /// What was given up arrives after all.
    async fn carry_delayed(&mut self) {
        let now = self.clock.now();
        let (due, later) = std::mem::take(&mut self.delayed)
            .into_iter()
            .partition(|call: &Delayed| call.at <= now);
        self.delayed = later;
        for call in due {
            let answer = self
                .ledger
                .enter(self.user, &call.ask)
                .await
                .unwrap()
                .answer;
            self.seen.late += u64::from(answer == EnterAnswer::Late);
            // One that is carried out was taken back before or is taken back later; if it was before, it runs out.
        }
    }

    /// A surplus after re-assertions leaves, slowly.
    async fn shrink(&mut self) {
        let dead: Vec<Epoch> = vec![];
        let read = self.ledger.read(self.user, LIMIT, &dead).await.unwrap();
        let entries = read.answer.entries;
        if entries.len() > LIMIT as usize && self.chance(3) {
            let first = self.pick(entries.len() as u64) as usize;
            let entry = &entries[first];
            for part in &entry.parts {
                let _ = self.ledger.leave(self.user, entry.key, part.life).await;
            }
            let victim = LedgerVictim {
                key: entry.key,
                lives: entry.lives(),
            };
            self.evict(&[victim]).await;
        }
    }

    /// The ledger is at its limit at most, or above it by what was asserted and shrinks.
    async fn check(&mut self) {
        let read = self.ledger.read(self.user, LIMIT, &[]).await.unwrap();
        let held = read.answer.entries.len();
        assert!(
            held <= self.allowed.max(LIMIT as usize),
            "seed {}: {held} held, {} allowed",
            self.seed,
            self.allowed
        );
        self.allowed = held;
    }

    /// After a calm: what has sockets is in the ledger, and no user has more than its limit.
    pub(crate) fn is_well(&self) {
        let now = self.clock.now();
        let live = self.nodes.iter().all(|node| node.membership.is_live(now));
        assert!(live, "seed {}: a node is not in the cluster", self.seed);
        let parts = self.ledger.parts(self.user).into_iter();
        let held: BTreeSet<_> = parts.map(|(key, part)| (key, part.life)).collect();
        let mut here = BTreeSet::new();
        for node in &self.nodes {
            let epoch = node.membership.epoch();
            here.extend(node.here.iter().map(|(key, manager)| {
                (
                    *key,
                    Life {
                        epoch,
                        manager: *manager,
                    },
                )
            }));
        }
        let keys: BTreeSet<_> = here.iter().map(|(key, _)| key).collect();
        assert!(keys.len() <= LIMIT as usize, "seed {}: {here:?}", self.seed);
        let lacking: Vec<_> = here.difference(&held).collect();
        assert!(
            lacking.is_empty(),
            "seed {}: not in the ledger: {lacking:?}",
            self.seed
        );
    }
}

/// A life that no node had before.
fn epoch(random: &mut SplitMix64) -> Epoch {
    Epoch::from_bytes(random.next().to_be_bytes())
}
