//! Everything there is to know of a file that may be a policy.

pub mod verdict;
