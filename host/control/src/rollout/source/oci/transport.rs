//! HTTP to one registry, within bounds: what is read, where it may lead, how often it is tried, and how
//! long it is left alone when it asks for that.
//!
//! Requests are made here and not by `oci-client`, which reads manifests and tokens without a cap, follows any
//! redirect and answers challenges in one place only. Credentials go to the registry and to the token service
//! that it names, nowhere else.

use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, StatusCode, Url};

use super::error::RegistryError;
use super::reference::{Reference, is_inside};
use super::{ATTEMPTS_MAX, REDIRECTS_MAX};
use wastegate::cryptography;
use wastegate::outbound::rest_asked_for;
use wastegate_core::types::Clock;
use wastegate_core::types::host::is_loopback;

/// The longest rest that is kept, whatever a registry asks for.
pub(super) const REST_MAX: Duration = Duration::from_secs(86_400);
/// Between two attempts; four times as long each time.
const BACKOFF: Duration = Duration::from_millis(100);
/// How long attempts may wait in all where no timeout is given.
const PATIENCE: Duration = Duration::from_secs(7);
/// How much of what a registry says of an error is repeated, characters.
const SAID_CHARS_MAX: usize = 200;
/// How much of an error's body is read.
const ERROR_BYTES_MAX: u64 = 8 * 1_024;

/// Connections to one registry, for one repository.
pub(super) struct Transport {
    client: Client,
    home: Url,
    registry: String,
    /// How long attempts may rest in all before the registry's wish is an error.
    patience: Duration,
    clock: Clock,
    /// What the registry took as our answer to its last challenge. A lock, since a session is shared by
    /// the requests of one pull; never held while anything waits.
    answered: Mutex<Option<HeaderValue>>,
}

/// What is asked for.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    /// In words, for messages.
    pub(super) what: String,
    pub(super) accept: &'static str,
    pub(super) authorization: Option<HeaderValue>,
    /// The media type of a body, and the body.
    pub(super) body: Option<(&'static str, Bytes)>,
    pub(super) bytes_max: u64,
    /// What to do if it has more, if anything can be done.
    pub(super) remedy: &'static str,
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
    /// Where it came from in the end.
    pub(super) url: Url,
}

impl Ask {
    /// A `GET` without credentials, whose answer is small.
    pub(super) fn get(url: Url, what: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url,
            what: what.into(),
            accept: "*/*",
            authorization: None,
            body: None,
            bytes_max: ERROR_BYTES_MAX,
            remedy: "",
        }
    }
}

impl Answer {
    /// Whether another attempt may have another answer within a moment.
    fn passes(&self) -> bool {
        matches!(self.status.as_u16(), 429 | 500 | 502..=504)
    }
}

/// Whether a registry is asked without encryption: on this machine, or where the operator says so.
pub(super) fn is_plain(reference: &Reference, plain_http: bool) -> bool {
    plain_http || is_loopback(&reference.host().to_ascii_lowercase())
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
            patience: PATIENCE,
            clock: Clock::system(),
            answered: Mutex::default(),
        })
    }

    /// The same for requests that may take so long: half of it may be spent on resting.
    pub(super) fn within(self, timeout: Duration) -> Self {
        let patience = timeout / 2;
        Self { patience, ..self }
    }

    /// What the registry took as our answer to its last challenge.
    pub(super) fn answered(&self) -> Option<HeaderValue> {
        self.answered.lock().clone()
    }

    /// The registry took this as our answer.
    pub(super) fn keep(&self, answer: Option<HeaderValue>) {
        *self.answered.lock() = answer;
    }

    /// Whether a URL is the registry's own.
    pub(super) fn is_home(&self, url: &Url) -> bool {
        url.origin() == self.home.origin()
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

    /// Asks, again if the trouble may pass or the registry asks for a rest that is short enough. Every
    /// status is an answer. There is no deadline here: the caller has one for the whole pull.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer, RegistryError> {
        let (mut pause, mut rested) = (BACKOFF, Duration::ZERO);
        for _ in 1..ATTEMPTS_MAX {
            let done = self.attempt(ask).await;
            let wait = match &done {
                Ok(answer) if answer.passes() => match self.rest(answer) {
                    Some(rest) if rested + rest > self.patience => return done,
                    Some(rest) => rest.max(pause),
                    None => pause,
                },
                Err(error) if error.passes() => pause,
                Ok(_) | Err(_) => return done,
            };
            tokio::time::sleep(wait).await;
            rested += wait;
            pause *= 4;
        }
        self.attempt(ask).await
    }

    /// How long an answer asks us to leave the registry alone.
    fn rest(&self, answer: &Answer) -> Option<Duration> {
        let asks = matches!(answer.status.as_u16(), 429 | 503);
        let now = self.clock.unix_ms(self.clock.now());
        asks.then(|| rest_asked_for(&answer.headers, now, REST_MAX))?
    }

    async fn attempt(&self, ask: &Ask) -> Result<Answer, RegistryError> {
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send(ask, &url).await?;
            if !leads_on(&ask.method, response.status()) {
                return self.answer(ask, response, url).await;
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

    async fn send(&self, ask: &Ask, url: &Url) -> Result<Response, RegistryError> {
        let request = self.client.request(ask.method.clone(), url.clone());
        let mut request = request.header(ACCEPT, ask.accept);
        if let Some((media_type, body)) = &ask.body {
            request = request.header(CONTENT_TYPE, *media_type).body(body.clone());
        }
        // To the host that it was meant for, not to the target of a redirect.
        if let Some(authorization) = &ask.authorization
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

    async fn answer(
        &self,
        ask: &Ask,
        response: Response,
        url: Url,
    ) -> Result<Answer, RegistryError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = if status.is_success() {
            self.body(ask, response).await?
        } else {
            words(response).await
        };
        Ok(Answer {
            status,
            headers,
            bytes,
            url,
        })
    }

    /// Everything, if it is not too much; what the registry says of its size is not believed.
    async fn body(&self, ask: &Ask, mut response: Response) -> Result<Vec<u8>, RegistryError> {
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

    /// The error for an answer that is no success, with what was said of it. `sent`: whether it knew
    /// who we are.
    pub(super) fn refused(&self, what: &str, answer: &Answer, sent: bool) -> RegistryError {
        let (registry, what) = (self.registry.clone(), what.to_owned());
        let explanation = explanation(&answer.bytes);
        let status = answer.status.as_u16();
        if let Some(after) = self.rest(answer) {
            return RegistryError::Resting {
                registry,
                what,
                status,
                after,
                explanation,
            };
        }
        match status {
            404 => RegistryError::Absent {
                registry,
                what,
                explanation,
            },
            401 | 403 => RegistryError::Denied {
                registry,
                what,
                remedy: if sent { CHECK } else { SET },
                explanation,
            },
            status => RegistryError::Status {
                registry,
                what,
                status,
                explanation,
            },
        }
    }
}

/// What to do where the registry did not hear who we are.
const SET: &str = "set `policy.registry.username` and `policy.registry.password`, or check them";
/// What to do where it did.
const CHECK: &str = "it heard who we are: check `policy.registry.username` and `policy.registry.password`, and what that user may do there";

/// Whether an answer sends us elsewhere. What changes something is not asked for again with another
/// method, as some of these statuses would have it.
fn leads_on(method: &Method, status: StatusCode) -> bool {
    match status.as_u16() {
        307 | 308 => true,
        301..=303 => method.is_safe(),
        _ => false,
    }
}

/// What comes with an answer that is no success, as far as it comes: a courtesy, so whatever goes wrong
/// with it is left out.
async fn words(mut response: Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > ERROR_BYTES_MAX {
            break;
        }
    }
    bytes
}

/// What a registry's error says, as an addition to a sentence: the messages of its JSON, or nothing.
pub(super) fn explanation(body: &[u8]) -> String {
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
