//! What waits for the manager's own task. Messages are bounded by number: at the limit the
//! manager's connections stop reading until there is space. What happened to connections is never
//! dropped, and bounded by a cap that only a stuck manager can reach.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::application::{Message, Peer};
use wastegate_core::types::{CloseReason, Timestamp};

/// Attachments, departures and no-ops that may wait for one manager. Reached only by a manager
/// that takes nothing for as long as that many connections come and go.
const EVENTS_MAX: usize = 1_024;

/// Something for the manager's task to do.
#[derive(Debug)]
pub(super) enum Letter {
    Attached(Peer),
    Message(Peer, Message),
    Detached(Peer, CloseReason),
    Noop(oneshot::Sender<()>),
}

/// The answer to a no-op: arrives when the manager's task gets to it.
pub(crate) type NoopProbe = oneshot::Receiver<()>;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The manager's task will get to it.
    Accepted,
    /// The manager takes nothing any more.
    Closed,
}

/// The queue of one manager.
#[derive(Debug)]
pub struct Mailbox {
    messages_max: usize,
    // A lock, because order and both bounds must hold together. Held for a push or a pop.
    queue: Mutex<Queue>,
    arrived: Notify,
    space: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    letters: VecDeque<(Timestamp, Letter)>,
    messages: usize,
    bytes: usize,
    events: usize,
    working_since: Option<Timestamp>,
    closed: bool,
}

impl Mailbox {
    pub(super) fn new(messages_max: usize) -> Self {
        Self {
            messages_max,
            queue: Mutex::default(),
            arrived: Notify::new(),
            space: Notify::new(),
        }
    }

    /// Waits until there is space for a message and leaves it there. Dropped before it completes,
    /// it has left the message where it was.
    pub(crate) async fn deliver_held(
        &self,
        now: Timestamp,
        letter: &mut Option<(Peer, Message)>,
    ) -> Delivery {
        loop {
            let space = self.space.notified();
            if let Some(delivery) = self.try_deliver(now, letter) {
                return delivery;
            }
            space.await;
        }
    }

    /// Leaves a message if there is space for it. None, and the message where it was, if not.
    pub(crate) fn try_deliver(
        &self,
        now: Timestamp,
        letter: &mut Option<(Peer, Message)>,
    ) -> Option<Delivery> {
        {
            let mut queue = self.queue.lock();
            if queue.closed {
                return Some(Delivery::Closed);
            }
            if queue.messages >= self.messages_max {
                return None;
            }
            let Some((from, message)) = letter.take() else {
                return Some(Delivery::Accepted);
            };
            queue.messages += 1;
            queue.bytes += message.len();
            queue
                .letters
                .push_back((now, Letter::Message(from, message)));
        }
        self.arrived.notify_one();
        Some(Delivery::Accepted)
    }

    /// Leaves an event. False if the mailbox is closed or has far too many: the manager hangs.
    pub(super) fn post(&self, now: Timestamp, letter: Letter) -> bool {
        {
            let mut queue = self.queue.lock();
            if queue.closed || queue.events >= EVENTS_MAX {
                return false;
            }
            queue.events += 1;
            queue.letters.push_back((now, letter));
        }
        self.arrived.notify_one();
        true
    }

    /// Asks the manager's task for a sign of life. None if it takes nothing any more.
    pub(crate) fn noop(&self, now: Timestamp) -> Option<NoopProbe> {
        let (answer, probe) = oneshot::channel();
        self.post(now, Letter::Noop(answer)).then_some(probe)
    }

    /// Waits for the next letter. What came before it counts as done.
    pub(super) async fn next(&self, now: impl Fn() -> Timestamp) -> Letter {
        loop {
            let arrived = self.arrived.notified();
            if let Some(letter) = self.take(now()) {
                return letter;
            }
            arrived.await;
        }
    }

    fn take(&self, now: Timestamp) -> Option<Letter> {
        let letter = {
            let mut queue = self.queue.lock();
            queue.working_since = None;
            let (_, letter) = queue.letters.pop_front()?;
            queue.working_since = Some(now);
            match &letter {
                Letter::Message(_, message) => {
                    queue.messages -= 1;
                    queue.bytes -= message.len();
                }
                Letter::Attached(_) | Letter::Detached(..) | Letter::Noop(_) => {
                    queue.events -= 1;
                    // A manager that has no messages, as behind a gateway, keeps no queue for its
                    // first letter; one that has some keeps it for the next.
                    if queue.letters.is_empty() {
                        queue.letters = VecDeque::new();
                    }
                }
            }
            letter
        };
        self.space.notify_one();
        Some(letter)
    }

    /// Takes nothing any more and forgets what waits.
    pub(super) fn close(&self) {
        {
            let mut queue = self.queue.lock();
            *queue = Queue {
                closed: true,
                ..Queue::default()
            };
        }
        self.space.notify_waiters();
        self.space.notify_one();
    }

    /// Since when the manager's task is busy with one letter, or one waits for it.
    #[must_use]
    pub(crate) fn oldest_since(&self) -> Option<Timestamp> {
        let queue = self.queue.lock();
        queue
            .working_since
            .or_else(|| queue.letters.front().map(|(since, _)| *since))
    }

    /// Bytes of payload that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.queue.lock().bytes
    }
}
