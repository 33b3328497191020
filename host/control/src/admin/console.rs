//! Where the console is: `GET /` and the files below `/console`. They need no token, for they hold no data.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, Response, Uri};

use super::policies::refusal::Refusal;
use super::routes::{Routes, nowhere};
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
    Routes::default()
        .get(PAGE, "The console, for a browser.", page)
        .get(
            "/console/{*file}",
            "The files that the console is made of.",
            file,
        )
}

async fn page(uri: Uri, asked: HeaderMap) -> Result<Response<Body>, Refusal> {
    found(console::file(console::PAGE, &asked), uri).await
}

async fn file(
    Path(path): Path<String>,
    uri: Uri,
    asked: HeaderMap,
) -> Result<Response<Body>, Refusal> {
    found(console::file(&path, &asked), uri).await
}

async fn found(answer: Option<Response<Body>>, uri: Uri) -> Result<Response<Body>, Refusal> {
    match answer {
        Some(answer) => Ok(answer),
        None => Err(nowhere(uri).await),
    }
}
