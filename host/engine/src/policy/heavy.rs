//! What is granted to heavy components, and what makes one heavy.
//!
//! A policy in Rust, C or Zig is some kilobytes of code with one small memory, and takes microseconds
//! in a slot of the pool. JavaScript and Python bring their interpreter along: ten to twenty
//! megabytes of code, dozens of core instances and tables, tens of megabytes of memory. Such a
//! component is *heavy*: it runs in a sandbox that allocates on demand, on the worker pool at every
//! scope, within the budgets here. The contract is the same.
//!
//! Not here: how a component is looked at (`load::weight`), and its sandbox (`sandbox`).

use std::time::Duration;

use super::config::InvalidConfig;

/// One heavy component's limits: `[policy.heavy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeavySettings {
    /// The largest file of a heavy component, bytes. Default 24 MiB.
    pub size_bytes_max: u64,
    /// Fuel of every call, whatever its size. Default 20,000,000.
    pub fuel_base: u64,
    /// Fuel of a call for each row on top. Default 500,000.
    pub fuel_per_row: u64,
    /// Linear memory of a call, all memories together, bytes. Default 64 MiB.
    pub memory_bytes: u64,
    /// How long whoever asked waits for the call, queueing included, and how long it may hold its
    /// worker. Default 500 ms.
    pub deadline: Duration,
}

/// The most that [`HeavySettings::size_bytes_max`] may be set to, bytes.
pub(crate) const SIZE_BYTES_CAP: u64 = 64 << 20;

impl Default for HeavySettings {
    fn default() -> Self {
        Self {
            size_bytes_max: 24 << 20,
            fuel_base: 20_000_000,
            fuel_per_row: 500_000,
            memory_bytes: 64 << 20,
            deadline: Duration::from_millis(500),
        }
    }
}

impl HeavySettings {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`InvalidConfig`] naming the first one that is out of range.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let rules = [
            (
                "heavy.size_bytes_max",
                (1..=SIZE_BYTES_CAP).contains(&self.size_bytes_max),
                "between 1 byte and 64 MiB",
            ),
            ("heavy.fuel_base", self.fuel_base > 0, "above 0"),
            (
                "heavy.memory_bytes",
                (1 << 20..=1 << 30).contains(&self.memory_bytes),
                "between 1 MiB and 1 GiB",
            ),
            ("heavy.deadline", !self.deadline.is_zero(), "above 0"),
        ];
        for (key, holds, must) in rules {
            if !holds {
                return Err(InvalidConfig { key, must });
            }
        }
        Ok(())
    }
}

/// Which sandbox a component runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A slot of the pool: microseconds, inline at user scope.
    Light,
    /// Allocated on demand, on the worker pool at every scope.
    Heavy(HeavyReason),
}

/// What makes a component heavy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeavyReason {
    /// It imports what a standard library pulls in, so there is one inside.
    Stubs,
    /// More core instances, tables or memories than a slot has.
    Parts,
    /// More memory from the start than a small call gets.
    Memory,
}

impl Weight {
    /// Whether it is heavy.
    #[must_use]
    pub const fn is_heavy(self) -> bool {
        matches!(self, Self::Heavy(_))
    }
}

impl std::fmt::Display for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Light => "light: runs in a slot of the pool",
            Self::Heavy(HeavyReason::Stubs) => {
                "heavy: it imports WASI, so it brings a standard library"
            }
            Self::Heavy(HeavyReason::Parts) => {
                "heavy: it has more core instances, tables or memories than a slot of the pool"
            }
            Self::Heavy(HeavyReason::Memory) => {
                "heavy: it starts with more memory than a call about one user's managers gets (`policy.memory_user_bytes`)"
            }
        })
    }
}
