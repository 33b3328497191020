//! What all nodes of the cluster have in common, where this node is in one: what ranks, and levers of operators.

use std::sync::Arc;

use wastegate::embed::Embedded;
use wastegate_control::levers::Levers;
use wastegate_control::levers::everywhere::{Everywhere, LeverSeal};
use wastegate_control::rollout::Rollout;
use wastegate_control::sharing::{Followed, SharedStore, Sharing};
use wastegate_core::types::Clock;

/// Where nodes have it, and the seal of what only they may read.
pub(super) struct Shared {
    pub(super) store: SharedStore,
    pub(super) seal: LeverSeal,
}

/// Connects levers with those of the other nodes. They have to be those of a node of a cluster.
pub(super) fn everywhere(shared: Option<Shared>, levers: &Arc<Levers>) -> Option<Arc<Everywhere>> {
    let Shared { store, seal } = shared?;
    Some(Everywhere::new(store, seal, levers.clone()))
}

/// Connects the shared policies with what ranks here, and has the other nodes know what this one follows.
pub(super) fn of(
    embedded: &Embedded,
    shared: Option<&Shared>,
    rollout: &Arc<Rollout>,
    clock: &Clock,
) -> Option<Arc<Sharing>> {
    let (node, shared) = embedded.cluster.clone().zip(shared)?;
    let name = node.name().to_owned();
    let tell = move |followed: Followed| node.follows(followed.number, &followed.problem);
    Some(Sharing::new(
        shared.store.clone(),
        rollout.clone(),
        name,
        clock.clone(),
        Box::new(tell),
    ))
}
