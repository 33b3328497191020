//! Inert stubs for what a language's standard library imports: WASI 0.2 in name, with nothing
//! behind it.
//!
//! A policy that brings a standard library along imports an environment, streams, clocks and
//! randomness before its author has written a line. It is granted these and gets from them what a
//! pure function may have:
//!
//! | interface | what it gets |
//! | --- | --- |
//! | `wasi:cli/environment` | no variables, no arguments, no directory |
//! | `wasi:cli/stdout`, `stderr` | lines of the policy's log (info, warn), under its caps |
//! | `wasi:cli/stdin` | a stream at its end |
//! | `wasi:cli/terminal-*` | there is no terminal |
//! | `wasi:cli/exit` | a trap |
//! | `wasi:clocks/*` | the moment of the decision (`now-ms`), standing still; the wall clock reads the same, since an epoch that means nothing |
//! | `wasi:random/*` | `SplitMix64` from the seed of the call |
//! | `wasi:io/poll` | everything is ready; waiting is a trap |
//! | `wasi:filesystem/preopens` | no directories, so that nothing in `types` can be called |
//!
//! Whatever else there is in a granted interface is a trap that names it. So the answer to a call is
//! still a function of the call. Any version 0.2.x will do: a component is linked by the names that
//! it imports itself.
//!
//! Not here: what is not granted at all, and in which words (`load::imports`).

mod answers;
mod output;

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance};

pub(super) use output::flush;

use self::answers::define;
use self::output::Line;
use super::call::Input;
use super::guest::Guest;
use wastegate_core::types::SplitMix64;

/// Interfaces that are granted, all of version 0.2.
const GRANTED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// The track of versions that is granted.
const TRACK: &str = "0.2.";

/// Handles that a call may ask for: streams and what waits for them. A printed line takes one.
const HANDLES_MAX: u32 = 4_096;

/// Whether an import is answered here.
pub(super) fn grants(import: &str) -> bool {
    import
        .split_once('@')
        .is_some_and(|(name, version)| version.starts_with(TRACK) && GRANTED.contains(&name))
}

/// What the stubs may know of a call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moment {
    /// As in the call.
    now_ms: u64,
    /// As in the call.
    seed: u64,
}

impl Moment {
    /// When a call is made, and its seed.
    pub(super) const fn of(input: &Input) -> Self {
        Self {
            now_ms: input.now_ms,
            seed: input.seed,
        }
    }
}

/// What the stubs keep during a call.
#[derive(Debug)]
pub(super) struct State {
    now_ms: u64,
    random: SplitMix64,
    stdout: Line,
    stderr: Line,
    handles: u32,
}

impl State {
    /// At the beginning of a call.
    pub(super) const fn new(moment: Moment) -> Self {
        Self {
            now_ms: moment.now_ms,
            random: SplitMix64::new(moment.seed),
            stdout: Line::new(),
            stderr: Line::new(),
            handles: 0,
        }
    }
}

/// Defines all that a component imports of WASI.
///
/// # Errors
/// When a name cannot be defined, which is a mistake here: imports were checked before.
pub(super) fn grant(
    linker: &mut Linker<Guest>,
    component: &Component,
    engine: &Engine,
) -> wasmtime::Result<()> {
    for (import, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            continue;
        };
        if !grants(import) {
            continue;
        }
        let mut stubs = linker.instance(import)?;
        for (name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => function(&mut stubs, import, name)?,
                ComponentItem::Resource(_) => answers::resource(&mut stubs, name)?,
                // Plain types need no definition.
                _ => {}
            }
        }
    }
    Ok(())
}

/// A function that is answered, else a trap that names it.
fn function(
    stubs: &mut LinkerInstance<'_, Guest>,
    import: &str,
    name: &str,
) -> wasmtime::Result<()> {
    let interface = import.split_once('@').map_or(import, |(name, _)| name);
    if define(stubs, interface, name)? {
        return Ok(());
    }
    let called = format!("it called `{interface}#{name}`, of which policies get a stub only");
    stubs.func_new(name, move |_, _, _, _| {
        Err(wasmtime::Error::msg(called.clone()))
    })
}

#[cfg(test)]
mod tests;
