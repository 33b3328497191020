//! Which policy is in charge of a running server, how it came there, and the way back.
//!
//! Sources bring files, every accepted file is a revision, an activation is one pointer, and every
//! change is in the audit log with who and when. Not here: how a policy is loaded and called
//! (`policy`), and how operators reach this (`admin`, `cli`).

pub mod signature;
pub mod source;
