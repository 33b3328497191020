//! Was it right? Labels for evictions and admissions, as they come to light.
//!
//! A victim that answers our Close was alive; a user who comes back for an evicted manager wanted
//! it. Each such fact is a [`Label`], told once to every [`Listener`] and counted. Not here: who is
//! evicted (`decision`, `cleanup`), which policies are compared (`experiment`), WASM.

pub mod label;

pub use label::{Alive, Label, Listener};
