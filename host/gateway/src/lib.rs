//! A WebSocket gateway that never locks a user out.
//!
//! The rooms, in reading order. A room imports only rooms below it (`tests/tests/integration/tidy.rs` holds
//! the table), and each opens with what it is and what it must never know. Policies are behind one trait,
//! `wastegate_core::decision::Ranker`: this crate knows no engine.
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

pub mod embed;

pub mod gateway;

pub mod admission;

pub mod cleanup;

pub mod connection;

pub mod registry;

pub mod health;

pub mod manager;

pub mod observe;

pub mod cryptography;

pub mod tasks;

#[cfg(test)]
mod testing;
