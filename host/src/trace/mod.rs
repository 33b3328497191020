//! Activity as files: what users did with their managers, one event a line.
//!
//! Reads the stream that a gateway records, the same in canonical form from elsewhere, and plain
//! message logs; makes traces from public data and from a seed; describes and slices them. Not
//! here: what a policy would have done (`replay`), and live managers.

pub mod event;

pub use event::{Event, Kind, Session, Trace};
