//! A trace in memory: names once, events small.

use std::sync::Arc;

use super::notes::RecorderNotes;
use wastegate_core::types::{Health, Tier};

/// What users did, in order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// Users' names, by [`TraceEvent::user`].
    pub users: Vec<Arc<str>>,
    /// Managers (a user and a key), by [`TraceEvent::session`].
    pub sessions: Vec<TraceSession>,
    /// Devices' names, by [`TraceEvent::device`].
    pub devices: Vec<Arc<str>>,
    /// Every event, by time; events of one moment in the order of their lines.
    pub events: Vec<TraceEvent>,
    /// What the gateway that recorded it wrote beside the events.
    pub notes: RecorderNotes,
}

/// One key of one user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceSession {
    /// Whose it is, by place in [`Trace::users`].
    pub user: u32,
    /// The key of the manager, as the trace has it.
    pub key: Arc<str>,
}

/// Something that happened to one manager.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraceEvent {
    /// When, in milliseconds; of the Unix epoch or of the trace's own beginning.
    pub at_ms: u64,
    /// Which manager, by place in [`Trace::sessions`].
    pub session: u32,
    /// Whose, by place in [`Trace::users`].
    pub user: u32,
    /// On which device, by place in [`Trace::devices`], if it is a matter of one.
    pub device: Option<u32>,
    /// What happened to the manager.
    pub kind: TraceEventKind,
}

/// What happened. A coalesced event stands for `n` of its kind, the first at the event's time and
/// the last `last_ms` later.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TraceEventKind {
    /// Its user wanted it and it was created, `wait_ms` after the attempt.
    Open {
        /// From the attempt to the answer, ms.
        wait_ms: u32,
    },
    /// Its user wanted it and was refused, `wait_ms` after the attempt.
    Refuse {
        /// From the attempt to the answer, ms.
        wait_ms: u32,
        /// By which limit.
        by: RefusingLimit,
    },
    /// A connection of a device attached.
    Attach,
    /// Application frames from the client: user activity.
    In {
        /// The number of them, at least 1.
        n: u32,
        /// Their payload in all, bytes.
        bytes: u64,
        /// From the first to the last, ms.
        last_ms: u32,
    },
    /// Application frames to the client.
    Out {
        /// The number of them, at least 1.
        n: u32,
        /// Their payload in all, bytes.
        bytes: u64,
        /// From the first to the last, ms.
        last_ms: u32,
    },
    /// Pings of ours, all but the last of them answered.
    Ping {
        /// From the first to the last, ms.
        last_ms: u32,
    },
    /// Pongs of the peer.
    Pong {
        /// From the first to the last, ms.
        last_ms: u32,
    },
    /// Its client says that it can be seen.
    Visible,
    /// Its client says that it cannot be seen.
    Hidden,
    /// What client, application or operator said of it.
    Hint(Hint),
    /// Its last connection went.
    Detach,
    /// It ended by the will of its client or the application.
    Close,
    /// It ended because its peer did.
    Die,
    /// Its peer vanished without a word: nobody on our side saw it. Only where a trace knows the
    /// truth: synthetic faults, or what became clear later.
    DieSilently,
    /// It was evicted.
    Evict {
        /// The tier that took it, if a tier did.
        tier: Option<Tier>,
        /// The decision that chose it, if one did.
        decision: Option<u64>,
    },
    /// A victim answered our Close: it was alive.
    Echo {
        /// The decision that had chosen it, if the trace tells.
        decision: Option<u64>,
    },
    /// A victim did not answer our Close.
    Silent {
        /// The decision that had chosen it, if the trace tells.
        decision: Option<u64>,
    },
    /// A decision found another health than the one before it, or that it was taken over.
    Health {
        /// What was believed of its peer from then on.
        health: Health,
        /// Whether a probe or a heartbeat said so.
        probed: bool,
        /// Whether newer connections of its devices had replaced all that it had left.
        taken_over: bool,
        /// Whether nobody was attached and a connection was on its way.
        expected: bool,
    },
    /// A key that had been evicted or had died came back.
    Back,
}

/// Which limit a client was refused by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefusingLimit {
    /// The trace does not tell. It counts as the user's own.
    #[default]
    Untold,
    /// The managers that its user may hold.
    User,
    /// Another one, which a replay does not simulate: attempts in a while, the node's managers, the
    /// connections of a manager.
    Other,
}

/// Something said of a manager.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Hint {
    /// Higher is more important.
    Priority(i32),
    /// Units of work in flight.
    InFlight(u32),
    /// What its client runs on, by the code of the `device-class` signal.
    DeviceClass(u8),
    /// The client asks that it be protected.
    Protect(bool),
    /// Nothing may evict it for so long; zero takes the pin away.
    Pin {
        /// How long, ms.
        for_ms: u64,
    },
}
