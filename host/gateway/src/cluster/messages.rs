//! Messages between nodes, by way of the engine: what others ask of managers here, and what this node asks of them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::held::ChosenVictim;
use super::node::ClusterNode;
use crate::manager::Manager;
use wastegate_cluster::ledger::{
    DeviceHash, Epoch, KeyHash, Ledger as _, Life, MessagesRead, NodeAnswer, NodeCommand,
    NodeMessage, NodeOrder, NodeOutcome, UserHash, UserNews,
};
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{DeviceId, UserId};

/// How long one look for messages waits at the engine.
const WAIT: Duration = Duration::from_secs(1);
/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// What came from another node.
pub(crate) enum Heard {
    /// Something to do with a manager here.
    Command(NodeCommand),
    /// Something about a user.
    News(UserNews),
}

/// How far this node has read, in which of its lives.
#[derive(Debug, Default)]
pub(super) struct Reading(Mutex<Option<(Epoch, MessagesRead)>>);

impl ClusterNode {
    /// What other nodes ask of managers here, and tell of users; waits for a while, and may come back with nothing.
    pub(crate) async fn heard(&self) -> Vec<Heard> {
        if self.is_away() {
            tokio::time::sleep(PAUSE).await;
            return Vec::new();
        }
        let epoch = self.membership.lock().epoch();
        let read = match &*self.reading.0.lock() {
            Some((of, read)) if *of == epoch => read.clone(),
            _ => MessagesRead::default(),
        };
        let inbox = self.ledger.receive(epoch, &read, WAIT).await;
        self.metrics.called("receive", &inbox);
        let Ok(inbox) = inbox else {
            tokio::time::sleep(PAUSE).await;
            return Vec::new();
        };
        let inbox = inbox.answer;
        *self.reading.0.lock() = Some((epoch, inbox.read));
        if inbox.strange > 0 {
            tracing::warn!(
                messages = inbox.strange,
                "other nodes sent messages that this version does not know"
            );
        }
        let messages = inbox.messages.into_iter();
        let heard = messages.filter_map(|message| match message {
            NodeMessage::Command(command) => Some(Heard::Command(command)),
            NodeMessage::News(news) => self.got_news(news).map(Heard::News),
            NodeMessage::Answer(answer) => {
                self.got_answer(answer);
                None
            }
        });
        heard.collect()
    }

    /// The manager that a command is about; none if that life of it is over.
    pub(crate) fn manager_of(&self, command: &NodeCommand) -> Option<Arc<Manager>> {
        if command.life.epoch != self.membership.lock().epoch() {
            return None;
        }
        let user = self.user_of(command.user)?;
        let mut managers = self.registry.of(&user).into_iter();
        managers.find(|manager| {
            manager.id == command.life.manager && self.key_hash(&user, &manager.key) == command.key
        })
    }

    /// Tells the asker what became of a command.
    pub(crate) fn answer(
        &self,
        command: &NodeCommand,
        outcome: NodeOutcome,
        idle: Option<Duration>,
    ) {
        let answer = NodeAnswer {
            number: command.number,
            outcome,
            idle_ms: idle.map(whole_ms),
        };
        self.send_soon(command.asker, NodeMessage::Answer(answer));
    }

    /// A manager that was to go stays: it has left the ledger, and is asserted again.
    pub(crate) fn keeps(&self, manager: &Manager) {
        manager.mark.doubt();
        self.publish_soon(&manager.user);
    }

    /// The device of a manager here that a hash means.
    pub(crate) fn device_of(&self, manager: &Manager, hash: DeviceHash) -> Option<DeviceId> {
        let ports = manager.ports();
        let devices = ports.iter().map(|port| &port.device);
        let mut same =
            devices.filter(|device| self.config.hasher.device(&manager.user, device) == hash);
        same.next().cloned()
    }

    /// Victims have left the ledger: their owners are told. Those that are here only are evicted already.
    pub(super) fn told_to_go(&self, user: &UserId, victims: &[ChosenVictim]) {
        let (user, own) = (self.user_hash(user), self.membership.lock().epoch());
        for chosen in victims {
            let order = NodeOrder::Evict {
                tier: chosen.tier,
                answering: chosen.answering,
                past_pin: chosen.past_pin,
            };
            let lives = &chosen.victim.lives;
            if let [life] = &**lives
                && life.epoch == own
            {
                continue;
            }
            for life in lives {
                self.command((user, chosen.victim.key), *life, order);
            }
        }
    }

    /// A newer connection of a device is here: older ones on other nodes close.
    pub(super) fn take_over(&self, manager: &Manager, device: &DeviceId) {
        if device.is_unnamed() {
            return;
        }
        let Some(others) = self.others.lock().get(&manager.id).cloned() else {
            return;
        };
        let user = self.user_hash(&manager.user);
        let key = self.key_hash(&manager.user, &manager.key);
        let device = self.config.hasher.device(&manager.user, device);
        for life in others {
            self.command((user, key), life, NodeOrder::TakeOver { device });
        }
    }

    fn command(&self, of: (UserHash, KeyHash), life: Life, order: NodeOrder) {
        let command = self.new_command(of, life, order);
        self.send_soon(life.epoch, NodeMessage::Command(command));
    }

    pub(super) fn new_command(
        &self,
        (user, key): (UserHash, KeyHash),
        life: Life,
        order: NodeOrder,
    ) -> NodeCommand {
        NodeCommand {
            asker: self.membership.lock().epoch(),
            number: self.metrics.next_command(),
            user,
            key,
            life,
            order,
        }
    }
}
