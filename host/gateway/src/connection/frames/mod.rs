//! Where frames begin and end in a stream of bytes, without holding what is in them.
//!
//! A gateway hands frames on as they are: what the two ends negotiated (compression, fragmentation) is
//! theirs. So it reads headers only. [`Scanner`] is fed with whatever came off the wire and says which
//! bytes to hand on, which control frames were among them, and between which frames something of our
//! own may be put. Every rule that concerns the form of a frame is checked (RFC 6455, section 5); what
//! a payload means (UTF-8, inflating) is the business of whoever it is for.
//!
//! Pure: no socket, no clock, no allocation but for the payload of one control frame.

mod control;
mod header;
mod scanner;

#[cfg(test)]
mod tests;

pub use control::{Control, ControlKind, encode};
pub use header::{Unmasked, Violation};
pub use scanner::{FrameLimits, Piece, Scanner, Sender};
