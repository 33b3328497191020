//! Settings of managers.

use std::time::Duration;

/// How long managers live without a connection, and what they may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Lifetimes {
    /// How long a manager whose first connection has not attached yet is left alone. 10 s.
    pub attach_grace: Duration,
    /// How long a manager whose last connection was lost is kept for its client to come back.
    /// 30 s. A client that closes normally (code 1000) gives its manager up at once.
    pub reconnect_grace: Duration,
    /// Connections that one manager may hold. 8.
    pub connections_max: usize,
    /// Messages that wait for the manager's own task before its connections stop reading. 64.
    pub mailbox_messages_max: usize,
    /// How long one message may occupy the manager's task before it counts as stuck. 10 s.
    pub stuck_after: Duration,
    /// For how long after user activity a manager is protected; zero switches that off. 0 s.
    pub recently_active: Duration,
    /// Whether a client's own hints (in-flight work) protect it. True.
    pub trust_hints: bool,
    /// How many managers of one user the application and operators may pin. 3.
    pub pins_per_user_max: usize,
    /// How long a pin lasts at the most. 1 h.
    pub pin_max: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            attach_grace: Duration::from_secs(10),
            reconnect_grace: Duration::from_secs(30),
            connections_max: 8,
            mailbox_messages_max: 64,
            stuck_after: Duration::from_secs(10),
            recently_active: Duration::ZERO,
            trust_hints: true,
            pins_per_user_max: 3,
            pin_max: Duration::from_secs(3_600),
        }
    }
}
