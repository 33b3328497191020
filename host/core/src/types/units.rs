//! Sizes and lengths of time that settings and their ranges are written in.
//!
//! Times are in milliseconds, the unit of every key that ends in `_ms`; sizes are in bytes.

/// One second, ms.
pub const SECOND: u64 = 1_000;
/// One minute, ms.
pub const MINUTE: u64 = 60 * SECOND;
/// One hour, ms.
pub const HOUR: u64 = 60 * MINUTE;
/// One day of 24 hours, ms.
pub const DAY: u64 = 24 * HOUR;
/// One kibibyte: 1,024 bytes.
pub const KIB: u64 = 1_024;
/// One mebibyte: 1,024 KiB.
pub const MIB: u64 = 1_024 * KIB;
/// One gibibyte: 1,024 MiB.
pub const GIB: u64 = 1_024 * MIB;
