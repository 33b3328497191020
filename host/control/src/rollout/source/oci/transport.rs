//! HTTP to one registry, within bounds: what is read, where it may lead, how often it is tried.
//!
//! The crate that speaks the protocol otherwise (`oci-client`) reads manifests and tokens without
//! a cap and follows any redirect, so pulling has this of its own. Credentials go to the registry
//! and to the token service that it names, nowhere else.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Response, StatusCode, Url};

use super::error::RegistryError;
use super::reference::{Reference, is_inside};
use super::{ATTEMPTS_MAX, REDIRECTS_MAX};
use wastegate::cryptography;
use wastegate_core::types::host::is_loopback;

/// Between two attempts; four times as long each time.
const BACKOFF: Duration = Duration::from_millis(100);
/// How much of what a registry says of an error is repeated, characters.
const SAID_CHARS_MAX: usize = 200;
/// How much of an error's body is read.
const ERROR_BYTES_MAX: u64 = 8 * 1_024;

/// Connections to one registry.
pub(super) struct Transport {
    client: Client,
    home: Url,
    registry: String,
}

/// What is asked for.
pub(super) struct Ask<'a> {
    pub(super) url: Url,
    /// In words, for messages.
    pub(super) what: String,
    pub(super) accept: &'static str,
    pub(super) authorization: Option<&'a HeaderValue>,
    pub(super) bytes_max: u64,
    /// What to do if it has more, if anything can be done.
    pub(super) remedy: &'static str,
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
}

/// Whether a registry is asked without encryption: on this machine, or where the operator says so.
pub(super) fn is_plain(reference: &Reference, plain_http: bool) -> bool {
    let host = reference
        .address()
        .rsplit_once(':')
        .map_or(reference.address(), |(host, _)| host);
    plain_http || is_loopback(host)
}

impl Transport {
    pub(super) fn new(reference: &Reference, plain_http: bool) -> Result<Self, RegistryError> {
        cryptography::provide();
        let scheme = if is_plain(reference, plain_http) {
            "http"
        } else {
            "https"
        };
        let registry = reference.registry().to_owned();
        let home =
            Url::parse(&format!("{scheme}://{}/v2/", reference.address())).map_err(|error| {
                RegistryError::Garbage {
                    registry: registry.clone(),
                    why: format!("its name makes no URL ({error})"),
                }
            })?;
        let mut client = Client::builder()
            .user_agent(concat!("wastegate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none());
        if home.host_str().is_some_and(is_loopback) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(RegistryError::Client)?;
        Ok(Self {
            client,
            home,
            registry,
        })
    }

    /// What is below `/v2/`.
    pub(super) fn url(&self, path: &str) -> Result<Url, RegistryError> {
        self.home
            .join(path)
            .map_err(|error| self.garbage(format!("{path} makes no URL ({error})")))
    }

    pub(super) fn garbage(&self, why: String) -> RegistryError {
        RegistryError::Garbage {
            registry: self.registry.clone(),
            why,
        }
    }

    pub(super) fn late(&self, timeout: Duration) -> RegistryError {
        RegistryError::Late {
            registry: self.registry.clone(),
            timeout,
        }
    }

    /// Asks, again if the trouble may pass. Answers that are no success and no question of
    /// authorization are errors. There is no deadline here: the caller has one for the whole pull.
    pub(super) async fn get(&self, ask: &Ask<'_>) -> Result<Answer, RegistryError> {
        let mut pause = BACKOFF;
        for _ in 1..ATTEMPTS_MAX {
            match self.attempt(ask).await {
                Err(error) if error.passes() => {
                    tokio::time::sleep(pause).await;
                    pause *= 4;
                }
                done => return done,
            }
        }
        self.attempt(ask).await
    }

    async fn attempt(&self, ask: &Ask<'_>) -> Result<Answer, RegistryError> {
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send(ask, &url).await?;
            if !response.status().is_redirection() {
                return self.answer(ask, response).await;
            }
            let to = response
                .headers()
                .get(LOCATION)
                .and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| url.join(to).ok());
            url = to.ok_or_else(|| self.garbage("it redirects to nowhere".to_owned()))?;
            self.may_go(&url)?;
        }
        Err(RegistryError::Redirects {
            registry: self.registry.clone(),
        })
    }

    async fn send(&self, ask: &Ask<'_>, url: &Url) -> Result<Response, RegistryError> {
        let mut request = self.client.get(url.clone()).header(ACCEPT, ask.accept);
        // To the host that it was meant for, not to the target of a redirect.
        if let Some(authorization) = ask.authorization
            && url.origin() == ask.url.origin()
        {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.send().await.map_err(|source| RegistryError::Away {
            registry: self.registry.clone(),
            scheme: if url.scheme() == "http" {
                "http"
            } else {
                "https"
            },
            // The URL may hold a signed query.
            source: source.without_url(),
        })
    }

    /// Whether we go where a registry sends us: to itself, or outside and encrypted. Else whoever
    /// runs a registry could look around in our network with our eyes.
    pub(super) fn may_go(&self, to: &Url) -> Result<(), RegistryError> {
        let host = to.host_str().unwrap_or_default();
        let home = self.home.host_str().unwrap_or_default();
        let near = host == home || (is_loopback(home) && is_loopback(host));
        let why = match to.scheme() {
            "http" if self.home.scheme() == "http" && near => return Ok(()),
            "http" => "it is not encrypted",
            "https" if is_inside(host) && !is_inside(home) => "it is an address inside our network",
            "https" => return Ok(()),
            _ => "it is not HTTP",
        };
        Err(RegistryError::Elsewhere {
            registry: self.registry.clone(),
            to: format!("{}://{host}", to.scheme()),
            why,
        })
    }

    async fn answer(&self, ask: &Ask<'_>, response: Response) -> Result<Answer, RegistryError> {
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() || status == StatusCode::UNAUTHORIZED {
            let bytes = self.body(ask, response).await?;
            return Ok(Answer {
                status,
                headers,
                bytes,
            });
        }
        Err(self.refusal(ask, response).await)
    }

    /// Everything, if it is not too much; what the registry says of its size is not believed.
    async fn body(&self, ask: &Ask<'_>, mut response: Response) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|source| self.broken(source))?
        {
            if bytes.len() as u64 + chunk.len() as u64 > ask.bytes_max {
                return Err(RegistryError::TooLarge {
                    what: ask.what.clone(),
                    max: ask.bytes_max,
                    remedy: ask.remedy,
                });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn broken(&self, source: reqwest::Error) -> RegistryError {
        RegistryError::Broken {
            registry: self.registry.clone(),
            source: source.without_url(),
        }
    }

    /// The error for an answer that is no success.
    pub(super) async fn refusal(&self, ask: &Ask<'_>, mut response: Response) -> RegistryError {
        let status = response.status();
        let mut bytes = Vec::new();
        // What it says is a courtesy: whatever goes wrong with it, the status is told.
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > ERROR_BYTES_MAX {
                break;
            }
        }
        self.refused(&ask.what, status, &bytes)
    }

    /// The error for a status with what was said of it.
    pub(super) fn refused(&self, what: &str, status: StatusCode, body: &[u8]) -> RegistryError {
        let (registry, what, said) = (self.registry.clone(), what.to_owned(), said(body));
        match status.as_u16() {
            404 => RegistryError::Absent {
                registry,
                what,
                said,
            },
            401 | 403 => RegistryError::Denied {
                registry,
                what,
                said,
            },
            status => RegistryError::Status {
                registry,
                what,
                status,
                said,
            },
        }
    }
}

/// What a registry's error says, as an addition to a sentence: the messages of its JSON, or nothing.
fn said(body: &[u8]) -> String {
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) else {
        return String::new();
    };
    let errors = json.get("errors").and_then(serde_json::Value::as_array);
    let messages = errors.into_iter().flatten().filter_map(|error| {
        let message = error.get("message")?.as_str()?;
        (!message.is_empty()).then_some(message)
    });
    let text = messages.collect::<Vec<_>>().join("; ");
    let shown: String = text.chars().take(SAID_CHARS_MAX).collect();
    if shown.is_empty() {
        String::new()
    } else {
        format!(" (it says: {})", shown.escape_debug())
    }
}
