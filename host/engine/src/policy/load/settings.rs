//! What the operator may set about loading: `[policy.load]`.

use std::time::Duration;

use super::fence::{Bounds, Count};
use crate::policy::config::InvalidConfig;

/// What loading a policy may take, and what a file may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadSettings {
    /// Whether a policy is compiled in a process of its own, which alone can be held to its limits of
    /// memory and time. Only the program `wastegate` can do so; an embedding server compiles in a
    /// thread of known stack, behind the same bounds. Default true.
    pub own_process: bool,
    /// Policies that are compiled at once; more wait. Default 2.
    pub at_once_max: u32,
    /// How long compiling may take by the wall clock, and how long it may wait for its turn.
    /// Default 30 s: twice the processor time, for a machine that is busy with other things.
    pub deadline: Duration,
    /// The same of a file that is larger than `policy.size_bytes_max`. Default 5 min.
    pub heavy_deadline: Duration,
    /// Processor time of compiling. Default 15 s.
    pub cpu: Duration,
    /// The same of a file that is larger than `policy.size_bytes_max`. Default 3 min.
    pub heavy_cpu: Duration,
    /// Address space of the process that compiles, bytes. Default 1 GiB.
    pub memory_bytes: u64,
    /// The same of a file that is larger than `policy.size_bytes_max`. Default 4 GiB.
    pub heavy_memory_bytes: u64,
    /// What is counted in a file before anything else looks at it.
    pub bounds: Bounds,
}

/// The limits of one load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowed {
    pub(super) deadline: Duration,
    pub(super) cpu: Duration,
    pub(super) memory_bytes: u64,
    /// How the settings begin that these are from.
    pub(super) prefix: &'static str,
}

impl Default for LoadSettings {
    fn default() -> Self {
        Self {
            own_process: true,
            at_once_max: 2,
            deadline: Duration::from_secs(30),
            heavy_deadline: Duration::from_mins(5),
            cpu: Duration::from_secs(15),
            heavy_cpu: Duration::from_mins(3),
            memory_bytes: 1 << 30,
            heavy_memory_bytes: 4 << 30,
            bounds: Bounds::default(),
        }
    }
}

impl LoadSettings {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`InvalidConfig`] naming the first one that is out of range.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let bounds = Count::ALL.map(|count| self.bounds.of(count));
        let second = Duration::from_secs(1);
        let rules = [
            ("load.at_once_max", self.at_once_max > 0, "above 0"),
            ("load.deadline", !self.deadline.is_zero(), "above 0"),
            (
                "load.heavy_deadline",
                self.heavy_deadline >= self.deadline,
                "at least `load.deadline`",
            ),
            ("load.cpu", self.cpu >= second, "at least 1 s"),
            (
                "load.heavy_cpu",
                self.heavy_cpu >= self.cpu,
                "at least `load.cpu`",
            ),
            (
                "load.memory_bytes",
                self.memory_bytes >= 512 << 20,
                "at least 512 MiB",
            ),
            (
                "load.heavy_memory_bytes",
                self.heavy_memory_bytes >= self.memory_bytes,
                "at least `load.memory_bytes`",
            ),
            ("load.*_max", !bounds.contains(&0), "above 0"),
        ];
        for (key, holds, must) in rules {
            if !holds {
                return Err(InvalidConfig { key, must });
            }
        }
        Ok(())
    }

    /// What loading a file of a size may take.
    pub(super) const fn allowed(&self, is_large: bool) -> Allowed {
        if is_large {
            Allowed {
                deadline: self.heavy_deadline,
                cpu: self.heavy_cpu,
                memory_bytes: self.heavy_memory_bytes,
                prefix: "policy.load.heavy_",
            }
        } else {
            Allowed {
                deadline: self.deadline,
                cpu: self.cpu,
                memory_bytes: self.memory_bytes,
                prefix: "policy.load.",
            }
        }
    }
}
