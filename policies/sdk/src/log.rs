//! Writing to the policy's log, the only thing a policy may ask of the host while it runs.
//!
//! The host bounds lines and lines per call and counts what it drops. Nothing comes back: logging
//! never changes a decision. Natively, the lines go to `testing::take_log`.

use crate::Level;

/// Writes one line to the policy's log.
///
/// It costs fuel like everything else, so log what explains a decision, not every row.
///
/// ```
/// use wastegate_policy::prelude::*;
/// use wastegate_policy::testing::take_log;
///
/// log(Level::Warn, "nobody is detached");
/// assert_eq!(take_log(), [(Level::Warn, "nobody is detached".to_owned())]);
/// ```
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::wastegate::policy::log::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::record_log(level, message);
}
