//! Admissions that wait for a slot of a user. Nothing is kept for users without waiting admissions.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use wastegate_core::types::UserId;

/// The users for whose slots admissions wait.
#[derive(Debug, Default)]
pub(crate) struct FreedSlots {
    // Held for a map operation; woken waiters run after it is released.
    waited_for: Mutex<HashMap<UserId, Waited>>,
}

#[derive(Debug, Default)]
struct Waited {
    notify: Arc<Notify>,
    by: usize,
}

impl FreedSlots {
    /// A slot of that user is free.
    pub(crate) fn notify(&self, user: &UserId) {
        let notify = self
            .waited_for
            .lock()
            .get(user)
            .map(|waited| waited.notify.clone());
        if let Some(notify) = notify {
            notify.notify_waiters();
        }
    }

    /// Every admission that waits has to look again.
    pub(crate) fn notify_all(&self) {
        let waited_for = self.waited_for.lock();
        let all: Vec<_> = waited_for.values().map(|it| it.notify.clone()).collect();
        drop(waited_for);
        for notify in all {
            notify.notify_waiters();
        }
    }

    /// Watches a user's slots until the watch is dropped.
    #[must_use]
    pub(crate) fn watch(&self, user: &UserId) -> Freed<'_> {
        let mut waited_for = self.waited_for.lock();
        let waited = waited_for.entry(user.clone()).or_default();
        waited.by += 1;
        Freed {
            slots: self,
            user: user.clone(),
            notify: waited.notify.clone(),
        }
    }

    /// How many users are watched.
    #[must_use]
    pub(crate) fn watched(&self) -> usize {
        self.waited_for.lock().len()
    }
}

/// A watch on one user's slots.
#[derive(Debug)]
pub struct Freed<'a> {
    slots: &'a FreedSlots,
    user: UserId,
    notify: Arc<Notify>,
}

impl Freed<'_> {
    /// Completes when a slot becomes free after this call, even if it is only polled later.
    pub fn next(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Freed<'_> {
    fn drop(&mut self) {
        let mut waited_for = self.slots.waited_for.lock();
        let Some(waited) = waited_for.get_mut(&self.user) else {
            return;
        };
        waited.by -= 1;
        if waited.by == 0 {
            waited_for.remove(&self.user);
        }
    }
}
