//! What has to leave the ledger: told in the background, again until it is heard, so that no admission and no end of
//! a connection waits for it.

use std::collections::VecDeque;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::node::ClusterNode;
use wastegate_cluster::ledger::{
    Epoch, KeyHash, Ledger as _, LedgerError, Life, NodeMessage, UserHash,
};
use wastegate_core::types::{ManagerId, ManagerKey, UserId};

/// What waits to be told, at most. Beyond it a part stays until its lease is over, and a message is not sent; that is
/// counted (`wastegate_cluster_dropped`).
const WAITING_MAX: usize = 65_536;
/// Calls on their way at once.
const AT_ONCE: usize = 64;
/// How long to wait after a failure.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
/// How often a message is tried. What a lost one should have done the owner's next publication finds out.
const SENDS_MAX: u32 = 3;

/// Something that waits to be told.
#[derive(Debug, Clone)]
pub(super) enum Errand {
    /// A part leaves.
    Leave(UserHash, KeyHash, Life),
    /// A message for another node, which was tried so often.
    Send(Epoch, NodeMessage, u32),
}

/// What waits to be told.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    // Held for a queue operation.
    waiting: Mutex<VecDeque<Errand>>,
    more: Notify,
    empty: Notify,
}

impl Leaving {
    fn push(&self, errand: Errand) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= WAITING_MAX {
            return false;
        }
        waiting.push_back(errand);
        drop(waiting);
        self.more.notify_one();
        true
    }

    /// The next ones. They stay in the queue until they are done.
    fn next(&self) -> Vec<Errand> {
        self.waiting.lock().iter().take(AT_ONCE).cloned().collect()
    }

    /// The first so many were tried; these of them wait again, before all others.
    fn tried(&self, count: usize, again: Vec<Errand>) {
        let mut waiting = self.waiting.lock();
        waiting.drain(..count);
        again
            .into_iter()
            .rev()
            .for_each(|it| waiting.push_front(it));
        if waiting.is_empty() {
            self.empty.notify_waiters();
        }
    }

    /// Completes once nothing waits.
    pub(super) async fn emptied(&self) {
        loop {
            let mut emptied = std::pin::pin!(self.empty.notified());
            emptied.as_mut().enable();
            if self.waiting.lock().is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

impl ClusterNode {
    /// A manager's part leaves the ledger, soon.
    pub(super) fn give_back(&self, user: &UserId, key: &ManagerKey, manager: ManagerId) {
        let (user_hash, key_hash) = (self.user_hash(user), self.key_hash(user, key));
        self.errand(Errand::Leave(user_hash, key_hash, self.life(manager)));
    }

    /// Sends a message to another node, soon.
    pub(super) fn send_soon(&self, to: Epoch, message: NodeMessage) {
        self.errand(Errand::Send(to, message, 0));
    }

    fn errand(&self, errand: Errand) {
        if !self.leaving.push(errand) {
            self.metrics.dropped("errand");
        }
    }

    pub(super) async fn leave_on(&self) {
        loop {
            let errands = self.leaving.next();
            if errands.is_empty() {
                self.leaving.more.notified().await;
                continue;
            }
            let tried = join_all(errands.iter().map(|errand| self.run_errand(errand))).await;
            let count = errands.len();
            let again: Vec<Errand> = errands
                .into_iter()
                .zip(tried)
                .filter_map(|(errand, error)| error.and_then(|_| again(errand)))
                .collect();
            let failed = !again.is_empty();
            self.leaving.tried(count, again);
            if failed {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Does it. The error, if it failed.
    async fn run_errand(&self, errand: &Errand) -> Option<LedgerError> {
        match errand {
            Errand::Leave(user, key, life) => {
                let answer = self.ledger.leave(*user, *key, *life).await;
                self.metrics.called("leave", &answer);
                answer.err()
            }
            Errand::Send(to, message, _) => {
                let answer = self.ledger.send(*to, message).await;
                self.metrics.called("send", &answer);
                answer.err()
            }
        }
    }
}

/// What is tried again: a part until it has left, a message a few times.
fn again(errand: Errand) -> Option<Errand> {
    match errand {
        Errand::Leave(..) => Some(errand),
        Errand::Send(to, message, tries) => {
            (tries + 1 < SENDS_MAX).then_some(Errand::Send(to, message, tries + 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leave(number: u8) -> Errand {
        let epoch = Epoch::from_bytes([number; 8]);
        let manager = ManagerId::from_raw(1);
        let (user, key) = (UserHash::from_bytes([1; 16]), KeyHash::from_bytes([2; 16]));
        Errand::Leave(user, key, Life { epoch, manager })
    }

    #[tokio::test]
    async fn what_failed_comes_first_again_and_a_full_queue_says_so() {
        let leaving = Leaving::default();
        assert!(leaving.push(leave(1)) && leaving.push(leave(2)));
        let first = leaving.next();
        assert_eq!(first.len(), 2);
        assert!(leaving.push(leave(3)));
        let failed = again(leave(2));
        leaving.tried(2, failed.into_iter().collect());
        let epochs: Vec<u8> = leaving.next().iter().map(first_byte).collect();
        assert_eq!(epochs, [2, 3]);
        leaving.tried(2, vec![]);
        leaving.emptied().await;
        assert!((0..WAITING_MAX).all(|_| leaving.push(leave(4))));
        assert!(!leaving.push(leave(5)));
    }

    fn first_byte(errand: &Errand) -> u8 {
        match errand {
            Errand::Leave(_, _, life) => life.epoch.as_bytes()[0],
            Errand::Send(..) => 0,
        }
    }
}
