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
//!
//! # Features
//!
//! None is on by default: a server that embeds the gateway has a listener, TLS and identities of its own. What
//! a build cannot do it has no setting for.
//!
//! | feature | brings |
//! | --- | --- |
//! | `tls` | TLS of the gateway's own listener, and backends at `wss://` |
//! | `jwt` | identities by signed tokens, with keys from a file or a shared secret |
//! | `jwt-url` | `jwt`, and keys from a URL |
//! | `hook` | identities by a service that is asked over HTTP |
//! | `upstream` | backends: routes to them, upgrades and other requests that are handed on |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod embed;

pub mod gateway;

pub mod admission;

pub mod cleanup;

pub mod connection;

pub mod registry;

pub mod health;

pub mod manager;

pub mod observe;

#[cfg(any(feature = "tls", feature = "hook", feature = "jwt-url"))]
pub mod cryptography;

pub mod tasks;

#[cfg(test)]
mod testing;
