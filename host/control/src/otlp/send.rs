//! One request to the collector (OTLP 1.x, "OTLP/HTTP").

use std::fmt;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use super::config::Config;
use wastegate_core::types::chain;
use wastegate_core::types::host::is_loopback;

/// What is added to an endpoint without a path.
const PATH: &str = "/v1/traces";
/// The largest answer that is read, bytes: it has one number and one sentence.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Why a request was not taken.
#[derive(Debug)]
pub(super) struct ExportError {
    why: String,
    /// Whether another attempt may be taken: not where the collector says that the request itself is wrong.
    pub(super) may_pass: bool,
    /// When the collector asks for another attempt.
    pub(super) retry_after: Option<Duration>,
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Where requests go.
pub(super) struct Collector {
    client: Client,
    url: Url,
    authorization: Option<HeaderValue>,
}

impl Collector {
    /// None where no endpoint is set; the configuration has checked it.
    pub(super) fn new(config: &Config) -> Result<Option<Self>, reqwest::Error> {
        let Some(mut url) = config
            .endpoint
            .as_deref()
            .and_then(|url| Url::parse(url).ok())
        else {
            return Ok(None);
        };
        if url.path() == "/" {
            url.set_path(PATH);
        }
        let authorization = config.authorization.reveal();
        let authorization = (!authorization.is_empty())
            .then(|| HeaderValue::try_from(authorization).ok())
            .flatten()
            .map(|mut value| {
                value.set_sensitive(true);
                value
            });
        wastegate::cryptography::provide();
        let mut client = Client::builder()
            .timeout(config.timeout)
            .redirect(redirect::Policy::none());
        if url.host_str().is_some_and(is_loopback) {
            // What is told to this machine leaves it by no proxy.
            client = client.no_proxy();
        }
        let client = client.build()?;
        Ok(Some(Self {
            client,
            url,
            authorization,
        }))
    }

    /// Sends a body. Returns how many of its spans the collector rejected.
    pub(super) async fn send(&self, body: &[u8]) -> Result<u64, ExportError> {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(body.to_vec());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let answer = request.send().await.map_err(|error| ExportError {
            why: chain(&error.without_url()),
            may_pass: true,
            retry_after: None,
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(rejected(answer).await);
        }
        // OTLP/HTTP, "Retryable Response Codes".
        let may_pass = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ]
        .contains(&status);
        let retry_after = answer.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        Err(ExportError {
            why: format!("the collector answered {status}"),
            may_pass,
            retry_after: retry_after.map(Duration::from_secs),
        })
    }
}

/// How many spans an answer rejects. One that cannot be read rejects none.
async fn rejected(mut answer: Response) -> u64 {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return 0;
        }
    }
    let answer = ExportTraceServiceResponse::decode(body.as_slice()).ok();
    let partial = answer.and_then(|answer| answer.partial_success);
    partial.map_or(0, |partial| {
        u64::try_from(partial.rejected_spans).unwrap_or(0)
    })
}
