//! `GET /v1/users`: everybody who holds a manager or has a lever set, a page at a time.
//!
//! A page begins behind the last user of the page before, by what that one was sorted by and its name. So
//! nobody is shown twice who stays where it is, whoever comes and goes meanwhile.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::views::{UserPage, UserRow};
use crate::admin::Admin;
use crate::admin::policies::extract::Asked;
use crate::admin::policies::refusal::Refusal;
use wastegate_core::types::UserId;

/// Users of a page, where nothing else is asked for.
const PAGE: usize = 100;
/// Users of a page at the most.
const PAGE_MAX: usize = 1_000;

/// By what users are sorted; equal ones are by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum UserOrder {
    /// The most pressed first; of those the fullest.
    #[default]
    Pressure,
    /// Who holds most first.
    Held,
    /// Whose managers were evicted most in the last hour first.
    Evicted,
    /// By name.
    Name,
}

/// What is asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserQuery {
    /// By what they are sorted; equal ones are by name.
    #[serde(default)]
    order: UserOrder,
    /// A part of the name.
    #[serde(default)]
    filter: String,
    /// How many; 100 where it is not said.
    #[schemars(range(min = 1, max = PAGE_MAX))]
    limit: Option<usize>,
    /// The `next_cursor` of the page before, with the same `order`.
    cursor: Option<String>,
}

/// Where a page ends: what clients give back as they got it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cursor {
    order: UserOrder,
    rank: u64,
    name: String,
}

/// A user with its rank; sorted by both.
type Ranked = (Reverse<u64>, UserId, u32);

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<UserQuery>,
) -> Result<Json<UserPage>, Refusal> {
    let page = query.page_length()?;
    let after = query.cursor()?;
    let mut ranked = admin.ranked(&query);
    let total = ranked.len();
    if let Some(Cursor { rank, name, .. }) = &after {
        let after = (Reverse(*rank), name.as_str());
        ranked.retain(|(rank, user, _)| (*rank, user.as_str()) > after);
    }
    let is_last = ranked.len() <= page;
    if !is_last {
        ranked.select_nth_unstable(page - 1);
        ranked.truncate(page);
    }
    ranked.sort_unstable();
    let end = ranked.last().filter(|_| !is_last);
    let next_cursor = end.map(|(Reverse(rank), user, _)| {
        let (order, rank, name) = (query.order, *rank, user.to_string());
        Cursor { order, rank, name }.text()
    });
    let users = ranked.iter().map(|(_, user, held)| admin.row(user, *held));
    Ok(Json(UserPage {
        users: users.collect(),
        total,
        next_cursor,
    }))
}

impl UserQuery {
    fn page_length(&self) -> Result<usize, Refusal> {
        let page = self.limit.unwrap_or(PAGE);
        if (1..=PAGE_MAX).contains(&page) {
            return Ok(page);
        }
        Err(Refusal::request(format!(
            "`limit` has to be from 1 to {PAGE_MAX}, and is {page}"
        )))
    }

    fn cursor(&self) -> Result<Option<Cursor>, Refusal> {
        let Some(text) = &self.cursor else {
            return Ok(None);
        };
        let cursor = Cursor::read(text).filter(|cursor| cursor.order == self.order);
        let cursor = cursor.ok_or_else(|| {
            Refusal::unusable(
                "`cursor` is none of this order: give `next_cursor` of the page before, with the same `order`",
            )
        });
        cursor.map(Some)
    }
}

impl Cursor {
    fn text(&self) -> String {
        // A struct of numbers and texts is always JSON.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn read(text: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

impl Admin {
    /// Everybody who fits, in no order.
    fn ranked(&self, query: &UserQuery) -> Vec<Ranked> {
        let holders = self.registry.users();
        let known: HashSet<&UserId> = holders.iter().map(|(user, _)| user).collect();
        let levers = self.levers.all();
        let others = levers.users().map(|(user, _)| user);
        let others: Vec<_> = others
            .filter(|user| !known.contains(*user))
            .map(|user| (user.clone(), 0))
            .collect();
        let everybody = holders.into_iter().chain(others);
        everybody
            .filter(|(user, _)| user.as_str().contains(&query.filter))
            .map(|(user, held)| (Reverse(self.rank(query.order, &user, held)), user, held))
            .collect()
    }

    fn rank(&self, order: UserOrder, user: &UserId, held: u32) -> u64 {
        match order {
            UserOrder::Pressure => {
                let level = self.cleaner.pressure().level(user);
                ((level as u64) << 32) | u64::from(held)
            }
            UserOrder::Held => u64::from(held),
            UserOrder::Evicted => u64::from(self.why.evicted(user)),
            UserOrder::Name => 0,
        }
    }

    /// One user now.
    pub(super) fn row(&self, user: &UserId, held: u32) -> UserRow {
        UserRow {
            user: user.to_string(),
            held,
            limit: self.registry.own_limit(user),
            lent: self.registry.lent(user, self.clock.now()),
            pressure: self.cleaner.pressure().level(user).name().to_owned(),
            evicted: self.why.evicted(user),
            levers: self.levers.of(user),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_and_nothing_else_passes_for_one() {
        let cursor = Cursor {
            order: UserOrder::Held,
            rank: 7,
            name: "ann <b>&\"".to_owned(),
        };
        assert_eq!(Cursor::read(&cursor.text()), Some(cursor));
        for text in ["", "x", "bm9uZQ", "%%%"] {
            assert_eq!(Cursor::read(text), None, "{text}");
        }
    }
}
