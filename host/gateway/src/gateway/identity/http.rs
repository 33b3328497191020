//! Asking others over HTTP, within bounds: one address, no redirects, one deadline, so many bytes.

use std::time::Duration;

use reqwest::{Client, Error, Response, redirect};

use crate::cryptography;

/// A client that goes nowhere but where it is sent.
pub(super) fn client(timeout: Duration) -> Result<Client, Error> {
    cryptography::provide();
    Client::builder()
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        .build()
}

/// The body of an answer; none if it has more than so many bytes.
pub(super) async fn body(mut response: Response, most: usize) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Error::without_url)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}
