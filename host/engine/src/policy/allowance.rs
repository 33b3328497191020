//! How much a call of a policy may take: fuel, memory and time, and in which sandbox.
//!
//! [`Allowance`] is the only answer to that question. The server, the acceptance kit and every command
//! ask here, so that none of them can name another budget than the one that ends a call.
//!
//! [`Limits`] replace the node's values for one policy's calls, its acceptance kit included. A call
//! that may then take more than any inline call of the node may (in fuel, memory or time) is made
//! on the pool instead, so that no limit of one policy can delay the clients of another.

use std::time::Duration;

use super::config::Config;
use super::heavy::Weight;
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{Limits, Scope};

/// The most fuel that may be set, units: more than a second of any machine's time.
const FUEL_MAX: u64 = 1_000_000_000_000;

/// The smallest linear memory is one page, bytes.
const MEMORY_BYTES_MIN: u64 = 64 * 1024;

/// The shortest deadline.
const DEADLINE_MIN: Duration = Duration::from_millis(1);

/// Bytes of one choice as the host holds it: what an answer is charged by.
const CHOICE_BYTES: u64 = 16;

/// What an answer may hold besides choices: the text of an error, one log message.
const OUTPUT_SLACK_BYTES: u64 = 64 * 1024;

/// What `describe` may answer, bytes.
const MANIFEST_BYTES_MAX: u64 = 256 * 1024;

/// Working memory that a large call gets for each row besides its columns, bytes: keys, an index
/// and a choice.
const WORK_BYTES_PER_ROW: u64 = 128;

/// How many times its deadline a heavy component gets off the path, where others compile.
const HEAVY_PATIENCE: u32 = 8;

/// What one call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// In which sandbox the call is made.
    pub size: Size,
    /// Fuel, units.
    pub fuel: u64,
    /// Linear memory, all memories together, bytes.
    pub memory_bytes: u64,
    /// What crosses to the host, bytes.
    pub output_bytes: u64,
    /// Choices in an answer.
    pub choices_max: u64,
    /// How long the call may hold its thread, by the wall clock.
    pub deadline: Duration,
    /// How long a caller waits for a call on the pool, queueing included.
    pub patience: Duration,
    /// The settings that the values come from where the policy has no limits of its own.
    pub keys: &'static AllowanceKeys,
}

/// Whether a call is made inline with a fixed cap on memory, or on the pool with one for its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A user's few managers; `describe`.
    Small,
    /// Node scope, or many rows.
    Large,
    /// Any call of a heavy component.
    Heavy,
}

/// The settings that say how much a call may take.
#[derive(Debug, PartialEq, Eq)]
pub struct AllowanceKeys {
    /// Fuel of every call.
    pub fuel_base: &'static str,
    /// Fuel of a call for each row on top.
    pub fuel_per_row: &'static str,
    /// The most memory of a call.
    pub memory: &'static str,
    /// The longest deadline of a call.
    pub deadline: &'static str,
}

const LIGHT_KEYS: AllowanceKeys = AllowanceKeys {
    fuel_base: "policy.fuel_base",
    fuel_per_row: "policy.fuel_per_row",
    memory: "policy.memory_large_bytes_max",
    deadline: "policy.deadline_large_ms",
};

const HEAVY_KEYS: AllowanceKeys = AllowanceKeys {
    fuel_base: "policy.heavy.fuel_base",
    fuel_per_row: "policy.heavy.fuel_per_row",
    memory: "policy.heavy.memory_bytes",
    deadline: "policy.heavy.deadline_ms",
};

/// What the node gives to policies of a weight.
struct Node {
    fuel_base: u64,
    fuel_per_row: u64,
    /// Of a call that is not sized to its rows, bytes.
    memory_bytes: u64,
    memory_bytes_max: u64,
    /// Of a call on the pool.
    deadline_max: Duration,
    keys: &'static AllowanceKeys,
}

impl Node {
    const fn of(config: &Config, weight: Weight) -> Self {
        match weight {
            Weight::Light => Self {
                fuel_base: config.fuel_base,
                fuel_per_row: config.fuel_per_row,
                memory_bytes: config.memory_user_bytes,
                memory_bytes_max: config.memory_large_bytes_max,
                deadline_max: config.deadline_large,
                keys: &LIGHT_KEYS,
            },
            Weight::Heavy(_) => Self {
                fuel_base: config.heavy.fuel_base,
                fuel_per_row: config.heavy.fuel_per_row,
                memory_bytes: config.heavy.memory_bytes,
                memory_bytes_max: config.heavy.memory_bytes,
                deadline_max: config.heavy.deadline,
                keys: &HEAVY_KEYS,
            },
        }
    }

    fn fuel(&self, limits: &Limits, rows: u32) -> u64 {
        let base = limits.fuel_base.unwrap_or(self.fuel_base);
        let per_row = limits.fuel_per_row.unwrap_or(self.fuel_per_row);
        base.saturating_add(per_row.saturating_mul(u64::from(rows)))
    }
}

impl Allowance {
    /// Of a call of `rank` about so many rows and columns, of a policy of that weight with those
    /// limits.
    #[must_use]
    pub fn of(
        config: &Config,
        weight: Weight,
        limits: &Limits,
        scope: Scope,
        rows: u32,
        columns: usize,
    ) -> Self {
        let node = Node::of(config, weight);
        let choices_max = u64::from(rows).saturating_mul(4).saturating_add(64);
        let patience = limits.deadline.unwrap_or(node.deadline_max);
        let call = Self {
            size: Size::Heavy,
            fuel: node.fuel(limits, rows),
            memory_bytes: limits.memory_bytes.unwrap_or(node.memory_bytes),
            output_bytes: choices_max
                .saturating_mul(CHOICE_BYTES)
                .saturating_add(OUTPUT_SLACK_BYTES),
            choices_max,
            deadline: patience,
            patience,
            keys: node.keys,
        };
        if weight.is_heavy() {
            return call;
        }
        let many_rows = scope == Scope::Node || rows > config.inline_rows_max;
        let size = if many_rows || call.is_beyond_inline(&node, config, limits) {
            Size::Large
        } else {
            Size::Small
        };
        Self {
            size,
            memory_bytes: if many_rows {
                large_memory(call.memory_bytes, node.memory_bytes_max, rows, columns)
            } else {
                call.memory_bytes
            },
            deadline: match size {
                Size::Small => limits.deadline.unwrap_or(config.deadline),
                Size::Large | Size::Heavy => patience,
            },
            ..call
        }
    }

    /// Of the one call of `describe`.
    #[must_use]
    pub fn describe(config: &Config, weight: Weight) -> Self {
        let of_no_rows = Self::of(config, weight, &Limits::NODES, Scope::User, 0, 0);
        Self {
            fuel: match weight {
                Weight::Light => config.fuel_describe,
                Weight::Heavy(_) => config.fuel_describe.max(config.heavy.fuel_base),
            },
            output_bytes: MANIFEST_BYTES_MAX,
            choices_max: 0,
            deadline: of_no_rows.patience,
            ..of_no_rows
        }
    }

    /// The same off the path, where nothing waits for the answer: with the node's longest deadline,
    /// because a busy machine says nothing about the policy.
    #[must_use]
    pub(crate) fn off_path(self, config: &Config) -> Self {
        Self {
            deadline: match self.size {
                Size::Small | Size::Large => config.deadline_large,
                Size::Heavy => config.heavy.deadline.saturating_mul(HEAVY_PATIENCE),
            },
            ..self
        }
    }

    /// Whether the server makes the call on the pool.
    #[must_use]
    pub(crate) fn is_pooled(&self) -> bool {
        self.size != Size::Small
    }

    /// How much of the fuel a call used, percent, rounded down.
    #[must_use]
    pub const fn percent(&self, fuel: u64) -> u64 {
        let budget = if self.fuel == 0 { 1 } else { self.fuel };
        fuel.saturating_mul(100) / budget
    }

    /// Whether the policy's own limits allow more than any inline call of the node may take.
    fn is_beyond_inline(&self, node: &Node, config: &Config, limits: &Limits) -> bool {
        let memory = limits.memory_bytes.unwrap_or(0) > config.memory_user_bytes;
        let time = limits.deadline.unwrap_or_default() > config.deadline;
        memory || time || self.fuel > node.fuel(&Limits::NODES, config.inline_rows_max)
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

/// Why limits were refused: which one, what was given, and what it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the limit `{key}` is {given} and must be {must}")]
pub struct InvalidLimits {
    /// The limit, as it is written.
    pub key: &'static str,
    /// What was given.
    pub given: u64,
    /// What it has to be.
    pub must: String,
}

/// Checks limits against what the node gives.
///
/// # Errors
/// [`InvalidLimits`] with the first one that is out of range.
pub fn check(limits: &Limits, config: &Config, weight: Weight) -> Result<(), InvalidLimits> {
    let node = Node::of(config, weight);
    let (memory_max, memory_key) = (node.memory_bytes_max, node.keys.memory);
    let (deadline_max, deadline_key) = (whole_ms(node.deadline_max), node.keys.deadline);
    let rules = [
        (
            "fuel_base",
            limits.fuel_base,
            1..=FUEL_MAX,
            format!("from 1 to {FUEL_MAX}"),
        ),
        (
            "fuel_per_row",
            limits.fuel_per_row,
            0..=FUEL_MAX,
            format!("from 0 to {FUEL_MAX}"),
        ),
        (
            "memory_bytes",
            limits.memory_bytes,
            MEMORY_BYTES_MIN..=memory_max,
            format!("from {MEMORY_BYTES_MIN} to {memory_max}, which is `{memory_key}`"),
        ),
        (
            "deadline_ms",
            limits.deadline.map(whole_ms),
            whole_ms(DEADLINE_MIN)..=deadline_max,
            format!("from 1 to {deadline_max}, which is `{deadline_key}`"),
        ),
    ];
    for (key, given, range, must) in rules {
        if let Some(given) = given.filter(|given| !range.contains(given)) {
            return Err(InvalidLimits { key, given, must });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
