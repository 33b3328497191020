//! Fakes for the tests of the rooms: a gateway without a network on a virtual clock, peers that
//! behave as told, rankers that misbehave, and a recorder that remembers.
//!
//! Not here: real sockets and real policies; those are in the package `tests`.

mod notes;
mod peer;
mod rankers;
mod world;

pub(crate) use peer::{Client, Peer};
pub(crate) use rankers::{Always, Faulty, Hanging, Panicking, With, empty, ranked};
pub(crate) use world::{Setup, World, key, settle, user};
