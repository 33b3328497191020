//! Where the console is: `GET /` and the files below `/console`. They need no token, for they hold no data.

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};

use super::openapi::Page;
use super::policies::extract::InPath;
use super::policies::refusal::Refusal;
use super::routes::Routes;
use crate::console;

/// Where the page is.
const PAGE: &str = "/";
/// Before the paths of its files.
const FILES: &str = "/console/";

/// Whether a path is one of the console's.
pub(super) fn is_of(path: &str) -> bool {
    path == PAGE || path.starts_with(FILES)
}

/// The page and its files.
pub(super) fn routes() -> Routes {
    Routes::of(Page::Console)
        .get(PAGE, "The console, for a browser.", page)
        .get(
            "/console/{*file}",
            "The files that the console is made of.",
            file,
        )
        .refuses(&[StatusCode::NOT_FOUND])
}

async fn page(asked: HeaderMap) -> Result<Response<Body>, Refusal> {
    found(console::PAGE, &asked)
}

async fn file(InPath(path): InPath<String>, asked: HeaderMap) -> Result<Response<Body>, Refusal> {
    found(&path, &asked)
}

fn found(path: &str, asked: &HeaderMap) -> Result<Response<Body>, Refusal> {
    let answer = console::file(path, asked);
    answer.ok_or_else(|| Refusal::not_found(format!("the console has no file `{path}`")))
}
