//! A node of the simulation: what a gateway has to do with the ledger, in a few lines.

use std::collections::BTreeMap;
use std::time::Duration;

use wastegate_cluster::ledger::{
    Columns, Epoch, KeyHash, Life, Membership, MessagesRead, NodeName, NodeNote, PartState,
    Publication, ReassertAsk,
};
use wastegate_core::types::{ManagerId, Timestamp};

/// How long an admission waits for the engine.
pub(crate) const BUDGET: Duration = Duration::from_millis(50);

/// One node.
pub(crate) struct Node {
    pub(crate) membership: Membership,
    /// What has sockets here: each key's manager, and since when it is in the ledger; none if that is not known.
    pub(crate) here: BTreeMap<KeyHash, ManagerId>,
    /// Parts that have to leave the ledger: their call failed, or was not sent yet.
    pub(crate) leaving: Vec<(KeyHash, Life)>,
    pub(crate) reassert: bool,
    pub(crate) read: MessagesRead,
    pub(crate) frozen_until: Option<Timestamp>,
    pub(crate) cut_until: Option<Timestamp>,
}

impl Node {
    pub(crate) fn new(name: usize, epoch: Epoch) -> Self {
        let name = NodeName::new(&format!("gw-{name}")).unwrap();
        let dead_after = Duration::from_secs(6);
        Self {
            membership: Membership::new(name, epoch, dead_after, NodeNote::default()),
            here: BTreeMap::new(),
            leaving: vec![],
            reassert: false,
            read: MessagesRead::default(),
            frozen_until: None,
            cut_until: None,
        }
    }

    pub(crate) fn is_frozen(&self, now: Timestamp) -> bool {
        self.frozen_until.is_some_and(|until| now < until)
    }

    pub(crate) fn is_cut(&self, now: Timestamp) -> bool {
        self.cut_until.is_some_and(|until| now < until)
    }

    /// What it publishes.
    pub(crate) fn publications(&self) -> Vec<Publication> {
        let publication = |(key, manager): (&KeyHash, &ManagerId)| Publication {
            key: *key,
            manager: *manager,
            state: PartState::NEWBORN,
            columns: Columns::default(),
        };
        self.here.iter().map(publication).collect()
    }

    /// What it asserts; none while it may not ask.
    pub(crate) fn reassertion(&self, limit: u32, now: Timestamp) -> Option<ReassertAsk> {
        Some(ReassertAsk {
            epoch: self.membership.epoch(),
            limit,
            not_after_ms: self.membership.not_after_ms(BUDGET, now).ok()?,
            dead: self.membership.dead().clone(),
            parts: self.publications(),
        })
    }
}
