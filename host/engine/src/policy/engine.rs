//! The engine: compiles policies and gives every call a fresh store within limits.
//!
//! One serves the process. It is three sandboxes. A pool's slot stays as large as the largest call
//! that used it: after one of ten thousand rows, wiping the slot would cost every small call half as
//! much again. So large calls have slots of their own, which give their memory back. And what fits
//! no slot, an interpreter with a policy in it, gets what it needs for each call.

use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::allowance::Size;
use super::compiled::{CompiledDir, CompiledDirError};
use super::config::{Config, InvalidConfig};
use super::load::workshop::Workshop;
use super::log::LogBook;
use super::sandbox::{Sandbox, Slots};
use wastegate_core::types::time::Clock;

/// The engine's version, which every decision records: fuel is comparable within one only.
pub const ENGINE_VERSION: &str = "wasmtime 48.0.8";

/// Large calls that are no pool worker's: a policy that is being loaded, and one to spare.
const LARGE_EXTRA: u32 = 2;

/// Compiles and calls policies. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    config: Config,
    clock: Clock,
    small: Sandbox,
    large: Sandbox,
    heavy: Sandbox,
    compiled: Option<CompiledDir>,
    workshop: Workshop,
    programs: Gauge,
    log: Arc<LogBook>,
}

/// Counts one program for as long as it lives.
#[derive(Debug)]
pub(super) struct Alive(Gauge);

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A setting is out of range.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// The engine does not start on this machine.
    #[error("the WASM engine cannot be set up on this machine")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no thread to watch the clock.
    #[error("the system gave no thread for the WASM engine's clock")]
    Thread(#[source] std::io::Error),
    /// The directory for compiled policies is none that could be trusted.
    #[error(transparent)]
    CompiledDir(#[from] CompiledDirError),
}

impl Engine {
    /// Sets an engine up. Where the machine has too little virtual memory for the pools of
    /// instances, each call allocates its own: slower, and logged.
    ///
    /// # Errors
    /// [`EngineError`] when a setting is out of range, or the machine cannot run it at all.
    pub fn new(config: Config, clock: Clock) -> Result<Self, EngineError> {
        config.check()?;
        let workers = u32::try_from(config.workers).unwrap_or(u32::MAX);
        let small = Slots {
            instances: config.instances_max,
            memory_bytes: config.memory_user_bytes,
            keep_resident_bytes: config.keep_resident_bytes,
        };
        let large = Slots {
            instances: workers.saturating_add(LARGE_EXTRA),
            memory_bytes: config.memory_large_bytes_max,
            keep_resident_bytes: 0,
        };
        let compiled = config.compiled_dir.as_deref().map(CompiledDir::open);
        Ok(Self(Arc::new(Inner {
            compiled: compiled.transpose()?,
            workshop: Workshop::new(&config.load, config.size_bytes_max),
            small: Sandbox::start(&small, config.epoch_tick)?,
            large: Sandbox::start(&large, config.epoch_tick)?,
            heavy: Sandbox::on_demand(config.epoch_tick)?,
            programs: Gauge::default(),
            log: Arc::new(LogBook::new(&config, clock.clone())),
            config,
            clock,
        })))
    }

    /// The settings that the engine was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The clock by which calls are timed.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// What policies log.
    #[must_use]
    pub fn log(&self) -> &Arc<LogBook> {
        &self.0.log
    }

    /// How many programs are compiled and alive: in seats, in decisions, or kept by somebody. The
    /// compiled code of the others is gone.
    #[must_use]
    pub fn programs(&self) -> usize {
        usize::try_from(self.0.programs.get()).unwrap_or_default()
    }

    /// Ends what is being compiled, and compiles nothing more: for when the host goes down.
    pub fn stop_loading(&self) {
        self.0.workshop.close();
    }

    /// Where policies are compiled.
    pub(super) fn workshop(&self) -> &Workshop {
        &self.0.workshop
    }

    /// Counts a program that was compiled.
    pub(super) fn alive(&self) -> Alive {
        self.0.programs.inc();
        Alive(self.0.programs.clone())
    }

    /// Puts what the engine counts into a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "programs",
            "Compiled policies in memory",
            self.0.programs.clone(),
        );
        self.0.log.register(registry);
    }

    /// Where calls of a size are made.
    pub(super) fn sandbox(&self, size: Size) -> &Sandbox {
        match size {
            Size::Small => &self.0.small,
            Size::Large => &self.0.large,
            Size::Heavy => &self.0.heavy,
        }
    }

    /// Where compiled forms are kept, if anywhere.
    pub(super) fn compiled(&self) -> Option<&CompiledDir> {
        self.0.compiled.as_ref()
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fuel is comparable within one version only, so a record that names another one lies.
    #[test]
    fn the_recorded_version_is_the_one_that_runs() {
        let lock = include_str!("../../../../Cargo.lock");
        let version = ENGINE_VERSION.strip_prefix("wasmtime ").unwrap();
        let entry = format!("name = \"wasmtime\"\nversion = \"{version}\"");
        assert!(lock.contains(&entry), "no {entry}");
    }

    /// Where the pools cannot be had, the same answer takes the same fuel without them.
    #[test]
    fn without_pools_calls_are_the_same() {
        use crate::policy::testing::{Guest, config, engine, input};
        use crate::policy::{CallOptions, load};

        let config = config();
        let bare = || Sandbox::without_pool(config.memory_large_bytes_max, config.epoch_tick);
        let bare = Engine(Arc::new(Inner {
            small: bare().unwrap(),
            large: bare().unwrap(),
            heavy: Sandbox::on_demand(config.epoch_tick).unwrap(),
            compiled: None,
            workshop: Workshop::new(&config.load, config.size_bytes_max),
            clock: Clock::system(),
            programs: Gauge::default(),
            log: Arc::new(LogBook::new(&config, Clock::system())),
            config: config.clone(),
        }));
        let bytes = Guest::default().wasm();
        let ask = |engine: &Engine, rows| {
            let program = load::program(engine, &bytes).unwrap();
            let outcome = program.ask(&input(rows), &[0.5], &CallOptions::default());
            (outcome.result, outcome.fuel)
        };
        for rows in [20, 5_000] {
            assert_eq!(ask(&bare, rows), ask(&engine(), rows));
        }
    }
}
