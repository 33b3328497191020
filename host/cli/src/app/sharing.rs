//! What ranks on all nodes of the cluster, where this node is in one.

use std::sync::Arc;

use wastegate::embed::Embedded;
use wastegate_control::rollout::Rollout;
use wastegate_control::sharing::{Followed, SharedStore, Sharing};
use wastegate_core::types::Clock;

/// Connects the shared document with what ranks here, and has the other nodes know what this one follows.
pub(super) fn of(
    embedded: &Embedded,
    store: Option<SharedStore>,
    rollout: &Arc<Rollout>,
    clock: &Clock,
) -> Option<Arc<Sharing>> {
    let (node, store) = embedded.cluster.clone().zip(store)?;
    let name = node.name().to_owned();
    let tell = move |followed: Followed| node.follows(followed.number, &followed.problem);
    Some(Sharing::new(
        store,
        rollout.clone(),
        name,
        clock.clone(),
        Box::new(tell),
    ))
}
