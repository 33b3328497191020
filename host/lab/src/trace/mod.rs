//! Activity as files: what users did with their managers, one event a line.
//!
//! - [`event`] is a trace in memory, [`builder`] makes one and keeps its order and its limits;
//! - [`mod@read`] takes files in: what a gateway records, canonical events from elsewhere as JSON lines
//!   or as a table, and plain message logs ([`messages`]);
//! - [`made`] are traces out of other traces, or out of nothing, with declared faults;
//! - [`settings`] are the rules that a recording says it came about by, [`notes`] what its gateway wrote
//!   beside the events;
//! - [`users`] looks at a trace user by user, and knows what comes next;
//! - [`describe`](mod@describe), [`slice`](mod@slice) and [`write`](mod@write) say what is in one, cut it, and write it.
//!
//! Not here: what a policy would have done (`replay`), and live managers.

pub mod builder;
pub mod describe;
pub mod error;
pub mod event;
pub mod made;
pub mod messages;
pub mod notes;
pub mod read;
pub mod settings;
pub mod slice;
pub mod users;
pub mod write;

pub(crate) mod encoding;

mod canonical;
mod clock;
mod columns;
mod fields;
mod file;
mod layout;
mod lines;
mod split;
mod strict;
mod table;

pub use clock::{TimeUnit, date};
pub use encoding::Foreign;
pub use error::{LineProblem, TraceError};
pub use event::{Hint, RefusingLimit, Trace, TraceEvent, TraceEventKind, TraceSession};
pub use notes::{Asked, LimitChange, Occupied, RecordedDecision, RecorderNotes};
pub(crate) use read::repeated;
pub use read::{Format, LoadedTrace, Reading, distinct, read};
pub use settings::{RecordedPolicy, RecorderSettings};
pub use users::{ByUser, NEVER};

#[cfg(test)]
mod field_cases;
#[cfg(test)]
mod tests;
