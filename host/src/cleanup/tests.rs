//! The room against fakes.
