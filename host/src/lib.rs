//! wastegate: a WebSocket gateway that never locks a user out.
//!
//! The rooms, in reading order. A room imports only rooms below it (`tests/tests/integration/tidy.rs` holds the
//! table), and each opens with what it is and what it must never know.
//!
//! ```text
//! HTTP upgrade                                   pressure
//!   gateway::handshake   Handshake                 cleanup    looks
//!   gateway::identity    Identity                  registry   Snapshot
//!   admission::admit     Permit | Denied           health     Evidence
//!   registry::enter      Manager                   Ranker     Ranking   (untrusted)
//!   connection::run      frames                    guard      Plan
//!   CloseReason          exactly one               cleanup    evicts, records
//! ```

pub mod cli;

pub mod demo;

pub mod app;

pub mod config;

pub mod admin;

pub mod gateway;

pub mod admission;

pub mod cleanup;

pub mod replay;

pub mod workbench;

pub mod rollout;

pub mod experiment;

pub mod quality;

pub mod policy;

pub mod connection;

pub mod registry;

pub mod health;

pub mod playground;

pub mod manager;

pub mod decision;

pub mod trace;

pub mod observe;

pub mod page;

pub mod stats;

pub mod files;

pub mod types;

#[cfg(test)]
mod testing;
