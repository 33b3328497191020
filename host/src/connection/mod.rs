//! Settings for now.

mod config;

pub use config::Config;
