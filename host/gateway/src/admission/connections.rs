//! Sockets that find no place on the node, before it is known whose they are.

use std::sync::Arc;
use std::time::Duration;

use super::ladder::Admission;
use crate::cleanup::Waiting;

impl Admission {
    /// Has managers that are gone give up the places of their connections, for as many sockets as wait.
    /// True if at least one does.
    pub(crate) async fn make_room_for_connections(self: &Arc<Self>, waiting: Waiting) -> bool {
        let cleanup = self.cleaner.make_room_for_connections(waiting).await;
        cleanup.freed > 0
    }

    /// Within which every admission has its answer.
    #[must_use]
    pub const fn budget(&self) -> Duration {
        self.config.budget
    }
}
