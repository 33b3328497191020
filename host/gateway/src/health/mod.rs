//! Whether a manager's peer is there: observations in, evidence out.
//!
//! The ladder of a probe, cheapest first: the kernel's account of the connection (no frame sent),
//! a ping with a nonce (the peer), a command that does nothing (our own side). All managers are
//! probed in parallel under one deadline. What cannot be probed is `unknown`, never dead. Bytes that
//! wait for a peer that takes none of them are evidence too: it is `stalled`.
//!
//! Not here: what follows from a verdict. This room evicts and closes nothing.

mod answering;
mod backlog;
#[expect(
    unsafe_code,
    reason = "TCP_INFO has no safe wrapper in a maintained crate"
)]
mod kernel;
mod lasting;
mod phi;
mod probe;
mod verdict;

#[cfg(test)]
mod tests;

/// When pings are sent, and after how many misses a peer is judged.
pub use wastegate_core::signals::Heartbeats as Config;

pub use answering::ignores_pings;
pub use backlog::{could_answer, look};
pub(crate) use backlog::{look_interval, note_ping};
pub(crate) use kernel::TcpView;
pub use lasting::lost_since;
pub use phi::phi;
pub use probe::{Round, probe_round};
pub use verdict::{Assessment, LinkQuality, assess, judge};
