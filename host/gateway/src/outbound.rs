//! Asking others over HTTP, within bounds: one address, no redirects, one deadline, so many bytes.

mod rest;

use std::time::Duration;

use reqwest::{Client, Error, Response, Url, redirect};

use crate::cryptography;
use wastegate_core::types::host::is_loopback;

pub use rest::rest_asked_for;

/// A client for one address: it follows no redirect, and each request is over after `timeout`, its answer read.
/// What is told to this machine leaves it by no proxy; anything else goes by that of the environment, if one is
/// set (`HTTPS_PROXY`).
///
/// # Errors
/// If the client cannot be made, as where the system's certificates cannot be read.
pub fn client(url: &str, timeout: Duration) -> Result<Client, Error> {
    cryptography::provide();
    let client = Client::builder()
        .timeout(timeout)
        .redirect(redirect::Policy::none());
    let url = Url::parse(url).ok();
    let is_here = url.is_some_and(|url| url.host_str().is_some_and(is_loopback));
    let client = if is_here { client.no_proxy() } else { client };
    client.build()
}

/// The body of an answer; none if it has more than so many bytes.
///
/// # Errors
/// If the answer breaks off or comes too late. The error names no address, which may have a secret in it.
pub async fn body(mut response: Response, most: usize) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Error::without_url)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}
