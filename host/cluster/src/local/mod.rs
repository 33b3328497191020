//! The ledger in memory: for one process, and for many nodes on one virtual clock.
//!
//! It answers like the one in Redis; the contract's tests hold both to that. Not here: anything that survives the
//! process.

mod nodes;
mod shared;
mod user;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use nodes::Nodes;
use user::User;
use wastegate_core::types::Clock;
use wastegate_core::types::time::whole_ms;

use crate::ledger::{
    Beat, BeatAnswer, BeatVerdict, EnterAnswer, EnterAsk, Epoch, Holdings, Inbox, KeyHash, Leases,
    LeaveAnswer, Ledger, LedgerCall, LendAnswer, LendAsk, Life, MessagesRead, NodeMessage,
    NodePart, Publication, PublishAnswer, ReassertAnswer, ReassertAsk, Stamped, UserHash,
    UserLever, WAITING_MAX,
};

/// How many users are looked through at a beat for such that hold nothing any more.
const SWEPT_PER_BEAT: usize = 64;

/// A ledger in memory.
#[derive(Debug)]
pub struct LocalLedger {
    clock: Clock,
    leases: Leases,
    // One lock: a call is a few map operations, and one step.
    state: Mutex<State>,
    arrived: Notify,
    // Held for a few map operations.
    shared: Mutex<shared::Shared>,
}

#[derive(Debug, Default)]
struct State {
    users: HashMap<UserHash, User>,
    nodes: Nodes,
    inboxes: HashMap<Epoch, Streams>,
    sweep: Vec<UserHash>,
    run: u64,
    /// Messages so far: their numbers rise over all nodes, so that a place in one life's messages is none in the next
    /// one's.
    sent: u64,
}

/// What waits for a node: commands, and answers, each with its number.
#[derive(Debug, Default)]
struct Streams {
    commands: VecDeque<(u64, NodeMessage)>,
    answers: VecDeque<(u64, NodeMessage)>,
}

/// What the users held at one moment, to be put back: an engine that loses its last writes.
#[derive(Debug, Clone)]
pub struct LocalBackup(Vec<(UserHash, BTreeMap<KeyHash, Vec<NodePart>>)>, Nodes);

impl LocalLedger {
    /// An empty one.
    #[must_use]
    pub fn new(clock: Clock, leases: Leases) -> Arc<Self> {
        Arc::new(Self {
            clock,
            leases,
            state: Mutex::default(),
            arrived: Notify::new(),
            shared: Mutex::default(),
        })
    }

    /// What the ledger holds now, to be lost later.
    #[must_use]
    pub fn backup(&self) -> LocalBackup {
        let state = self.state.lock();
        let users = state.users.iter();
        let users = users.map(|(user, held)| (*user, held.members().clone()));
        LocalBackup(users.collect(), state.nodes.clone())
    }

    /// Fails over: what was written since `before` is lost, and the engine is another process.
    pub fn fail_over(&self, before: LocalBackup) {
        let mut state = self.state.lock();
        for user in state.users.values_mut() {
            user.replace_members(BTreeMap::new());
        }
        for (user, members) in before.0 {
            state
                .users
                .entry(user)
                .or_default()
                .replace_members(members);
        }
        state.nodes = before.1;
        state.run += 1;
    }

    /// The parts of a user as they stand, those that do not count any more among them. It changes nothing.
    #[must_use]
    pub fn parts(&self, user: UserHash) -> Vec<(KeyHash, NodePart)> {
        let state = self.state.lock();
        let members = state.users.get(&user).map(User::members);
        let parts = members.into_iter().flatten();
        parts
            .flat_map(|(key, parts)| parts.iter().map(|part| (*key, part.clone())))
            .collect()
    }

    fn step<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut State, u64) -> T + Send,
    ) -> LedgerCall<'_, T> {
        // At once, as a call that is sent is carried out whether its answer is waited for or not.
        let now_ms = self.clock.now().millis();
        let answer = call(&mut self.state.lock(), now_ms);
        Box::pin(std::future::ready(Ok(Stamped { now_ms, answer })))
    }

    fn of_user<T: Send + 'static>(
        &self,
        user: UserHash,
        call: impl FnOnce(&mut User, u64) -> T + Send,
    ) -> LedgerCall<'_, T> {
        self.step(move |state, now| call(state.users.entry(user).or_default(), now))
    }
}

impl Ledger for LocalLedger {
    fn enter<'a>(&'a self, user: UserHash, ask: &'a EnterAsk) -> LedgerCall<'a, EnterAnswer> {
        self.of_user(user, |user, now| user.enter(ask, &self.leases, now))
    }

    fn leave(&self, user: UserHash, key: KeyHash, life: Life) -> LedgerCall<'_, LeaveAnswer> {
        self.of_user(user, |user, _| user.leave(key, life))
    }

    fn publish<'a>(
        &'a self,
        user: UserHash,
        epoch: Epoch,
        parts: &'a [Publication],
    ) -> LedgerCall<'a, PublishAnswer> {
        self.of_user(user, |user, now| {
            user.publish(epoch, parts, &self.leases, now)
        })
    }

    fn reassert<'a>(
        &'a self,
        user: UserHash,
        ask: &'a ReassertAsk,
    ) -> LedgerCall<'a, ReassertAnswer> {
        self.of_user(user, |user, now| user.reassert(ask, &self.leases, now))
    }

    fn read<'a>(
        &'a self,
        user: UserHash,
        limit: u32,
        dead: &'a [Epoch],
    ) -> LedgerCall<'a, Holdings> {
        self.of_user(user, |user, now| user.read(limit, dead, now))
    }

    fn set_lever(
        &self,
        user: UserHash,
        lever: UserLever,
        lasting: Option<Duration>,
    ) -> LedgerCall<'_, ()> {
        self.of_user(user, |user, now| {
            user.set_lever(lever, lasting.map(|lasting| now + whole_ms(lasting)));
        })
    }

    fn lend<'a>(&'a self, user: UserHash, ask: &'a LendAsk) -> LedgerCall<'a, LendAnswer> {
        self.of_user(user, |user, now| user.lend(ask, now))
    }

    fn beat<'a>(&'a self, beat: &'a Beat) -> LedgerCall<'a, BeatAnswer> {
        self.step(|state, now| {
            state.forget(now);
            let run = state.run.to_string();
            let answer = state.nodes.beat(beat, &self.leases, &run, now);
            if answer.verdict != BeatVerdict::NameTaken {
                let dead = |epoch: &Epoch| answer.dead.contains(epoch);
                state.inboxes.retain(|epoch, _| !dead(epoch));
            }
            answer
        })
    }

    fn send<'a>(&'a self, to: Epoch, message: &'a NodeMessage) -> LedgerCall<'a, ()> {
        let call = self.step(|state, _| {
            state.sent += 1;
            let streams = state.inboxes.entry(to).or_default();
            let stream = match message {
                NodeMessage::Command(_) | NodeMessage::News(_) => &mut streams.commands,
                NodeMessage::Answer(_) => &mut streams.answers,
            };
            stream.push_back((state.sent, message.clone()));
            if stream.len() > WAITING_MAX {
                stream.pop_front();
            }
        });
        self.arrived.notify_waiters();
        call
    }

    fn receive<'a>(
        &'a self,
        epoch: Epoch,
        read: &'a MessagesRead,
        wait: Duration,
    ) -> LedgerCall<'a, Inbox> {
        Box::pin(async move {
            let look = || {
                let streams = &self.state.lock().inboxes;
                streams.get(&epoch).map_or_else(
                    || Inbox {
                        read: read.clone(),
                        ..Inbox::default()
                    },
                    |streams| streams.after(read),
                )
            };
            let deadline = self.clock.now().after(wait);
            loop {
                let mut arrived = std::pin::pin!(self.arrived.notified());
                arrived.as_mut().enable();
                let inbox = look();
                let now = self.clock.now();
                if !inbox.messages.is_empty() || now >= deadline {
                    let now_ms = now.millis();
                    return Ok(Stamped {
                        now_ms,
                        answer: inbox,
                    });
                }
                // Either way the next look says which it was.
                let _ = tokio::time::timeout(deadline.since(now), arrived).await;
            }
        })
    }
}

impl State {
    /// Forgets some users that hold nothing any more, so that the map is as large as what is held.
    fn forget(&mut self, now: u64) {
        if self.sweep.is_empty() {
            self.sweep = self.users.keys().copied().collect();
        }
        for _ in 0..SWEPT_PER_BEAT {
            let Some(user) = self.sweep.pop() else { return };
            if self.users.get_mut(&user).is_some_and(|it| it.is_over(now)) {
                self.users.remove(&user);
            }
        }
    }
}

impl Streams {
    fn after(&self, read: &MessagesRead) -> Inbox {
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        let (command, answer) = (number(&read.command), number(&read.answer));
        let new = |stream: &VecDeque<(u64, NodeMessage)>, after: u64| -> Vec<(u64, NodeMessage)> {
            let new = stream.iter().filter(|(at, _)| *at > after);
            new.cloned().collect()
        };
        let (commands, answers) = (new(&self.commands, command), new(&self.answers, answer));
        let last = |new: &[(u64, NodeMessage)], before: u64| {
            new.last().map_or(before, |(at, _)| *at).to_string()
        };
        Inbox {
            read: MessagesRead {
                command: last(&commands, command),
                answer: last(&answers, answer),
            },
            messages: commands
                .into_iter()
                .chain(answers)
                .map(|(_, message)| message)
                .collect(),
            strange: 0,
        }
    }
}
