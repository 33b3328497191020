//! One request to the collector (OTLP 1.x, "OTLP/HTTP").

use std::fmt;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};

use super::PAUSE_MAX;
use super::config::Config;
use wastegate::outbound;
use wastegate_core::types::chain;

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
        let client = outbound::client(url.as_str(), config.timeout)?;
        Ok(Some(Self {
            client,
            url,
            authorization,
        }))
    }

    /// Sends a body `now`, ms since the Unix epoch. Returns how many of its spans the collector rejected.
    pub(super) async fn send(&self, body: &[u8], now: u64) -> Result<u64, ExportError> {
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
        Err(ExportError {
            why: format!("the collector answered {status}"),
            may_pass,
            retry_after: outbound::rest_asked_for(answer.headers(), now, PAUSE_MAX),
        })
    }
}

/// How many spans an answer rejects. One that cannot be read rejects none.
async fn rejected(answer: Response) -> u64 {
    let body = outbound::body(answer, ANSWER_BYTES_MAX).await;
    let body = body.ok().flatten();
    let answer = body.and_then(|body| ExportTraceServiceResponse::decode(&*body).ok());
    let partial = answer.and_then(|answer| answer.partial_success);
    partial.map_or(0, |partial| {
        u64::try_from(partial.rejected_spans).unwrap_or(0)
    })
}
