//! Statistics as pure functions: numbers in, numbers out.
//!
//! Estimators, intervals that may be looked at all the time, tests of sample ratios, rank
//! correlations, off-policy estimates, fairness. Formulas name their source; the vectors that hold
//! them are in each module's tests. Not here: what is counted and why (`quality`, `experiment`,
//! `replay`), clocks, files, randomness of its own.
