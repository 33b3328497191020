//! Waiting for a slot: first come, first served, per user, bounded in length and time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use wastegate_core::types::UserId;

/// All waiting admissions.
#[derive(Debug, Default)]
pub(super) struct Queues {
    // Held for a queue operation.
    by_user: Mutex<HashMap<UserId, VecDeque<Waiter>>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    place: watch::Sender<usize>,
}

/// One client's place in its user's queue. Dropped, the place is free.
#[derive(Debug)]
pub struct Ticket {
    queues: Arc<Queues>,
    user: UserId,
    number: u64,
    place: watch::Receiver<usize>,
}

impl Queues {
    /// Takes the last place, if the queue is shorter than `most`.
    pub(super) fn join(self: &Arc<Self>, user: &UserId, most: usize) -> Option<Ticket> {
        let mut by_user = self.by_user.lock();
        let length = by_user.get(user).map_or(0, VecDeque::len);
        if length >= most {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, place) = watch::channel(length + 1);
        by_user.entry(user.clone()).or_default().push_back(Waiter {
            number,
            place: sender,
        });
        Some(Ticket {
            queues: self.clone(),
            user: user.clone(),
            number,
            place,
        })
    }

    /// Whether an admission waits for a slot of that user.
    pub(super) fn is_waited_for(&self, user: &UserId) -> bool {
        self.by_user.lock().contains_key(user)
    }

    /// How many wait in all.
    pub(super) fn len(&self) -> usize {
        self.by_user.lock().values().map(VecDeque::len).sum()
    }

    fn leave(&self, user: &UserId, number: u64) {
        let mut by_user = self.by_user.lock();
        let Some(queue) = by_user.get_mut(user) else {
            return;
        };
        queue.retain(|waiter| waiter.number != number);
        for (place, waiter) in (1..).zip(queue.iter()) {
            waiter
                .place
                .send_if_modified(|reported| std::mem::replace(reported, place) != place);
        }
        if queue.is_empty() {
            by_user.remove(user);
        }
    }
}

impl Ticket {
    /// Its place now; 1 is next.
    #[must_use]
    pub fn position(&self) -> usize {
        *self.place.borrow()
    }

    /// Tells of every change of its place.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<usize> {
        self.place.clone()
    }

    /// Waits until the place changes.
    pub(super) async fn moved(&mut self) {
        if self.place.changed().await.is_err() {
            // Its waiter is in the queue for as long as the ticket lives.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queues.leave(&self.user, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D9, D11: in order, bounded, and who leaves frees the place.
    #[test]
    fn d9_d11_places_move_up() {
        let (queues, ann) = (Arc::new(Queues::default()), UserId::new("ann").unwrap());
        let first = queues.join(&ann, 3).unwrap();
        let second = queues.join(&ann, 3).unwrap();
        let third = queues.join(&ann, 3).unwrap();
        assert!(queues.join(&ann, 3).is_none());
        assert_eq!(
            (first.position(), second.position(), third.position()),
            (1, 2, 3)
        );
        drop(second);
        assert_eq!(
            (first.position(), third.position(), queues.len()),
            (1, 2, 2)
        );
        drop(first);
        assert_eq!(third.position(), 1);
        drop(third);
        assert!(!queues.is_waited_for(&ann));
    }
}
