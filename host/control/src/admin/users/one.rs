//! `GET /v1/users/{user}`: one user with every signal of its managers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::Subject;
use super::views::UserRow;
use crate::admin::Admin;
use wastegate_core::decision::{Class, Row, Standing};
use wastegate_core::types::{Health, Protection, Signal};

/// One user as an operator sees it.
#[derive(Serialize, JsonSchema)]
pub(super) struct UserView {
    #[serde(flatten)]
    row: UserRow,
    /// Its managers.
    managers: Vec<ManagerView>,
}

/// One manager as an operator sees it.
#[derive(Serialize, JsonSchema)]
struct ManagerView {
    /// Its key.
    key: String,
    /// Whether it has connections.
    standing: Standing,
    /// What is believed of its peer.
    health: Health,
    /// What kind of candidate for eviction it is; null for a newborn.
    class: Option<Class>,
    /// How strongly it is held.
    protection: Protection,
    /// Every signal that is known of it, by name; null where the value is not finite.
    signals: BTreeMap<&'static str, Option<f64>>,
}

pub(super) async fn one(State(admin): State<Arc<Admin>>, Subject(user): Subject) -> Json<UserView> {
    let snapshot = admin.registry.snapshot_user(&user, admin.clock.now());
    Json(UserView {
        row: admin.row(&user, snapshot.held),
        managers: snapshot.rows.iter().map(ManagerView::from).collect(),
    })
}

impl From<&Row> for ManagerView {
    fn from(row: &Row) -> Self {
        let known = |signal: &&Signal| !row.signals[**signal].is_nan();
        let signals = Signal::ALL.iter().filter(known);
        Self {
            key: row.key.to_string(),
            standing: row.standing,
            health: row.health,
            class: row.class(),
            protection: row.protection,
            signals: signals
                .map(|&signal| (signal.name(), finite(row.signals[signal])))
                .collect(),
        }
    }
}

/// What JSON has a number for.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
