//! What waits to be written to one connection, bounded by bytes and seen from outside.
//!
//! Producers push and never wait; the connection's own task is the only consumer. A full outbox
//! marks itself overflowed, which the connection answers by closing its slow consumer.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::application::Message;
use wastegate_core::types::Timestamp;

/// Messages that may wait, however small: one without payload costs memory too.
const MESSAGES_MAX: usize = 65_536;

/// A bounded queue of messages to one client.
#[derive(Debug)]
pub struct Outbox {
    bytes_max: usize,
    // A lock, because length, bytes and the head's age must be read together. Held for a push or
    // a pop, never across an await, and released before anyone is notified.
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Timestamp, Message)>,
    /// What the consumer has taken and not yet seen flushed.
    writing: Option<(Timestamp, usize)>,
    bytes: usize,
    overflowed: bool,
    closed: bool,
}

/// What an outbox holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queued {
    /// Bytes of payload, the message being written included.
    pub bytes: usize,
    /// Messages, the one being written included.
    pub messages: usize,
    /// Since when the oldest of them waits.
    pub head_since: Option<Timestamp>,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It would exceed the limit of bytes or messages; the connection is being closed as a slow consumer.
    #[error("the client does not read fast enough")]
    Full,
    /// The connection has ended.
    #[error("the connection has ended")]
    Closed,
}

impl Outbox {
    /// An empty outbox of at most so many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            queue: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Adds a message at the end.
    ///
    /// # Errors
    /// [`SendError`] when it does not fit or the connection sends no more. Either is final.
    pub fn push(&self, now: Timestamp, message: Message) -> Result<(), SendError> {
        let result = {
            let mut queue = self.queue.lock();
            if queue.closed || queue.overflowed {
                return Err(if queue.closed {
                    SendError::Closed
                } else {
                    SendError::Full
                });
            }
            let bytes = queue.bytes.saturating_add(message.len());
            if bytes > self.bytes_max || queue.waiting.len() >= MESSAGES_MAX {
                queue.overflowed = true;
                Err(SendError::Full)
            } else {
                queue.bytes = bytes;
                queue.waiting.push_back((now, message));
                Ok(())
            }
        };
        self.changed.notify_one();
        result
    }

    /// Takes the next message to write it. Until [`Outbox::written`] it counts as waiting still.
    pub fn take(&self) -> Option<Message> {
        let mut queue = self.queue.lock();
        let (since, message) = queue.waiting.pop_front()?;
        queue.writing = Some((since, message.len()));
        Some(message)
    }

    /// The message taken last is on its way.
    pub fn written(&self) {
        let mut queue = self.queue.lock();
        if let Some((_, bytes)) = queue.writing.take() {
            queue.bytes -= bytes;
        }
    }

    /// Waits for a push. May return without one; look again.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether a push did not fit.
    #[must_use]
    pub(crate) fn overflowed(&self) -> bool {
        self.queue.lock().overflowed
    }

    /// Refuses whatever comes and forgets what waits.
    pub fn close(&self) {
        let mut queue = self.queue.lock();
        queue.closed = true;
        queue.waiting = VecDeque::new();
        queue.writing = None;
        queue.bytes = 0;
    }

    /// What it holds now.
    #[must_use]
    pub fn queued(&self) -> Queued {
        let queue = self.queue.lock();
        let first = queue.waiting.front().map(|(since, _)| *since);
        Queued {
            bytes: queue.bytes,
            messages: queue.waiting.len() + usize::from(queue.writing.is_some()),
            head_since: queue.writing.map(|(since, _)| since).or(first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> Message {
        Message::Text("x".repeat(length).into())
    }

    #[test]
    fn what_is_being_written_still_waits() {
        let (outbox, at) = (Outbox::new(100), Timestamp::from_millis);
        outbox.push(at(1), text(10)).unwrap();
        outbox.push(at(2), text(20)).unwrap();
        assert_eq!(outbox.take(), Some(text(10)));
        let queued = Queued {
            bytes: 30,
            messages: 2,
            head_since: Some(at(1)),
        };
        assert_eq!(outbox.queued(), queued);
        outbox.written();
        assert_eq!(
            outbox.queued(),
            Queued {
                bytes: 20,
                messages: 1,
                head_since: Some(at(2))
            }
        );
    }

    #[test]
    fn a_slow_consumer_is_bounded_by_bytes() {
        let (outbox, now) = (Outbox::new(100), Timestamp::ZERO);
        outbox.push(now, text(100)).unwrap();
        assert_eq!(outbox.push(now, text(1)), Err(SendError::Full));
        assert!(outbox.overflowed());
        assert_eq!(outbox.queued().bytes, 100);
        outbox.close();
        assert_eq!(outbox.push(now, text(1)), Err(SendError::Closed));
        assert_eq!(outbox.queued(), Queued::default());
    }

    /// Messages without payload count too.
    #[test]
    fn a_slow_consumer_is_bounded_by_number() {
        let (outbox, now) = (Outbox::new(100), Timestamp::ZERO);
        for _ in 0..MESSAGES_MAX {
            outbox.push(now, text(0)).unwrap();
        }
        assert_eq!(outbox.push(now, text(0)), Err(SendError::Full));
        assert!(outbox.overflowed());
    }
}
