//! Machine code from a file, made into a component again. Nothing else is done here, because it is
//! the one thing in this room that the compiler cannot check.

#![expect(
    unsafe_code,
    reason = "the engine runs what it is given here as native code and can check its header only"
)]

use wasmtime::Engine;
use wasmtime::component::Component;

use super::compiled::Kept;

/// A component from its compiled form.
///
/// # Errors
/// When it was made by another version of the engine, for other settings or another processor.
pub(super) fn component(engine: &Engine, kept: &Kept) -> wasmtime::Result<Component> {
    // SAFETY: the bytes have to be what `Component::serialize` wrote. A `Kept` is made in one place,
    // from a file that this user alone can write or read, in a directory that is so as well, whose
    // SHA-256 is the one that was written with it; and nothing is ever put there but what
    // `Component::serialize` returned. Whoever can forge such a file can run code as this user
    // without us.
    unsafe { Component::deserialize(engine, kept.native()) }
}
