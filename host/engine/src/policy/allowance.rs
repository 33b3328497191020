//! What an operator may set for one policy, held against what the node gives.
//!
//! [`Limits`] replace the node's values for one policy's calls, its acceptance kit included. A call
//! that may then take more than any inline call of the node may (in fuel, memory or time) is made
//! on the pool instead, so that no limit of one policy can hold up whoever else is served.

use std::time::Duration;

use super::config::Config;
use super::heavy::Weight;
use wastegate_core::types::{Limits, Scope};

/// More fuel than a second of anybody's time, units.
const FUEL_MAX: u64 = 1_000_000_000_000;

/// The smallest linear memory is one page, bytes.
const MEMORY_BYTES_MIN: u64 = 64 * 1024;

/// The shortest deadline.
const DEADLINE_MIN: Duration = Duration::from_millis(1);

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
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (memory_max, memory_key, deadline_max, deadline_key) = if weight.is_heavy() {
        let heavy = &config.heavy;
        let memory = (heavy.memory_bytes, "policy.heavy.memory_bytes");
        (
            memory.0,
            memory.1,
            heavy.deadline,
            "policy.heavy.deadline_ms",
        )
    } else {
        let memory = (
            config.memory_large_bytes_max,
            "policy.memory_large_bytes_max",
        );
        let deadline = config.deadline_large;
        (memory.0, memory.1, deadline, "policy.deadline_large_ms")
    };
    let deadline_max = ms(deadline_max);
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
            limits.deadline.map(ms),
            ms(DEADLINE_MIN)..=deadline_max,
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

/// The fuel of a call about so many rows, units.
#[must_use]
pub fn fuel(limits: &Limits, config: &Config, rows: u32) -> u64 {
    let base = limits.fuel_base.unwrap_or(config.fuel_base);
    let per_row = limits.fuel_per_row.unwrap_or(config.fuel_per_row);
    base.saturating_add(per_row.saturating_mul(u64::from(rows)))
}

/// The same for a heavy component, units.
#[must_use]
pub fn fuel_heavy(limits: &Limits, config: &Config, rows: u32) -> u64 {
    let base = limits.fuel_base.unwrap_or(config.heavy.fuel_base);
    let per_row = limits.fuel_per_row.unwrap_or(config.heavy.fuel_per_row);
    base.saturating_add(per_row.saturating_mul(u64::from(rows)))
}

/// Whether a call is large: made on the pool. As the node has it, and besides where the limits
/// allow more than any inline call of the node may take.
#[must_use]
pub fn is_large(limits: &Limits, config: &Config, scope: Scope, rows: u32) -> bool {
    let memory = limits.memory_bytes.unwrap_or(0) > config.memory_user_bytes;
    let time = limits.deadline.unwrap_or_default() > config.deadline;
    let work = fuel(limits, config, rows) > config.fuel(config.inline_rows_max);
    config.is_large(scope, rows) || memory || time || work
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_out_of_range_is_named_with_what_it_may_be() {
        let config = Config::default();
        let refused = |limits: Limits| {
            check(&limits, &config, Weight::Light).map_err(|error| error.to_string())
        };
        assert_eq!(refused(Limits::NODES), Ok(()));
        let most = Limits {
            fuel_base: Some(FUEL_MAX),
            fuel_per_row: Some(0),
            memory_bytes: Some(config.memory_large_bytes_max),
            deadline: Some(config.deadline_large),
        };
        assert_eq!(refused(most), Ok(()));
        let wrong = [
            (
                Limits {
                    fuel_base: Some(0),
                    ..most
                },
                "the limit `fuel_base` is 0 and must be from 1 to 1000000000000",
            ),
            (
                Limits {
                    memory_bytes: Some(1),
                    ..most
                },
                "the limit `memory_bytes` is 1 and must be from 65536 to 67108864, which is `policy.memory_large_bytes_max`",
            ),
            (
                Limits {
                    deadline: Some(Duration::from_secs(1)),
                    ..most
                },
                "the limit `deadline_ms` is 1000 and must be from 1 to 500, which is `policy.deadline_large_ms`",
            ),
        ];
        for (limits, sentence) in wrong {
            assert_eq!(refused(limits).unwrap_err(), sentence);
        }
    }

    #[test]
    fn what_may_take_more_than_an_inline_call_goes_to_the_pool() {
        let config = Config::default();
        let large = |limits: Limits| is_large(&limits, &config, Scope::User, 20);
        let inline = Limits {
            fuel_base: Some(config.fuel(config.inline_rows_max) - 20 * config.fuel_per_row),
            fuel_per_row: None,
            memory_bytes: Some(config.memory_user_bytes),
            deadline: Some(config.deadline),
        };
        assert!(!large(inline));
        for more in [
            Limits {
                fuel_base: inline.fuel_base.map(|fuel| fuel + 1),
                ..inline
            },
            Limits {
                memory_bytes: Some(config.memory_user_bytes + 1),
                ..inline
            },
            Limits {
                deadline: Some(config.deadline + Duration::from_millis(1)),
                ..inline
            },
        ] {
            assert!(large(more), "{more:?}");
        }
        assert!(is_large(&Limits::NODES, &config, Scope::Node, 1));
    }
}
