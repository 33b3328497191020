//! The engine: compiles policies and gives every call a fresh store within limits.
//!
//! One engine serves the process. Its settings are chosen for one shape of call, a few microseconds
//! on a fresh pooled instance; each line says why it is there. The figures behind them are in the
//! project's notes on costs.

use std::sync::Arc;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{
    Enabled, InstanceAllocationStrategy, OperatorCost, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use super::config::{Config, InvalidConfig};
use super::guest::{self, Guest};
use super::ticker::{InFlight, Ticker};
use crate::types::time::Clock;

/// The engine's version, which every decision records: fuel is comparable within one only.
pub const ENGINE_VERSION: &str = "wasmtime 48.0.8";

/// Native stack that a guest may use, bytes; a thread has at least eight times as much.
const STACK_BYTES: usize = 256 * 1024;

/// Table memory that a free slot keeps, bytes.
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 * 1024;

/// Core instances and tables of one component: the guest, and what componentising adds.
const PARTS_PER_COMPONENT: u32 = 8;

/// Linear memories of one component.
const MEMORIES_PER_COMPONENT: u32 = 2;

/// Fuel of growing memory, which takes the host as long as hundreds of other instructions.
const MEMORY_GROW_FUEL: u8 = 255;

/// Fuel of each page that is asked for, had or not. Touching it for the first time costs far more
/// than fuel can say; for that there is the cap on memory.
const MEMORY_PAGE_FUEL: u8 = 16;

/// Compiles and calls policies. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    config: Config,
    clock: Clock,
    engine: wasmtime::Engine,
    linker: Linker<Guest>,
    ticker: Ticker,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
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
}

impl Engine {
    /// Sets an engine up. Where the machine has too little virtual memory for the pool of
    /// instances, each call allocates its own: slower, and logged.
    ///
    /// # Errors
    /// [`EngineError`] when a setting is out of range, or the machine cannot run it at all.
    pub fn new(config: Config, clock: Clock) -> Result<Self, EngineError> {
        config.check()?;
        let pooled = wasmtime::Engine::new(&settings(&config, Some(pool(&config))));
        let engine = pooled.or_else(|error| {
            tracing::warn!(
                error = format!("{error:#}"),
                "no virtual memory for a pool of policy instances; calls allocate their own and are slower"
            );
            wasmtime::Engine::new(&settings(&config, None))
        });
        let engine = engine.map_err(|error| EngineError::Setup(error.into()))?;
        let linker = guest::linker(&engine).map_err(|error| EngineError::Setup(error.into()))?;
        let ticker = Ticker::start(&engine, config.epoch_tick).map_err(EngineError::Thread)?;
        Ok(Self(Arc::new(Inner {
            config,
            clock,
            engine,
            linker,
            ticker,
        })))
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The clock by which calls are timed.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn raw(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    /// Notes that a call begins, which keeps the wall-clock backstop awake.
    pub(super) fn enter(&self) -> InFlight<'_> {
        self.0.ticker.enter()
    }

    /// Compiles a component. Takes about 1 ms a kilobyte and cannot be interrupted: never on a
    /// thread that somebody waits for.
    pub(super) fn compile(&self, component: &[u8]) -> wasmtime::Result<Component> {
        Component::new(&self.0.engine, component)
    }

    /// Links a component to what policies are granted.
    pub(super) fn link(&self, component: &Component) -> wasmtime::Result<InstancePre<Guest>> {
        self.0.linker.instantiate_pre(component)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

fn settings(config: &Config, pool: Option<PoolingAllocationConfig>) -> wasmtime::Config {
    let mut settings = wasmtime::Config::new();
    settings
        // The contract: deterministic on one version of the engine.
        .consume_fuel(true)
        .operator_cost(fuel_prices())
        // The backstop, for what fuel does not price.
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        // Half as fast with it; a NaN score is struck by the guard.
        .cranelift_nan_canonicalization(false)
        // Everything here is one synchronous call; without it calls take two thirds of the time.
        .concurrency_support(false)
        // Answers must not depend on the machine. Threads are not even compiled in.
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        // The default reads the environment.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    if let Some(pool) = pool {
        settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    } else {
        let reservation = config.memory_large_bytes_max;
        settings
            .memory_reservation(reservation)
            .memory_guard_size(64 * 1024);
    }
    settings
}

fn fuel_prices() -> OperatorCost {
    let mut prices = OperatorCost::new();
    prices.MemoryGrow = MEMORY_GROW_FUEL;
    prices.variable.memory_grow_per_page = MEMORY_PAGE_FUEL;
    prices
}

fn pool(config: &Config) -> PoolingAllocationConfig {
    let components = config.instances_max;
    let parts = components.saturating_mul(PARTS_PER_COMPONENT);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(components)
        .total_core_instances(parts)
        .total_tables(parts)
        .total_memories(components.saturating_mul(MEMORIES_PER_COMPONENT))
        .max_core_instances_per_component(PARTS_PER_COMPONENT)
        .max_tables_per_component(PARTS_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        // A call's own cap is its limiter's; this one bounds the largest.
        .max_memory_size(usize::try_from(config.memory_large_bytes_max).unwrap_or(usize::MAX))
        // Pages that a call touched are wiped in place rather than given back and faulted in again:
        // 7 instead of 17 microseconds a call.
        .linear_memory_keep_resident(config.keep_resident_bytes)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fuel is comparable within one version only, so a record that names another one lies.
    #[test]
    fn the_recorded_version_is_the_one_that_runs() {
        let lock = include_str!("../../../Cargo.lock");
        let version = ENGINE_VERSION.strip_prefix("wasmtime ").unwrap();
        let entry = format!("name = \"wasmtime\"\nversion = \"{version}\"");
        assert!(lock.contains(&entry), "no {entry}");
    }

    /// Where the pool cannot be had, the same answer takes the same fuel without it.
    #[test]
    fn without_a_pool_calls_are_the_same() {
        use crate::policy::load;
        use crate::policy::testing::{Guest, config, input};

        let config = config();
        let engine = wasmtime::Engine::new(&settings(&config, None)).unwrap();
        let linker = guest::linker(&engine).unwrap();
        let ticker = Ticker::start(&engine, config.epoch_tick).unwrap();
        let clock = Clock::system();
        let bare = Engine(Arc::new(Inner {
            config,
            clock,
            engine,
            linker,
            ticker,
        }));
        let bytes = Guest::default().wasm();
        let ask = |engine: &Engine| {
            let program = load::program(engine, &bytes).unwrap();
            let outcome = program.ask(&input(20), &[0.5], None);
            (outcome.result, outcome.fuel)
        };
        assert_eq!(ask(&bare), ask(&crate::policy::testing::engine()));
    }
}
