//! A gateway in this process, on real sockets, and clients that behave as real ones do.
//!
//! [`Setup`] says what is unusual, [`Server`] runs it and shows what it holds, [`Client`] is one
//! WebSocket that can talk, fall silent, vanish or be told to go, and [`wait`] is the only place
//! that waits. Nothing here asserts a scenario; nothing here sleeps to let something happen.

pub mod client;
pub mod dial;
pub mod events;
pub mod http;
pub mod issuer;
pub mod program;
pub mod registry;
pub mod scripted;
pub mod server;
pub mod setup;
pub mod wait;

pub use client::{Client, End};
pub use dial::{Dial, Refusal, nowhere};
pub use events::Events;
pub use issuer::Issuer;
pub use program::Program;
pub use registry::Registry;
pub use server::Server;
pub use setup::Setup;
pub use wait::{BUDGET, PATIENCE, timed, until, until_async, within};
