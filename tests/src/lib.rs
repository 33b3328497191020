//! What the tests of wastegate share.

pub mod guests;
