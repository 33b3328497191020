//! What the tests of wastegate share: the [`harness`], which starts a gateway on real sockets and
//! talks to it, and the [`guests`] that a policy slot can be given.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a harness that meets what it did not expect has found out what the test asks"
)]

pub mod guests;
pub mod harness;

/// Compiles and runs the examples of the guide for authors.
#[cfg(doctest)]
#[doc = include_str!("../../policies/README.md")]
struct Guide;
