//! The host's side of one call: the state behind its store, and the one import it has.
//!
//! A message beyond the caps is neither copied nor decoded, only counted, and does not change what
//! is decided. But a call of the host takes longer than its price in fuel says, so a loop of them
//! could hold its thread for longer than the budget promises: from the thousandth on they cost.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use super::bindings::wastegate::policy::log::Level;
use super::config::Config;
use super::limits::Limiter;
use crate::types::{DecisionId, RevisionId};

/// What a policy may ask of the host.
pub(super) const LOG_INTERFACE: &str = "wastegate:policy/log@1.0.0";
/// What a policy offers.
pub(super) const RANKER_INTERFACE: &str = "wastegate:policy/ranker@1.0.0";
/// Types only; granted because it can do nothing.
pub(super) const TYPES_INTERFACE: &str = "wastegate:policy/types@1.0.0";

/// Log calls that are free, written or dropped: about a tenth of a millisecond.
const LOG_CALLS_FREE: u32 = 1_024;

/// Fuel of each further one: what it takes the host, at the worst price of a unit of fuel.
const LOG_CALL_FUEL: u64 = 100;

/// What a store carries.
#[derive(Debug)]
pub(super) struct Guest {
    /// Refuses memory beyond the budget.
    pub(super) limiter: Limiter,
    /// Where its log lines go.
    pub(super) log: Log,
}

/// The log of one call.
#[derive(Debug)]
pub(super) struct Log {
    voice: Option<Voice>,
    lines_left: u32,
    line_bytes_max: usize,
    calls: u32,
    dropped: u32,
}

/// In whose name a call logs.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    /// The policy's name.
    pub(super) policy: Arc<str>,
    /// As which revision, if it is one.
    pub(super) revision: Option<RevisionId>,
    /// For which decision it is asked, if for one.
    pub(super) decision: Option<DecisionId>,
}

impl Log {
    /// A log with that voice; without one every line is dropped uncounted, as in the acceptance
    /// kit, whose rehearsals nobody wants to read.
    pub(super) const fn new(config: &Config, voice: Option<Voice>) -> Self {
        Self {
            voice,
            lines_left: config.log_lines_max,
            line_bytes_max: config.log_line_bytes_max,
            calls: 0,
            dropped: 0,
        }
    }

    /// How many lines were over the cap.
    pub(super) const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Whether a line may be written now; counts it either way.
    fn take_line(&mut self) -> Option<Voice> {
        let voice = self.voice.clone()?;
        match self.lines_left.checked_sub(1) {
            Some(left) => {
                self.lines_left = left;
                Some(voice)
            }
            None => {
                self.dropped = self.dropped.saturating_add(1);
                None
            }
        }
    }
}

/// Everything a policy may import.
///
/// # Errors
/// When the same name is defined twice, which is a mistake here.
pub(super) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    linker.instance(TYPES_INTERFACE)?;
    linker
        .instance(LOG_INTERFACE)?
        .func_wrap("log", |store, (level, message): (Level, WasmStr)| {
            write(store, level, &message)
        })?;
    Ok(linker)
}

fn write(
    mut store: StoreContextMut<'_, Guest>,
    level: Level,
    message: &WasmStr,
) -> wasmtime::Result<()> {
    let log = &mut store.data_mut().log;
    log.calls = log.calls.saturating_add(1);
    if log.calls > LOG_CALLS_FREE {
        let fuel = store.get_fuel()?;
        store.set_fuel(fuel.saturating_sub(LOG_CALL_FUEL))?;
    }
    let Some(voice) = store.data_mut().log.take_line() else {
        return Ok(());
    };
    let bytes_max = store.data().log.line_bytes_max;
    let message = message.to_str(&store)?;
    emit(level, &voice, &printable(&message, bytes_max));
    Ok(())
}

/// One line of text, cut off at a character boundary; control characters, which could forge
/// another line, become spaces.
fn printable(message: &str, bytes_max: usize) -> String {
    let mut line = String::with_capacity(message.len().min(bytes_max));
    for c in message.chars() {
        if line.len() + c.len_utf8() > bytes_max {
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

fn emit(level: Level, voice: &Voice, line: &str) {
    let policy = &*voice.policy;
    let revision = voice.revision.map(RevisionId::get);
    let decision = voice.decision.map(DecisionId::raw);
    match level {
        Level::Debug => tracing::debug!(target: "policy", policy, revision, decision, "{line}"),
        Level::Info => tracing::info!(target: "policy", policy, revision, decision, "{line}"),
        Level::Warn => tracing::warn!(target: "policy", policy, revision, decision, "{line}"),
        Level::Error => tracing::error!(target: "policy", policy, revision, decision, "{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_a_character_and_cannot_forge_another() {
        assert_eq!(printable("käse", 2), "k");
        assert_eq!(printable("a\nERROR b\u{1b}[31m", 64), "a ERROR b [31m");
    }

    #[test]
    fn lines_over_the_cap_are_counted() {
        let config = Config {
            log_lines_max: 2,
            ..Config::default()
        };
        let voice = Voice {
            policy: "p".into(),
            revision: None,
            decision: None,
        };
        let mut log = Log::new(&config, Some(voice));
        let written = (0..5).filter(|_| log.take_line().is_some()).count();
        assert_eq!((written, log.dropped()), (2, 3));
    }
}
