//! One request to the service.

use std::fmt;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url};
use ring::hmac;

use super::config::Config;
use super::sign;
use wastegate::outbound;
use wastegate_core::types::chain;

/// Why a request was not taken.
#[derive(Debug)]
pub(super) struct SendError {
    why: String,
    /// Whether another attempt may be taken: not where the service says that the request itself is wrong.
    pub(super) may_pass: bool,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Where requests go, and by which key they are signed.
pub(super) struct Sender {
    client: Client,
    url: Url,
    key: hmac::Key,
}

impl Sender {
    /// None where no URL is set; the configuration has checked it and the secret.
    pub(super) fn new(config: &Config) -> Result<Option<Self>, reqwest::Error> {
        let url = config.url.as_deref().and_then(|url| Url::parse(url).ok());
        let (Some(url), Some(key)) = (url, sign::key(config.secret.reveal())) else {
            return Ok(None);
        };
        let client = outbound::client(url.as_str(), config.timeout)?;
        Ok(Some(Self { client, url, key }))
    }

    pub(super) async fn send(&self, id: &str, unix_s: u64, body: &str) -> Result<(), SendError> {
        let signature = sign::signature(&self.key, id, unix_s, body);
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", unix_s)
            .header("webhook-signature", signature)
            .body(body.to_owned());
        let answer = request.send().await.map_err(|error| SendError {
            why: chain(&error.without_url()),
            may_pass: true,
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        // What a client did wrong stays wrong, but for being too early or too often.
        let is_wrong = status.is_client_error()
            && ![
                StatusCode::REQUEST_TIMEOUT,
                StatusCode::TOO_EARLY,
                StatusCode::TOO_MANY_REQUESTS,
            ]
            .contains(&status);
        Err(SendError {
            why: format!("the service answered {status}"),
            may_pass: !is_wrong,
        })
    }
}
