//! The table of routes: what builds the router is what `GET /v1` lists, so the list cannot be another one.

use std::sync::Arc;

use axum::handler::Handler;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::Admin;
use super::policies::refusal::Refusal;

/// Where the list is.
const INDEX: &str = "/v1";

/// One route, as the list has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteDto {
    /// The method.
    pub method: String,
    /// The path; what stands in braces is a name.
    pub path: String,
    /// What it is for, in a sentence.
    pub about: String,
}

/// The answer to `GET /v1`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RouteList {
    /// Every route, by path.
    pub routes: Vec<RouteDto>,
}

/// Routes with a sentence each.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<Arc<Admin>>,
    list: Vec<RouteDto>,
}

impl Routes {
    fn add(
        mut self,
        method: &str,
        path: &str,
        about: &str,
        handler: MethodRouter<Arc<Admin>>,
    ) -> Self {
        // Methods of one path come together there.
        self.router = self.router.route(path, handler);
        self.list.push(RouteDto {
            method: method.to_owned(),
            path: path.to_owned(),
            about: about.to_owned(),
        });
        self
    }

    /// What it has.
    #[cfg(test)]
    pub(super) fn list(&self) -> &[RouteDto] {
        &self.list
    }

    /// All of both.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.list.extend(other.list);
        self
    }

    /// With the list, and an answer in the API's own words where no route is.
    pub(super) fn router(self) -> Router<Arc<Admin>> {
        let about = "This list: every route with a sentence.";
        let mut list = self.list.clone();
        list.push(RouteDto {
            method: "GET".to_owned(),
            path: INDEX.to_owned(),
            about: about.to_owned(),
        });
        // By path; the methods of one stay in their order.
        list.sort_by(|a, b| a.path.cmp(&b.path));
        let index = move || async { Json(RouteList { routes: list }) };
        self.get(INDEX, about, index)
            .router
            .fallback(nowhere)
            .method_not_allowed_fallback(not_so)
    }
}

macro_rules! method {
    ($name:ident, $method:literal) => {
        impl Routes {
            /// With a route of that method.
            pub(super) fn $name<H, T>(self, path: &str, about: &str, handler: H) -> Self
            where
                H: Handler<T, Arc<Admin>>,
                T: 'static,
            {
                self.add($method, path, about, $name(handler))
            }
        }
    };
}

method!(get, "GET");
method!(post, "POST");
method!(put, "PUT");
method!(patch, "PATCH");
method!(delete, "DELETE");

async fn nowhere(uri: Uri) -> Refusal {
    Refusal::not_found(format!(
        "there is nothing at {}: `GET {INDEX}` lists every route",
        uri.path()
    ))
}

async fn not_so(method: Method, uri: Uri) -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        format!(
            "{} takes no {method}: the header `allow` has what it takes, and `GET {INDEX}` lists every route",
            uri.path()
        ),
    )
}
