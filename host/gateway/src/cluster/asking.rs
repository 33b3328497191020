//! What a tier that probes has to know of managers on other nodes: whether their peers answer. Their own nodes probe
//! them, all at once, and only the nodes that hold one are asked.
//!
//! A node that says nothing in time changes nothing: what it published holds.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::held::HeldOverNodes;
use super::node::ClusterNode;
use crate::manager::Manager;
use wastegate_cluster::ledger::{
    Epoch, KeyHash, Ledger as _, Life, NodeAnswer, NodeCommand, NodeMessage, NodeOrder, NodeOutcome,
};
use wastegate_core::types::{Timestamp, UserId};

/// How much longer than a round of probes an answer of another node may take: the way there and back.
const WAY_MAX: Duration = Duration::from_millis(400);
/// For how long a node that did not answer is not asked again: it may be frozen, and no admission waits for it twice.
const DEAF_FOR: Duration = Duration::from_secs(5);
/// Answers that all admissions together wait for, at most. Beyond it no node is asked, and what was published holds.
const ASKED_MAX: usize = 16_384;
/// What other nodes asked and waits here, at most. Beyond it the oldest are left unanswered, and that is counted.
const PROBES_MAX: usize = 4_096;

/// What other nodes found out of a manager just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundThere {
    /// Whether a peer answers.
    pub(crate) answers: bool,
    /// For how long it has been idle, ms, where a node says so.
    pub(crate) idle_ms: Option<u64>,
}

/// What is asked of other nodes, and by them.
#[derive(Debug, Default)]
pub(super) struct Asked {
    // Held for a map operation.
    waiting: Mutex<HashMap<u64, oneshot::Sender<NodeAnswer>>>,
    /// Nodes that did not answer, and until when they are not asked.
    // Held for a map operation.
    deaf: Mutex<HashMap<Epoch, Timestamp>>,
    // Held for a queue operation.
    probes: Mutex<VecDeque<NodeCommand>>,
    more: Notify,
}

/// An answer that is waited for until this is dropped.
struct Waiting<'a> {
    asked: &'a Asked,
    number: u64,
    answer: oneshot::Receiver<NodeAnswer>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.asked.waiting.lock().remove(&self.number);
    }
}

impl Asked {
    /// The answer to a command of that number; none if too many are waited for.
    fn wait_for(&self, number: u64) -> Option<Waiting<'_>> {
        let (asker, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        if waiting.len() >= ASKED_MAX {
            return None;
        }
        waiting.insert(number, asker);
        drop(waiting);
        Some(Waiting {
            asked: self,
            number,
            answer,
        })
    }

    fn answered(&self, answer: NodeAnswer) {
        if let Some(asker) = self.waiting.lock().remove(&answer.number) {
            // Whoever asked may have gone on without it.
            let _ = asker.send(answer);
        }
    }

    /// Takes a probe that another node asks for. False if an older one had to make room.
    fn push(&self, command: NodeCommand) -> bool {
        let mut probes = self.probes.lock();
        let has_room = probes.len() < PROBES_MAX;
        if !has_room {
            probes.pop_front();
        }
        probes.push_back(command);
        drop(probes);
        self.more.notify_one();
        has_room
    }
}

impl ClusterNode {
    /// Asks the nodes that hold managers of a user, which answered when they were published, whether their peers
    /// answer now: `round_max` for their round of probes, and the way there and back. One that did not answer a
    /// moment ago is not asked. A manager with parts on several
    /// nodes answers if one part does, and is silent if all are.
    pub(crate) async fn ask_nodes(
        &self,
        user: &UserId,
        held: &HeldOverNodes,
        round_max: Duration,
    ) -> Vec<(KeyHash, FoundThere)> {
        let own = self.membership.lock().epoch();
        let patience = round_max + WAY_MAX;
        let asked = held.answering_elsewhere().map(async |victim| {
            let others = victim.lives.iter().filter(|life| life.epoch != own);
            let answers = others.map(async |life| {
                if self.is_deaf(life.epoch) {
                    return None;
                }
                let answer = self.ask_node(user, victim.key, *life);
                let answer = tokio::time::timeout(patience, answer).await;
                if answer.is_err() {
                    self.found_deaf(life.epoch);
                }
                answer.ok().flatten()
            });
            let answers = join_all(answers).await;
            Some((victim.key, all_parts(&answers)?))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    async fn ask_node(&self, user: &UserId, key: KeyHash, life: Life) -> Option<NodeAnswer> {
        let command = self.new_command((self.user_hash(user), key), life, NodeOrder::Probe);
        let mut waiting = self.asked.wait_for(command.number)?;
        let message = NodeMessage::Command(command);
        let sent = self.ledger.send(life.epoch, &message).await;
        self.metrics.called("send", &sent);
        sent.ok()?;
        (&mut waiting.answer).await.ok()
    }

    fn is_deaf(&self, epoch: Epoch) -> bool {
        let until = self.asked.deaf.lock().get(&epoch).copied();
        until.is_some_and(|until| until > self.clock.now())
    }

    fn found_deaf(&self, epoch: Epoch) {
        let now = self.clock.now();
        let mut deaf = self.asked.deaf.lock();
        // No more than the nodes that live: what is over goes as something is added.
        deaf.retain(|_, until| *until > now);
        deaf.insert(epoch, now.after(DEAF_FOR));
    }

    pub(super) fn got_answer(&self, answer: NodeAnswer) {
        self.metrics.answered(answer.outcome);
        self.asked.answered(answer);
    }

    /// Another node wants to know whether a peer answers.
    pub(crate) fn probe_soon(&self, command: NodeCommand) {
        if !self.asked.push(command) {
            self.metrics.dropped("probe");
        }
    }

    /// The next probe that another node asks for.
    pub(crate) async fn next_probe(&self) -> NodeCommand {
        loop {
            if let Some(command) = self.asked.probes.lock().pop_front() {
                return command;
            }
            self.asked.more.notified().await;
        }
    }

    /// What a probe found differs from what was published: other nodes rank by it soon.
    pub(crate) fn found(&self, manager: &Manager) {
        self.publish_soon(&manager.user);
    }
}

/// What the nodes of a manager's parts found; none if it is not known.
fn all_parts(answers: &[Option<NodeAnswer>]) -> Option<FoundThere> {
    let idle = answers.iter().flatten().filter_map(|answer| answer.idle_ms);
    let found = |answers| FoundThere {
        answers,
        idle_ms: idle.min(),
    };
    let says = |it: &Option<NodeAnswer>| it.as_ref().map(|answer| answer.outcome);
    let mut outcomes = answers.iter().map(says);
    if outcomes
        .clone()
        .any(|it| it == Some(NodeOutcome::Answering))
    {
        return Some(found(true));
    }
    let is_silent =
        |it: Option<NodeOutcome>| matches!(it, Some(NodeOutcome::Silent | NodeOutcome::Gone));
    (!answers.is_empty() && outcomes.all(is_silent)).then(|| found(false))
}
