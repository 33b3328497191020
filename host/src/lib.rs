//! wastegate: a WebSocket gateway that never locks a user out.

pub mod admission;
pub mod cleanup;
pub mod cli;
pub mod config;
pub mod connection;
pub mod decision;
pub mod gateway;
pub mod health;
pub mod manager;
pub mod observe;
pub mod policy;
pub mod registry;
pub mod types;
