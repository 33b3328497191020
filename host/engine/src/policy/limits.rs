//! What one call may hold: its budget, and the limiter that refuses memory beyond it.

use wasmtime::ResourceLimiter;

use super::allowance;
use super::config::Config;
use super::heavy::Weight;
use wastegate_core::types::{Limits, Scope};

/// Bytes of one choice as the host holds it: what an answer is charged by.
const CHOICE_BYTES: u64 = 16;

/// What an answer may hold besides choices: the text of an error, one log message.
const OUTPUT_SLACK_BYTES: u64 = 64 * 1024;

/// What `describe` may answer, bytes.
const MANIFEST_BYTES_MAX: u64 = 256 * 1024;

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

/// Working memory that a large call gets for each row besides its columns, bytes: keys, an index
/// and a choice.
const WORK_BYTES_PER_ROW: u64 = 128;

/// How many parts a component may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) instances: usize,
    pub(super) tables: usize,
    pub(super) memories: usize,
    /// In each table.
    pub(super) table_elements: usize,
}

/// Whether a call is made inline with a fixed cap on memory, or on the pool with one for its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// A user's few managers; `describe`.
    Small,
    /// Node scope, or many rows.
    Large,
    /// Any call of a heavy component.
    Heavy,
}

/// The limits of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    /// In which sandbox it is made.
    pub(super) size: Size,
    /// Units of fuel.
    pub(super) fuel: u64,
    /// Linear memory, bytes.
    pub(super) memory_bytes: u64,
    /// What crosses to the host, bytes.
    pub(super) output_bytes: u64,
    /// Choices in an answer.
    pub(super) choices_max: u64,
    /// By the wall clock.
    pub(super) deadline: std::time::Duration,
}

impl Budget {
    /// Of a call of `rank` about so many rows and columns, to a policy with those limits.
    pub(super) fn rank(
        config: &Config,
        limits: &Limits,
        scope: Scope,
        rows: u32,
        columns: usize,
    ) -> Self {
        let choices_max = u64::from(rows).saturating_mul(4).saturating_add(64);
        let memory_bytes = limits.memory_bytes.unwrap_or(config.memory_user_bytes);
        let memory_bytes = if config.is_large(scope, rows) {
            large_memory(memory_bytes, config.memory_large_bytes_max, rows, columns)
        } else {
            memory_bytes
        };
        let (size, deadline) = if allowance::is_large(limits, config, scope, rows) {
            (Size::Large, config.deadline_large)
        } else {
            (Size::Small, config.deadline)
        };
        let deadline = limits.deadline.unwrap_or(deadline);
        Self {
            size,
            fuel: allowance::fuel(limits, config, rows),
            memory_bytes,
            output_bytes: choices_max
                .saturating_mul(CHOICE_BYTES)
                .saturating_add(OUTPUT_SLACK_BYTES),
            choices_max,
            deadline,
        }
    }

    /// Of a call of `rank` of a heavy component.
    pub(super) fn heavy(config: &Config, limits: &Limits, rows: u32) -> Self {
        let heavy = &config.heavy;
        Self {
            size: Size::Heavy,
            fuel: allowance::fuel_heavy(limits, config, rows),
            memory_bytes: limits.memory_bytes.unwrap_or(heavy.memory_bytes),
            deadline: limits.deadline.unwrap_or(heavy.deadline),
            ..Self::rank(config, &Limits::NODES, Scope::User, rows, 0)
        }
    }

    /// Of the one call of `describe`.
    pub(super) fn describe(config: &Config, weight: Weight) -> Self {
        if weight.is_heavy() {
            return Self {
                fuel: config.fuel_describe.max(config.heavy.fuel_base),
                output_bytes: MANIFEST_BYTES_MAX,
                choices_max: 0,
                deadline: config.heavy.deadline,
                ..Self::heavy(config, &Limits::NODES, 0)
            };
        }
        Self {
            size: Size::Small,
            fuel: config.fuel_describe,
            memory_bytes: config.memory_user_bytes,
            output_bytes: MANIFEST_BYTES_MAX,
            choices_max: 0,
            deadline: config.deadline_large,
        }
    }
}

/// What a small call gets, room for the columns twice (as lowered, and as the guest may copy them)
/// and working memory for each row; no more than the largest slot has.
fn large_memory(small: u64, most: u64, rows: u32, columns: usize) -> u64 {
    let columns = u64::try_from(columns).unwrap_or(u64::MAX);
    let per_row = columns
        .saturating_mul(16)
        .saturating_add(WORK_BYTES_PER_ROW);
    small
        .saturating_add(per_row.saturating_mul(u64::from(rows)))
        .min(most)
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
    pub(super) fn new(budget: &Budget) -> Self {
        Self {
            parts: match budget.size {
                Size::Small | Size::Large => PARTS,
                Size::Heavy => HEAVY_PARTS,
            },
            memory_bytes: usize::try_from(budget.memory_bytes).unwrap_or(usize::MAX),
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

    #[test]
    fn a_user_call_has_the_fixed_cap_and_a_large_one_room_for_its_rows() {
        let config = Config::default();
        let rank =
            |scope, rows, columns| Budget::rank(&config, &Limits::NODES, scope, rows, columns);
        let user = rank(Scope::User, 20, 6);
        assert_eq!((user.fuel, user.memory_bytes), (40_000, 2 << 20));
        let node = rank(Scope::Node, 100_000, 6);
        assert_eq!(node.memory_bytes, (2 << 20) + 100_000 * (6 * 16 + 128));
        let huge = rank(Scope::Node, u32::MAX, 34);
        assert_eq!(huge.memory_bytes, config.memory_large_bytes_max);
    }

    #[test]
    fn a_policys_own_limits_stand_in_for_the_nodes() {
        let config = Config::default();
        let limits = Limits {
            fuel_base: Some(1_000),
            fuel_per_row: Some(10),
            memory_bytes: Some(8 << 20),
            deadline: Some(std::time::Duration::from_millis(40)),
        };
        let budget = Budget::rank(&config, &limits, Scope::User, 20, 6);
        assert_eq!((budget.fuel, budget.memory_bytes), (1_200, 8 << 20));
        assert_eq!(budget.deadline.as_millis(), 40);
        assert_eq!(budget.size, Size::Large, "no small slot has that much");
        let node = Budget::rank(&config, &limits, Scope::Node, 100_000, 6);
        assert_eq!(node.memory_bytes, (8 << 20) + 100_000 * (6 * 16 + 128));
        let tight = Limits {
            memory_bytes: Some(1 << 20),
            ..Limits::NODES
        };
        let budget = Budget::rank(&config, &tight, Scope::User, 20, 6);
        assert_eq!((budget.size, budget.memory_bytes), (Size::Small, 1 << 20));
    }

    /// All memories together: what one may have, two may not have twice.
    #[test]
    fn the_cap_on_memory_is_one_for_the_whole_call() {
        const MIB: usize = 1 << 20;
        let config = Config::default();
        let budget = Budget::heavy(&config, &Limits::NODES, 20);
        assert_eq!(budget.memory_bytes, 64 << 20);
        let mut limiter = Limiter::new(&budget);
        assert!(limiter.memory_growing(0, 40 * MIB, None).unwrap());
        assert!(limiter.memory_growing(40 * MIB, 50 * MIB, None).unwrap());
        assert!(limiter.memory_growing(0, 14 * MIB, None).unwrap());
        assert!(limiter.memory_growing(0, MIB, None).is_err());
        assert_eq!(limiter.refused(), Some(Refused::Memory));
    }
}
