//! Operators' API: metrics, health, statistics, pins. Its own listener, its own shapes.
//!
//! Reading changes nothing. What changes something takes a JSON body, which no page of another
//! origin can send without being asked first.

mod api;
mod experiments;
pub mod policies;
mod shadows;
mod stats;

pub use api::{Admin, router};
pub use stats::{Stats, UserStats};
