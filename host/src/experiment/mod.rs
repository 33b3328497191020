//! Strategies compared on real users.
//!
//! [`assign`] says who is in which arm. Not here: managers and sockets, how a policy is called, and
//! anything that could evict.

pub mod assign;
