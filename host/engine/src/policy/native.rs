//! Machine code from a file or another process, made into a component again. Nothing else is done here, because it is
//! the one thing in this room that the compiler cannot check.

#![expect(
    unsafe_code,
    reason = "the engine runs what it is given here as native code and can check its header only"
)]

use wasmtime::Engine;
use wasmtime::component::Component;

use super::load::Native;

/// A component from its compiled form.
///
/// # Errors
/// When it was made by another version of the engine, for other settings or another processor.
pub(super) fn component(engine: &Engine, native: &Native) -> wasmtime::Result<Component> {
    // SAFETY: the bytes have to be what `Engine::precompile_component` wrote. A `Native` is made in
    // three places. `load::make` makes it of what that function just returned. `load::workshop::wire`
    // makes it of what `load::make` made in another process of this program, which this one started
    // from `/proc/self/exe`, read from a pipe that nobody else holds, with its SHA-256. And `load::link`
    // makes it of a file that this user alone can write or read, in a directory that is so as well,
    // whose SHA-256 is the one that was written with it; nothing is ever put there but what was made.
    // Whoever can forge these can run code as this user without us.
    unsafe { Component::deserialize(engine, native.bytes()) }
}
