//! The limiter that refuses a call memory and tables beyond its allowance.
//!
//! Not here: how much a call may take (`allowance`).

use wasmtime::ResourceLimiter;

use super::allowance::{Allowance, Size};

/// Elements of one table: function pointers, which no policy needs many of.
pub(super) const TABLE_ELEMENTS_MAX: usize = 10_000;

/// The same for a heavy component: an interpreter has some ten thousand functions.
pub(super) const HEAVY_TABLE_ELEMENTS_MAX: usize = 200_000;

/// Core instances, tables and memories of a light component.
const PARTS: Parts = Parts {
    instances: 16,
    tables: 8,
    memories: 2,
    table_elements: TABLE_ELEMENTS_MAX,
};

/// The same of a heavy one: Python comes as some dozens of shared libraries.
pub(super) const HEAVY_PARTS: Parts = Parts {
    instances: 256,
    tables: 64,
    memories: 8,
    table_elements: HEAVY_TABLE_ELEMENTS_MAX,
};

/// How many parts a component may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) instances: usize,
    pub(super) tables: usize,
    pub(super) memories: usize,
    /// In each table.
    pub(super) table_elements: usize,
}

/// Something that was asked for and refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// More linear memory.
    Memory,
    /// A larger table.
    Table,
}

/// Refuses growth beyond a budget with a trap, so that a guest cannot mistake it for an answer,
/// and remembers that it did.
#[derive(Debug)]
pub(super) struct Limiter {
    parts: Parts,
    memory_bytes: usize,
    /// What all of its memories have together.
    held_bytes: usize,
    refused: Option<Refused>,
}

impl Limiter {
    /// Of a call's linear memory, in all memories together, and of the parts of its size.
    pub(super) fn new(allowance: &Allowance) -> Self {
        Self {
            parts: match allowance.size {
                Size::Small | Size::Large => PARTS,
                Size::Heavy => HEAVY_PARTS,
            },
            memory_bytes: usize::try_from(allowance.memory_bytes).unwrap_or(usize::MAX),
            held_bytes: 0,
            refused: None,
        }
    }

    /// The most linear memory that was granted, bytes, in all memories together. Memory never
    /// shrinks, so it is what the guest holds.
    pub(super) const fn held(&self) -> u64 {
        self.held_bytes as u64
    }

    /// What was refused, if anything was.
    pub(super) const fn refused(&self) -> Option<Refused> {
        self.refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let held_bytes = (self.held_bytes.saturating_sub(current)).saturating_add(desired);
        if held_bytes <= self.memory_bytes && maximum.is_none_or(|maximum| desired <= maximum) {
            self.held_bytes = held_bytes;
            return Ok(true);
        }
        self.refused = Some(Refused::Memory);
        Err(wasmtime::format_err!("{desired} bytes of memory refused"))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = Some(Refused::Memory);
        Err(error)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired <= self.parts.table_elements && maximum.is_none_or(|maximum| desired <= maximum)
        {
            return Ok(true);
        }
        self.refused = Some(Refused::Table);
        Err(wasmtime::format_err!(
            "a table of {desired} elements refused"
        ))
    }

    fn instances(&self) -> usize {
        self.parts.instances
    }

    fn tables(&self) -> usize {
        self.parts.tables
    }

    fn memories(&self) -> usize {
        self.parts.memories
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::config::Config;
    use crate::policy::heavy::{HeavyReason, Weight};
    use wastegate_core::types::{Limits, Scope};

    /// All memories together: what one may have, two may not have twice.
    #[test]
    fn the_cap_on_memory_is_one_for_the_whole_call() {
        const MIB: usize = 1 << 20;
        let config = Config::default();
        let heavy = Weight::Heavy(HeavyReason::Parts);
        let allowance = Allowance::of(&config, heavy, &Limits::NODES, Scope::User, 20, 6);
        assert_eq!(allowance.memory_bytes, 64 << 20);
        let mut limiter = Limiter::new(&allowance);
        assert!(limiter.memory_growing(0, 40 * MIB, None).unwrap());
        assert!(limiter.memory_growing(40 * MIB, 50 * MIB, None).unwrap());
        assert!(limiter.memory_growing(0, 14 * MIB, None).unwrap());
        assert!(limiter.memory_growing(0, MIB, None).is_err());
        assert_eq!(limiter.refused(), Some(Refused::Memory));
    }
}
