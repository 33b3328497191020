//! The WASM engine: everything between a file of bytes and a ranking nobody trusts yet.
//!
//! In the order of a policy's life:
//!
//! - [`load`] turns bytes into a [`Program`]: recognise, componentise, check the world and the
//!   imports, compile, ask it what it is;
//! - [`kit`] puts a program with its parameters through the acceptance kit; what comes out is a
//!   [`Policy`], ready to be asked;
//! - [`catalog`] holds which policy is active at which tier ([`seats`]) and swaps them;
//! - [`ranker`] is the [`decision::Ranker`](wastegate_core::decision::Ranker) in front of it: inline or on
//!   the [`pool`], watched by the [`breaker`], counted by [`metrics`], heard by the [`log`];
//! - [`engine`], [`call`] and what is below them are the sandbox: a fresh store and instance for
//!   every call, bounded in fuel, wall time, memory, output and log lines.
//!
//! Not here: who is asked about (the registry), what is done with an answer (`decision::guard`,
//! `cleanup`), HTTP, files, the environment. Nothing of wasmtime leaves this room.

pub mod accepted;
pub mod allowance;
pub mod breaker;
pub mod call;
pub mod catalog;
pub mod config;
pub mod engine;
pub mod evidence;
pub mod heavy;
pub mod kit;
pub mod load;
pub mod log;
pub mod manifest;
pub mod metrics;
pub mod pool;
pub mod program;
pub mod ranker;
pub mod seats;
pub mod shipped;

mod bindings;
mod compiled;
mod convert;
mod describe;
mod guest;
mod limits;
mod link;
mod native;
mod sandbox;
mod ticker;
mod wasi;

pub use accepted::Policy;
pub use allowance::{Allowance, InvalidLimits};
pub use breaker::{BreakerChange, BreakerSettings, Breakers};
pub use catalog::{Catalog, Pick};
pub use config::{Config, InvalidConfig};
pub use engine::{Engine, EngineError};
pub use evidence::TestCase;
pub use heavy::{HeavySettings, Weight};
pub use kit::{KitFailure, KitReport, Property};
pub use load::{LoadError, Params};
pub use log::LogBook;
pub use manifest::{Manifest, Parameter};
pub use metrics::Metrics;
pub use program::{CallOptions, Program};
pub use ranker::{PolicyRanker, Runtime};
pub use seats::{ActivePolicies, Deployed, Seat};

pub use wastegate_core::types::Limits;

#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
