//! One call of a guest: fresh store, fresh instance, every limit set before its first instruction,
//! and every way it can end brought home as a value.
//!
//! Not here: what is asked (`program`), whether it should be asked at all (`ranker`).

use std::time::Duration;

use wasmtime::{PoolConcurrencyLimitError, Store, Trap, WasmBacktrace};

use super::allowance::Allowance;
use super::engine::Engine;
use super::guest::{Guest, Log};
use super::limits::{Limiter, Refused};
use super::link::{Linked, Started};
use super::log::Voice;
use super::wasi::{self, Moment};
use wastegate_core::decision::Fault;
use wastegate_core::types::{Scope, Tier};

/// Bytes of text that are kept of a trap or of a guest's own error.
const TEXT_BYTES_MAX: usize = 256;

/// What a policy is asked: numbers, and nothing that names anybody.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// How hard the host is looking.
    pub tier: Tier,
    /// Whose managers the rows are.
    pub scope: Scope,
    /// How many the host would take.
    pub needed: u32,
    /// The limit that the scope is held to.
    pub limit: u32,
    /// How many managers it holds.
    pub held: u32,
    /// When, milliseconds on the host's monotonic clock.
    pub now_ms: u64,
    /// From which a randomised policy derives all of its randomness.
    pub seed: u64,
    /// How many rows there are.
    pub rows: u32,
    /// One column a declared signal, each of `rows` values; NaN is unknown.
    pub columns: Vec<Vec<f64>>,
}

/// How a call ended, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct CallOutcome<T> {
    /// What it answered, or why it did not.
    pub result: Result<T, Fault>,
    /// Units of fuel that it used.
    pub fuel: u64,
    /// By the wall clock.
    pub duration: Duration,
    /// The most linear memory that it held, bytes.
    pub memory_bytes: u64,
    /// Log lines that were over a cap: the call's, the policy's or the node's.
    pub lines_dropped: u32,
}

impl<T> CallOutcome<T> {
    /// Turns an answer into another, which may be a fault.
    pub(super) fn and_then<U>(self, next: impl FnOnce(T) -> Result<U, Fault>) -> CallOutcome<U> {
        CallOutcome {
            result: self.result.and_then(next),
            fuel: self.fuel,
            duration: self.duration,
            memory_bytes: self.memory_bytes,
            lines_dropped: self.lines_dropped,
        }
    }
}

/// Instantiates a policy and calls it once, within an allowance.
pub(super) fn once<T>(
    engine: &Engine,
    linked: &Linked,
    allowance: &Allowance,
    moment: Moment,
    voice: Option<Voice>,
    ask: impl FnOnce(&Started<'_>, &mut Store<Guest>) -> wasmtime::Result<T>,
) -> CallOutcome<T> {
    let started = engine.clock().now();
    let sandbox = engine.sandbox(allowance.size);
    let mut store = sandbox.store(Guest {
        limiter: Limiter::new(allowance),
        log: Log::new(engine.config(), voice),
        wasi: wasi::State::new(moment),
    });
    let in_flight = sandbox.enter();
    let result = limit(engine, allowance, &mut store)
        .and_then(|()| linked.start(&mut store))
        .and_then(|guest| ask(&guest, &mut store));
    drop(in_flight);
    wasi::flush(store.data_mut());
    CallOutcome {
        result: result.map_err(|error| fault(&error, allowance, store.data())),
        fuel: allowance.fuel.saturating_sub(store.get_fuel().unwrap_or(0)),
        duration: engine.clock().now().since(started),
        memory_bytes: store.data().limiter.held(),
        lines_dropped: store.data().log.end(),
    }
}

/// Sets every limit. Before instantiation, because a start function runs during it.
fn limit(engine: &Engine, allowance: &Allowance, store: &mut Store<Guest>) -> wasmtime::Result<()> {
    store.limiter(|guest| &mut guest.limiter);
    store.set_fuel(allowance.fuel)?;
    store.set_epoch_deadline(ticks(allowance.deadline, engine.config().epoch_tick));
    store.set_hostcall_fuel(usize::try_from(allowance.output_bytes).unwrap_or(usize::MAX));
    Ok(())
}

/// How many ticks a call gets. The first one may come at once, so it is one more than fit.
fn ticks(deadline: Duration, tick: Duration) -> u64 {
    let whole = deadline.as_micros().div_ceil(tick.as_micros().max(1));
    u64::try_from(whole)
        .unwrap_or(u64::MAX / 2)
        .min(u64::MAX / 2)
        + 1
}

/// Names what ended a call.
fn fault(error: &wasmtime::Error, allowance: &Allowance, guest: &Guest) -> Fault {
    match guest.limiter.refused() {
        Some(Refused::Memory) => return Fault::Memory(allowance.memory_bytes),
        Some(Refused::Table) => return Fault::Trap("asked for a larger table".to_owned()),
        None => {}
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Fault::Saturated;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Fault::OutOfFuel(allowance.fuel),
        Some(Trap::Interrupt) => Fault::Deadline(allowance.deadline),
        Some(trap) => Fault::Trap(trap_text(trap, error)),
        None => other(error, allowance),
    }
}

/// The trap in words, with the innermost function if the guest has names.
fn trap_text(trap: &Trap, error: &wasmtime::Error) -> String {
    let text = trap.to_string();
    let text = text.strip_prefix("wasm trap: ").unwrap_or(&text);
    let function = error
        .downcast_ref::<WasmBacktrace>()
        .and_then(|backtrace| backtrace.frames().first())
        .and_then(|frame| frame.func_name());
    clip(&match function {
        Some(function) => format!("{text}, in `{function}`"),
        None => text.to_owned(),
    })
}

/// What is no trap: an answer that is malformed, or larger than what may cross.
fn other(error: &wasmtime::Error, allowance: &Allowance) -> Fault {
    let cause = error.root_cause().to_string();
    // The engine's type for this is private; the sentence is asserted by a test of this room.
    if cause.contains("fuel allocated for hostcalls has been exhausted") {
        return Fault::OutputTooLarge(allowance.output_bytes);
    }
    Fault::Trap(clip(&cause))
}

/// The beginning of a text, in whole characters and without control characters.
pub(super) fn clip(text: &str) -> String {
    let mut clipped = String::with_capacity(text.len().min(TEXT_BYTES_MAX));
    for c in text.chars() {
        if clipped.len() + c.len_utf8() > TEXT_BYTES_MAX {
            break;
        }
        clipped.push(if c.is_control() { ' ' } else { c });
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_never_gets_less_than_its_deadline() {
        let ms = Duration::from_millis;
        assert_eq!(ticks(ms(20), ms(10)), 3);
        assert_eq!(ticks(ms(25), ms(10)), 4);
        assert_eq!(ticks(Duration::MAX, ms(1)), u64::MAX / 2 + 1);
    }
}
