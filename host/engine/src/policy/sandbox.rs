//! One sandbox: an engine of wasmtime's, the imports it grants, the clock that watches it.
//!
//! Its settings are chosen for one shape of call, a few microseconds on a fresh pooled instance;
//! each line says why it is there. The figures behind them are in the project's notes on costs. The
//! sandbox of heavy components differs in how it allocates and in what it grants, and in nothing
//! that could change an answer.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{
    Enabled, InstanceAllocationStrategy, OperatorCost, OptLevel, PoolingAllocationConfig, Store,
    WasmBacktraceDetails,
};

use super::engine::EngineError;
use super::guest::{self, Guest};
use super::load::Native;
use super::native;
use super::ticker::{InFlight, Ticker};
use super::wasi;

/// Native stack that a guest may use, bytes; a thread has at least eight times as much.
const STACK_BYTES: usize = 256 * 1024;

/// The same for a heavy component: an interpreter recurses. A quarter of what a thread has.
const HEAVY_STACK_BYTES: usize = 512 * 1024;

/// Table memory that a free slot keeps, bytes.
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 * 1024;

/// Core instances and tables of one component: the guest, and what componentising adds.
pub(super) const PARTS_PER_COMPONENT: u32 = 8;

/// Linear memories of one component.
pub(super) const MEMORIES_PER_COMPONENT: u32 = 2;

/// Fuel of growing memory, which takes the host as long as hundreds of other instructions.
const MEMORY_GROW_FUEL: u8 = 255;

/// Fuel of each page that is asked for, had or not. Touching it for the first time costs far more
/// than fuel can say; for that there is the cap on memory.
const MEMORY_PAGE_FUEL: u8 = 16;

/// Bytes that fault behind a memory without a pool.
const GUARD_BYTES: u64 = 64 * 1024;

/// The pool of a sandbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots {
    /// Instances at once.
    pub(super) instances: u32,
    /// The most memory that any call can get, bytes.
    pub(super) memory_bytes: u64,
    /// Memory that a free slot keeps, bytes.
    pub(super) keep_resident_bytes: usize,
}

/// How much address space the code of a sandbox takes a memory to have, which is compiled into it:
/// what the engine reserves by itself, or a cap of ours where nothing can be reserved. Code is
/// compiled once for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Layout(u64);

/// Where calls are made.
pub(super) struct Sandbox {
    engine: wasmtime::Engine,
    layout: Layout,
    linker: Linker<Guest>,
    ticker: Ticker,
}

impl Sandbox {
    /// Sets one up, without its pool if the machine has too little virtual memory.
    pub(super) fn start(slots: &Slots, tick: Duration) -> Result<Self, EngineError> {
        match wasmtime::Engine::new(&pooled(slots)) {
            Ok(engine) => Self::of(engine, Layout::RESERVED, tick),
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "no virtual memory for a pool of policy instances; calls allocate their own and are slower"
                );
                Self::without_pool(slots.memory_bytes, tick)
            }
        }
    }

    /// Sets one up in which every call allocates its own memory.
    pub(super) fn without_pool(memory_bytes: u64, tick: Duration) -> Result<Self, EngineError> {
        let layout = Layout(memory_bytes);
        let engine = wasmtime::Engine::new(&layout.settings()).map_err(setup)?;
        Self::of(engine, layout, tick)
    }

    /// Sets up the one of heavy components: nothing is reserved between calls, and a component may
    /// have as many parts and as much memory as the limiter lets it.
    pub(super) fn on_demand(tick: Duration) -> Result<Self, EngineError> {
        let mut settings = settings();
        settings.max_wasm_stack(HEAVY_STACK_BYTES);
        let engine = wasmtime::Engine::new(&settings).map_err(setup)?;
        Self::of(engine, Layout::RESERVED, tick)
    }

    fn of(engine: wasmtime::Engine, layout: Layout, tick: Duration) -> Result<Self, EngineError> {
        Ok(Self {
            layout,
            linker: guest::linker(&engine).map_err(setup)?,
            ticker: Ticker::start(&engine, tick).map_err(EngineError::Thread)?,
            engine,
        })
    }

    /// For which layout code has to be compiled to be run here.
    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Links a component to what policies are granted.
    pub(super) fn link(&self, component: &Component) -> wasmtime::Result<InstancePre<Guest>> {
        self.linker.instantiate_pre(component)
    }

    /// Links a heavy component: to the same, and to the inert stubs of what its standard library
    /// imports.
    pub(super) fn link_with_stubs(
        &self,
        component: &Component,
    ) -> wasmtime::Result<InstancePre<Guest>> {
        let mut linker = self.linker.clone();
        wasi::grant(&mut linker, component, &self.engine)?;
        linker.instantiate_pre(component)
    }

    /// A component from its compiled form, if it is for this engine, build and machine.
    pub(super) fn revive(&self, native: &Native) -> wasmtime::Result<Component> {
        native::component(&self.engine, native)
    }

    /// What tells compiled forms apart that this engine cannot use.
    pub(super) fn compatibility(&self, hasher: &mut impl Hasher) {
        self.engine.precompile_compatibility_hash().hash(hasher);
    }

    /// A store for one call.
    pub(super) fn store(&self, guest: Guest) -> Store<Guest> {
        Store::new(&self.engine, guest)
    }

    /// Notes that a call begins, which keeps the wall-clock backstop awake.
    pub(super) fn enter(&self) -> InFlight<'_> {
        self.ticker.enter()
    }
}

impl Layout {
    /// What the engine reserves by itself.
    const RESERVED: Self = Self(0);

    pub(super) const fn number(self) -> u64 {
        self.0
    }

    pub(super) const fn of_number(number: u64) -> Self {
        Self(number)
    }

    fn settings(self) -> wasmtime::Config {
        let mut settings = settings();
        if self != Self::RESERVED {
            settings
                .memory_reservation(self.0)
                .memory_guard_size(GUARD_BYTES);
        }
        settings
    }
}

/// Compiles a component, without a sandbox to run it in. Takes about 1 ms a kilobyte and cannot be
/// interrupted: only where it is killed or waited for no longer than its deadline.
pub(super) fn compile(layout: Layout, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    wasmtime::Engine::new(&layout.settings())?.precompile_component(component)
}

fn setup(error: wasmtime::Error) -> EngineError {
    EngineError::Setup(error.into())
}

fn settings() -> wasmtime::Config {
    let mut settings = wasmtime::Config::new();
    settings
        // The contract: deterministic on one version of the engine.
        .consume_fuel(true)
        .operator_cost(fuel_prices())
        // The backstop, for what fuel does not price.
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        // Half as fast with it; a NaN score is rejected by the guard.
        .cranelift_nan_canonicalization(false)
        // Everything here is one synchronous call; without it calls take two thirds of the time.
        .concurrency_support(false)
        // Answers must not depend on the machine. Threads are not even compiled in.
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        // The default reads the environment.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    settings
}

fn fuel_prices() -> OperatorCost {
    let mut prices = OperatorCost::new();
    prices.MemoryGrow = MEMORY_GROW_FUEL;
    prices.variable.memory_grow_per_page = MEMORY_PAGE_FUEL;
    prices
}

fn pooled(slots: &Slots) -> wasmtime::Config {
    let parts = slots.instances.saturating_mul(PARTS_PER_COMPONENT);
    let memories = slots.instances.saturating_mul(MEMORIES_PER_COMPONENT);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(slots.instances)
        .total_core_instances(parts)
        .total_tables(parts)
        .total_memories(memories)
        .max_core_instances_per_component(PARTS_PER_COMPONENT)
        .max_tables_per_component(PARTS_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        // A call's own cap is its limiter's; this one bounds the largest.
        .max_memory_size(usize::try_from(slots.memory_bytes).unwrap_or(usize::MAX))
        // Pages that a call touched are wiped in place rather than given back and faulted in again:
        // 7 instead of 17 microseconds a call.
        .linear_memory_keep_resident(slots.keep_resident_bytes)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    let mut settings = settings();
    settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    settings
}
