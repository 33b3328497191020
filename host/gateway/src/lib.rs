//! A WebSocket gateway that never locks a user out.
//!
//! A gateway holds *managers*: a chat thread, a tab, whatever one user has several of. Each belongs to a
//! user and may have several connections, one for each device. Every user has a limit of managers. Where a
//! user who is at the limit opens one more, the gateway makes room: it evicts a manager whose client is
//! gone, or else the one that can be spared most, by an order that you may choose, and never more than
//! are needed.
//!
//! # A gateway in an axum server
//!
//! An [`Application`](manager::Application) handles messages, a handler says who a client is, and
//! [`Builder`](embed::Builder) makes the gateway between them:
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use axum::extract::Path;
//! use axum::http::StatusCode;
//! use axum::response::Response;
//! use axum::routing::get;
//! use wastegate::embed::{BuildError, Builder};
//! use wastegate::gateway::{Identity, Upgrade};
//! use wastegate::manager::{Application, Manager, Message, Peer};
//! use wastegate_core::types::{DeviceId, ManagerKey, UserId};
//!
//! /// Sends every message to the other connections of its manager.
//! struct Relay;
//!
//! impl Application for Relay {
//!     async fn message(&self, manager: &Arc<Manager>, from: Peer, message: Message) {
//!         manager.broadcast(&message, Some(from.connection));
//!     }
//! }
//!
//! async fn thread(
//!     upgrade: Upgrade,
//!     // Extractors of your own say who the client is; here its path does.
//!     Path((user, thread)): Path<(String, String)>,
//! ) -> Result<Response, StatusCode> {
//!     let user = UserId::new(&user).map_err(|_| StatusCode::UNAUTHORIZED)?;
//!     let thread = ManagerKey::new(&thread).map_err(|_| StatusCode::NOT_FOUND)?;
//!     let identity = Identity::new(user, thread, DeviceId::unnamed());
//!     Ok(upgrade.admit(identity).await)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BuildError> {
//! let embedded = Builder::new(Relay).build()?;
//! embedded.start();
//! let routes: Router = Router::new()
//!     .route("/{user}/{thread}", get(thread))
//!     .with_state(embedded.clone());
//! // axum::serve(listener, routes.into_make_service_with_connect_info::<SocketAddr>())
//! # drop(routes);
//! assert!(embedded.stop().await, "nothing was connected");
//! # Ok(())
//! # }
//! ```
//!
//! What to read next:
//!
//! - [`embed::Settings`]: limits, graces, tiers, sizes; [`Builder::build`](embed::Builder::build) checks them;
//! - [`manager::Manager`]: what an application does with one: send, [pin](manager::Manager::pin),
//!   [evict](manager::Manager::evict), [work in flight](manager::Manager::begin_work);
//! - [`gateway::Upgrade`], and [`gateway::Identify`] where no handler identifies clients;
//!   [`Gateway::service`](gateway::Gateway::service) for tower;
//! - [`cleanup::Recorder`]: what is reported of evictions;
//! - `wastegate_core::decision::Ranker`: an order of evictions of your own. What it answers is checked:
//!   no answer locks a user out;
//! - the page `docs/embedding.md` and the example `embed`, a chat of many users.
//!
//! # Inside
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
//! | `outbound` | the HTTP client of `hook` and `jwt-url`: one address, no redirects, one deadline |
//! | `upstream` | backends: routes to them, upgrades and other requests that are handed on |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod embed;

pub mod gateway;

pub mod admission;

pub mod cleanup;

pub mod cluster;

pub mod connection;

pub mod registry;

pub mod health;

pub mod manager;

pub mod observe;

#[cfg(feature = "outbound")]
pub mod outbound;

#[cfg(any(feature = "tls", feature = "outbound"))]
pub mod cryptography;

pub mod tasks;

#[cfg(test)]
mod testing;
