//! The table of routes. What builds the router is what `GET /v1` lists and what the OpenAPI document describes, so
//! neither can say something else.

use std::sync::{Arc, LazyLock};

use axum::body::Bytes;
use axum::handler::Handler;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use axum::{Json, Router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::openapi::{self, Media, OpenApi, Operation, OperationHandler, Page, Schemas};
use super::policies::refusal::Refusal;

/// Where the list is.
const INDEX: &str = "/v1";
/// Where the OpenAPI document is.
const DOCUMENT: &str = "/v1/openapi.json";

/// One route, as the list has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteDto {
    /// The method.
    pub method: String,
    /// The path; what stands in braces is a name.
    pub path: String,
    /// What it is for, in a sentence.
    pub about: String,
}

/// The answer to `GET /v1`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RouteList {
    /// Every route, by path.
    pub routes: Vec<RouteDto>,
}

/// One route of the table.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// What it is for, in a sentence.
    pub(super) about: &'static str,
    pub(super) page: Page,
    /// Says what its handler takes and answers.
    pub(super) describe: fn(&mut Operation, &mut Schemas),
    /// How it refuses, beside what its extractors and every route refuse.
    pub(super) refuses: Vec<StatusCode>,
}

impl Route {
    /// Its path as the document has it: a name in braces stands for one segment there.
    pub(super) fn template(&self) -> String {
        self.path.replace("{*", "{")
    }

    /// The names in braces.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let segments = self.path.split('/');
        segments.filter_map(|it| {
            let name = it.strip_prefix('{')?.strip_suffix('}')?;
            Some(name.strip_prefix('*').unwrap_or(name))
        })
    }

    /// What generated clients call it: `PUT /v1/users/{user}/limit` is `putUsersByUserLimit`.
    pub(super) fn id(&self) -> String {
        let mut id = self.method.as_str().to_ascii_lowercase();
        let path = self.path.strip_prefix(INDEX).unwrap_or(self.path);
        for segment in path.split('/').filter(|it| !it.is_empty()) {
            if segment.starts_with('{') {
                id.push_str("By");
            }
            let words = segment.split(|c: char| !c.is_ascii_alphanumeric());
            for word in words {
                let mut letters = word.chars();
                id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                id.push_str(letters.as_str());
            }
        }
        if path.is_empty() {
            id.push_str("Index");
        } else if path == "/" {
            id.push_str("Page");
        }
        id
    }
}

/// Routes with a sentence each.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<Arc<Admin>>,
    list: Vec<Route>,
    page: Page,
}

impl Routes {
    /// Of one page of the documentation.
    pub(super) fn of(page: Page) -> Self {
        Self {
            page,
            ..Self::default()
        }
    }

    fn add<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        about: &'static str,
        handler: MethodRouter<Arc<Admin>>,
    ) -> Self
    where
        H: OperationHandler<T>,
    {
        // Methods of one path come together there.
        self.router = self.router.route(path, handler);
        self.list.push(Route {
            method,
            path,
            about,
            page: self.page,
            describe: H::describe,
            refuses: Vec::new(),
        });
        self
    }

    /// The last route that was added may refuse so too.
    pub(super) fn refuses(mut self, statuses: &[StatusCode]) -> Self {
        if let Some(last) = self.list.last_mut() {
            last.refuses.extend(statuses);
        }
        self
    }

    /// What it has.
    pub(super) fn list(&self) -> &[Route] {
        &self.list
    }

    /// All of both.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.list.extend(other.list);
        self
    }

    /// With an answer in the API's own words where no route is.
    pub(super) fn router(self) -> Router<Arc<Admin>> {
        self.router
            .fallback(nowhere)
            .method_not_allowed_fallback(not_so)
    }
}

macro_rules! method {
    ($name:ident, $method:ident) => {
        impl Routes {
            /// With a route of that method.
            pub(super) fn $name<H, T>(
                self,
                path: &'static str,
                about: &'static str,
                handler: H,
            ) -> Self
            where
                H: OperationHandler<T> + Handler<T, Arc<Admin>>,
                T: 'static,
            {
                self.add::<H, T>(Method::$method, path, about, $name(handler))
            }
        }
    };
}

method!(get, GET);
method!(post, POST);
method!(put, PUT);
method!(patch, PATCH);
method!(delete, DELETE);

/// The routes that show the table.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Server)
        .get(INDEX, "This list: every route with a sentence.", index)
        .get(
            DOCUMENT,
            "The OpenAPI document of these routes.",
            written_document,
        )
}

/// The list and the document: the same for every server of this program.
static SHOWN: LazyLock<(RouteList, Bytes)> = LazyLock::new(|| {
    let routes = super::api::routes();
    let mut list = routes.list().to_vec();
    // By path; the methods of one stay in their order.
    list.sort_by(|a, b| a.path.cmp(b.path));
    let document = openapi::document(&list).to_string();
    let list = list.iter().map(|route| RouteDto {
        method: route.method.to_string(),
        path: route.path.to_owned(),
        about: route.about.to_owned(),
    });
    let routes = list.collect();
    (RouteList { routes }, document.into())
});

async fn index() -> Json<RouteList> {
    Json(SHOWN.0.clone())
}

async fn written_document() -> Media<OpenApi> {
    Media::new(SHOWN.1.clone())
}

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
