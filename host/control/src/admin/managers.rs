//! What is done to one manager: it is pinned, evicted, or said to have work under way.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::openapi::{Operation, OperationInput, Page, Schemas};
use super::policies::extract::{By, Details, InPath};
use super::policies::refusal::Refusal;
use super::routes::Routes;
use super::users::{LEVER_REFUSED, WhyNot, order};
use super::{Admin, blocking};
use crate::levers::{LeverError, LeverOrder, REASON_BYTES_MAX};
use wastegate::manager::Manager;
use wastegate_core::types::{EvictionCause, ManagerKey, UserId};

/// The routes about one manager.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Users)
        .post(
            "/v1/users/{user}/managers/{key}/pin",
            "Let nothing evict a manager for a time.",
            pin,
        )
        .refuses(LEVER_REFUSED)
        .delete(
            "/v1/users/{user}/managers/{key}/pin",
            "Take back a pin.",
            unpin,
        )
        .refuses(LEVER_REFUSED)
        .post(
            "/v1/users/{user}/managers/{key}/evict",
            "Evict one manager.",
            evict,
        )
        .refuses(LEVER_REFUSED)
        .put(
            "/v1/users/{user}/managers/{key}/in-flight",
            "Report work under way for a manager.",
            in_flight,
        )
}

/// The body of a pin.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "for_ms": 60_000, "reason": "a demonstration" }))]
struct PinRequest {
    /// How long it lasts, ms: at most `manager.pin_max_ms`, or 366 days with a reason.
    for_ms: u64,
    /// Why. With a reason it is an operator's pin: it is in the audit log, holds for a manager of the same key that
    /// comes after this one, and survives a restart. A backend whose pins are its daily work gives none.
    #[serde(default)]
    #[schemars(length(max = REASON_BYTES_MAX))]
    reason: String,
}

async fn pin(
    State(admin): State<Arc<Admin>>,
    Held(manager): Held,
    By(by): By,
    Details(PinRequest { for_ms, reason }): Details<PinRequest>,
) -> Result<Json<PinAnswer>, Refusal> {
    let lasting = Duration::from_millis(for_ms);
    if reason.is_empty() {
        let pinned = admin.registry.pin(&manager.user, &manager.key, lasting);
        pinned.map_err(LeverError::Pin)?;
        return Ok(Json(PinAnswer { pinned: true }));
    }
    let order = LeverOrder {
        lasting: Some(lasting),
        ..order(by, reason, None)
    };
    let levers = admin.levers.clone();
    blocking(move || levers.pin(&manager.user, &manager.key, order)).await?;
    Ok(Json(PinAnswer { pinned: true }))
}

async fn unpin(
    State(admin): State<Arc<Admin>>,
    Named(user, key): Named,
    By(by): By,
    Details(WhyNot { reason }): Details<WhyNot>,
) -> Result<Json<PinAnswer>, Refusal> {
    let is_kept = admin.levers.of(&user).pins.contains_key(key.as_str());
    match admin.registry.get(&user, &key) {
        None if !is_kept => return Err(Refusal::not_found("no such manager, and no pin of it")),
        Some(manager) if !is_kept => manager.unpin(),
        _ => {
            let (levers, order) = (admin.levers.clone(), order(by, reason, None));
            blocking(move || levers.unpin(&user, &key, order)).await?;
        }
    }
    Ok(Json(PinAnswer { pinned: false }))
}

/// Work under way for a manager.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "units": 1 }))]
struct InFlightWork {
    /// Units of work under way; 0 when it is done.
    units: u32,
}

/// A backend says how much it does for a manager: one with work in flight is evicted after the idle.
async fn in_flight(
    Held(manager): Held,
    Details(InFlightWork { units }): Details<InFlightWork>,
) -> Json<InFlightWork> {
    manager.set_in_flight(units);
    Json(InFlightWork { units })
}

/// Whether a manager is pinned.
#[derive(Serialize, JsonSchema)]
struct PinAnswer {
    /// Whether nothing may evict it now.
    pinned: bool,
}

/// What an eviction came to.
#[derive(Serialize, JsonSchema)]
struct EvictAnswer {
    /// Whether it was evicted: false where it had ended meanwhile.
    evicted: bool,
}

/// The body of an eviction.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({ "reason": "a stuck tab" }))]
struct EvictRequest {
    /// Why. An operator says so; a backend whose evictions are its daily work need not, and then they are
    /// not in the audit log.
    #[serde(default)]
    #[schemars(length(max = REASON_BYTES_MAX))]
    reason: String,
}

async fn evict(
    State(admin): State<Arc<Admin>>,
    Held(manager): Held,
    By(by): By,
    Details(EvictRequest { reason }): Details<EvictRequest>,
) -> Result<Json<EvictAnswer>, Refusal> {
    let evicted = if reason.is_empty() {
        manager.evict(EvictionCause::Requested)
    } else {
        let (levers, order) = (admin.levers.clone(), order(by, reason, None));
        blocking(move || levers.evict_one(&manager, order)).await?
    };
    Ok(Json(EvictAnswer { evicted }))
}

/// The user and the key that a path names, whether there is such a manager or not.
struct Named(UserId, ManagerKey);

/// The manager that a path names.
struct Held(Arc<Manager>);

impl OperationInput for Named {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.refuses(&[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND]);
    }
}

impl OperationInput for Held {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        Named::describe(operation, schemas);
    }
}

impl FromRequestParts<Arc<Admin>> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Refusal> {
        let InPath((user, key)) =
            InPath::<(String, String)>::from_request_parts(parts, admin).await?;
        let named = UserId::new(&user).ok().zip(ManagerKey::held(&key).ok());
        named
            .map(|(user, key)| Self(user, key))
            .ok_or_else(|| Refusal::not_found("no such manager"))
    }
}

impl FromRequestParts<Arc<Admin>> for Held {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Refusal> {
        let Named(user, key) = Named::from_request_parts(parts, admin).await?;
        admin
            .registry
            .get(&user, &key)
            .map(Self)
            .ok_or_else(|| Refusal::not_found("no such manager"))
    }
}
