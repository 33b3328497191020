//! What the operator may set about policies. Checked by [`Config::check`]; raw input, files and
//! flags belong to `config`.

use std::path::PathBuf;
use std::time::Duration;

use super::breaker::BreakerSettings;
use super::heavy::HeavySettings;
use super::load::LoadSettings;

/// The smallest linear memory is one page, so no cap below it can work.
const PAGE_BYTES: u64 = 64 * 1024;

/// The room's settings. Every field has a default; [`Config::check`] is called by the engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The largest policy file, bytes; heavy components have a cap of their own. Default 1 MiB.
    pub size_bytes_max: u64,
    /// Fuel of every call, whatever its size. Default 20,000.
    pub fuel_base: u64,
    /// Fuel of a call for each row on top. Default 2,000: the SDK's `top_k` with a key of four components
    /// takes up to 1,400 where each row is a better victim than the one before.
    pub fuel_per_row: u64,
    /// Fuel of `describe`, which is called once. Default 10,000,000.
    pub fuel_describe: u64,
    /// Memory of a small call at user scope, bytes. Default 2 MiB.
    pub memory_user_bytes: u64,
    /// The most memory that a large call may be sized to, bytes. Default 64 MiB.
    pub memory_large_bytes_max: u64,
    /// How long a small call may hold its thread, by the wall clock. Fuel ends a call long before;
    /// this is for what fuel does not price, and long enough that a thread that a busy machine did
    /// not run for a while is not taken for a guest that loops. Default 100 ms.
    pub deadline: Duration,
    /// How long whoever asked for a large call waits for it, queueing included. Default 500 ms.
    pub deadline_large: Duration,
    /// How often the wall clock is looked at while a call is in flight. Default 10 ms.
    pub epoch_tick: Duration,
    /// Calls with more rows than this are large: they go to the pool at any scope. Default 4,096.
    pub inline_rows_max: u32,
    /// Log lines of one call; what is over is counted and dropped. Default 16.
    pub log_lines_max: u32,
    /// Bytes of one log line; what is over is cut off. Default 512.
    pub log_line_bytes_max: usize,
    /// Log lines of one policy in a second. Default 100.
    pub log_lines_per_second_max: u32,
    /// Bytes that one policy may log in a second. Default 64 KiB.
    pub log_bytes_per_second_max: u64,
    /// Log lines of all policies in a second. Default 400.
    pub log_node_lines_per_second_max: u32,
    /// Bytes that all policies may log in a second. Default 256 KiB.
    pub log_node_bytes_per_second_max: u64,
    /// Log lines of each revision that are kept in memory, to be shown. Default 100.
    pub log_lines_kept: usize,
    /// Threads for large calls and shadows. Default 2.
    pub workers: usize,
    /// Large calls that may wait for a worker; the next one is refused. Default 16.
    pub queue_max: usize,
    /// Small calls that can be made at once; more get a fault. Default 32.
    pub instances_max: u32,
    /// Memory that a free slot of the instance pool keeps, bytes: wiped after every call, where the
    /// rest is given back and faulted in again. Best the size that a guest of the SDK has before it
    /// grows. Default 256 KiB.
    pub keep_resident_bytes: usize,
    /// When a policy is quarantined, and for how long.
    pub breaker: BreakerSettings,
    /// What heavy components may take.
    pub heavy: HeavySettings,
    /// What loading a policy may take.
    pub load: LoadSettings,
    /// Where the compiled form of heavy components is kept, which takes tens of seconds to make;
    /// none keeps nothing. Default none.
    pub compiled_dir: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            size_bytes_max: 1 << 20,
            fuel_base: 20_000,
            fuel_per_row: 2_000,
            fuel_describe: 10_000_000,
            memory_user_bytes: 2 << 20,
            memory_large_bytes_max: 64 << 20,
            deadline: Duration::from_millis(100),
            deadline_large: Duration::from_millis(500),
            epoch_tick: Duration::from_millis(10),
            inline_rows_max: 4_096,
            log_lines_max: 16,
            log_line_bytes_max: 512,
            log_lines_per_second_max: 100,
            log_bytes_per_second_max: 64 << 10,
            log_node_lines_per_second_max: 400,
            log_node_bytes_per_second_max: 256 << 10,
            log_lines_kept: 100,
            workers: 2,
            queue_max: 16,
            instances_max: 32,
            keep_resident_bytes: 256 << 10,
            breaker: BreakerSettings::default(),
            heavy: HeavySettings::default(),
            load: LoadSettings::default(),
            compiled_dir: None,
        }
    }
}

/// Why settings were refused: which one, and what it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`policy.{key}` must be {must}")]
pub struct InvalidConfig {
    /// The key of the setting, as the configuration file has it.
    pub key: &'static str,
    /// What it has to be.
    pub must: &'static str,
}

impl Config {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`InvalidConfig`] naming the first one that is out of range.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let at_least_a_page =
            self.memory_user_bytes >= PAGE_BYTES && self.memory_user_bytes <= 1 << 30;
        let rules = [
            (
                "size_bytes_max",
                (1..=32 << 20).contains(&self.size_bytes_max),
                "between 1 byte and 32 MiB",
            ),
            ("fuel_base", self.fuel_base > 0, "above 0"),
            ("fuel_describe", self.fuel_describe > 0, "above 0"),
            (
                "memory_user_bytes",
                at_least_a_page,
                "between 64 KiB and 1 GiB",
            ),
            (
                "memory_large_bytes_max",
                (self.memory_user_bytes..=4 << 30).contains(&self.memory_large_bytes_max),
                "between `memory_user_bytes` and 4 GiB",
            ),
            ("deadline", !self.deadline.is_zero(), "above 0"),
            (
                "deadline_large",
                self.deadline_large >= self.deadline,
                "at least `deadline`",
            ),
            (
                "epoch_tick",
                self.epoch_tick >= Duration::from_millis(1),
                "at least 1 ms",
            ),
            ("workers", (1..=64).contains(&self.workers), "from 1 to 64"),
            (
                "queue_max",
                (1..=65_536).contains(&self.queue_max),
                "from 1 to 65,536",
            ),
            (
                "instances_max",
                (1..=1_024).contains(&self.instances_max),
                "from 1 to 1,024",
            ),
        ];
        for (key, holds, must) in rules {
            if !holds {
                return Err(InvalidConfig { key, must });
            }
        }
        self.heavy.check()?;
        self.load.check()?;
        self.breaker.check()
    }

    /// The largest file that could be a policy, bytes: whether it is a light or a heavy one shows
    /// when it was read.
    #[must_use]
    pub fn file_bytes_max(&self) -> u64 {
        self.size_bytes_max.max(self.heavy.size_bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_a_bad_value_is_named() {
        assert_eq!(Config::default().check(), Ok(()));
        let bad = Config {
            memory_user_bytes: 10,
            ..Config::default()
        };
        assert_eq!(
            bad.check().unwrap_err().to_string(),
            "`policy.memory_user_bytes` must be between 64 KiB and 1 GiB"
        );
    }
}
