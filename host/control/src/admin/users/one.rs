//! `GET /v1/users/{user}`: one user with every signal of its managers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Subject;
use super::views::UserRow;
use crate::admin::Admin;
use wastegate_core::decision::{Class, Row, Standing};
use wastegate_core::types::{Health, Protection, Signal};

/// One user as an operator sees it.
#[derive(Serialize)]
pub(super) struct UserView {
    #[serde(flatten)]
    row: UserRow,
    managers: Vec<ManagerView>,
}

/// One manager as an operator sees it.
#[derive(Serialize)]
struct ManagerView {
    key: String,
    standing: Standing,
    health: Health,
    class: Option<Class>,
    protection: Protection,
    signals: Map<String, Value>,
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
                .map(|&signal| (signal.name().to_owned(), json!(row.signals[signal])))
                .collect(),
        }
    }
}
