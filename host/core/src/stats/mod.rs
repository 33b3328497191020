//! Statistics as pure functions: numbers in, numbers out.
//!
//! - [`moments`], [`ratio`], [`relative`], [`cuped`]: sums over users, and the difference of two arms;
//! - [`sequence`], [`bounded`]: inference that may be looked at all the time;
//! - [`counts`]: sample ratios, rare events, small shares; [`multiple`]: many tests at once;
//!   [`power`]: how many users it takes;
//! - [`rank`], [`spread`]: how alike two orders are, how even a burden is;
//! - [`random_draw`], [`off_policy`]: draws that can be weighed, and what they are worth for another policy.
//!
//! Formulas name their source; the vectors that hold them are in each module's tests, and
//! `tests/python/crosscheck.py` compares them with other people's packages. Not here: what is counted
//! and why (`quality`, `experiment`, `replay`), clocks, files, randomness of its own.

pub mod bounded;
pub mod contrast;
pub mod counts;
pub mod cuped;
pub mod moments;
pub mod multiple;
pub mod off_policy;
pub mod power;
pub mod random_draw;
pub mod rank;
pub mod ratio;
pub mod relative;
pub mod sequence;
pub mod spread;

mod special;

pub use contrast::{Contrast, Spread};
pub use cuped::{Adjusted, Covariates, Observed, adjust};
pub use moments::Moments;
pub use ratio::{Difference, Estimate};
pub use sequence::{Always, Sequence};

#[cfg(test)]
mod testing;

#[cfg(test)]
mod trials;
