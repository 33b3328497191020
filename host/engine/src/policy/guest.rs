//! The host's side of one call: the state behind its store, and the one import it has.
//!
//! A message beyond the cap of its call is neither copied nor decoded, only counted, and does not
//! change what is decided. But a call of the host takes longer than its price in fuel says, so a loop of them
//! could hold its thread for longer than the budget promises: from the thousandth on they cost.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use super::bindings::wastegate::policy::log as wit;
use super::config::Config;
use super::limits::Limiter;
use super::log::{Cap, Dropped, Level, Voice};
use super::wasi;

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

/// What is written in place of a line that is no text.
const UNREADABLE: &str = "\u{fffd} (a log line that is not UTF-8)";

/// What a store carries.
#[derive(Debug)]
pub(super) struct Guest {
    /// Refuses memory beyond the budget.
    pub(super) limiter: Limiter,
    /// Where its log lines go.
    pub(super) log: Log,
    /// Behind the inert stubs that a heavy component may import.
    pub(super) wasi: wasi::State,
}

/// The log of one call.
#[derive(Debug)]
pub(super) struct Log {
    voice: Option<Voice>,
    lines_left: u32,
    line_bytes_max: usize,
    calls: u32,
    dropped: Dropped,
}

impl Log {
    /// A log with that voice; without one everything is counted, decoded and cut as with one, and
    /// written nowhere: the acceptance kit, whose rehearsals nobody wants to read, goes the way that
    /// decisions go.
    pub(super) const fn new(config: &Config, voice: Option<Voice>) -> Self {
        Self {
            voice,
            lines_left: config.log_lines_max,
            line_bytes_max: config.log_line_bytes_max,
            calls: 0,
            dropped: Dropped::NONE,
        }
    }

    /// Ends the log of a call: counts what was dropped, and says how many lines that were.
    pub(super) fn end(&self) -> u32 {
        if let Some(voice) = &self.voice {
            voice.count_dropped(self.dropped);
        }
        self.dropped.total()
    }

    /// Whether a line may be written now; counts it either way.
    fn take_line(&mut self) -> bool {
        let left = self.lines_left.checked_sub(1);
        match left {
            Some(left) => self.lines_left = left,
            None => self.dropped.count(Cap::Call),
        }
        left.is_some()
    }

    /// Writes a line that was taken.
    fn say(&mut self, level: Level, line: &str) {
        if let Some(voice) = &self.voice
            && let Err(cap) = voice.say(level, line)
        {
            self.dropped.count(cap);
        }
    }
}

/// Everything a policy may import, save for the stubs of a heavy one (`wasi`).
///
/// # Errors
/// When the same name is defined twice, which is a mistake here.
pub(super) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    linker.instance(TYPES_INTERFACE)?;
    linker
        .instance(LOG_INTERFACE)?
        .func_wrap("log", |store, (level, message): (wit::Level, WasmStr)| {
            write(store, level, &message)
        })?;
    Ok(linker)
}

fn write(
    mut store: StoreContextMut<'_, Guest>,
    level: wit::Level,
    message: &WasmStr,
) -> wasmtime::Result<()> {
    let log = &mut store.data_mut().log;
    log.calls = log.calls.saturating_add(1);
    if log.calls > LOG_CALLS_FREE {
        let fuel = store.get_fuel()?;
        store.set_fuel(fuel.saturating_sub(LOG_CALL_FUEL))?;
    }
    if !store.data_mut().log.take_line() {
        return Ok(());
    }
    let line = match message.to_str(&store) {
        Ok(message) => printable(&message, store.data().log.line_bytes_max),
        // The engine does not say which bytes they were; nothing that is decided depends on them.
        Err(_) => UNREADABLE.to_owned(),
    };
    store.data_mut().log.say(grave(level), &line);
    Ok(())
}

/// Writes a line that came by another way than our own import, under the same caps.
pub(super) fn say(guest: &mut Guest, level: Level, line: &str) {
    if guest.log.take_line() {
        let line = printable(line, guest.log.line_bytes_max);
        guest.log.say(level, &line);
    }
}

const fn grave(level: wit::Level) -> Level {
    match level {
        wit::Level::Debug => Level::Debug,
        wit::Level::Info => Level::Info,
        wit::Level::Warn => Level::Warn,
        wit::Level::Error => Level::Error,
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::log::LogBook;
    use wastegate_core::types::Clock;

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
        let book = Arc::new(LogBook::new(&config, Clock::manual()));
        let voice = Voice {
            policy: "p".into(),
            revision: None,
            decision: None,
            share: Arc::new(book.share()),
            book,
        };
        let mut log = Log::new(&config, Some(voice));
        let written = (0..5).filter(|_| log.take_line()).count();
        assert_eq!((written, log.end()), (2, 3));
    }
}
