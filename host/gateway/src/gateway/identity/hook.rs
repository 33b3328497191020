//! A service that the gateway asks over HTTP which user a client is.
//!
//! It gets the request's credentials and address, and answers 200 with JSON, or 401 or 403. Whatever
//! else happens, nobody is let in: a service that cannot be asked is no reason to believe anybody.
//! A yes is remembered for a while; a no never is.

use std::fmt;
use std::time::Duration;

use axum::http::header::{
    AUTHORIZATION, COOKIE, HeaderName, ORIGIN, SEC_WEBSOCKET_PROTOCOL, USER_AGENT,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::claims::{self, Reader};
use super::token::Taken;
use super::{Identified, Identify, Identity, Naming, Unidentified};
use crate::gateway::peer;
use crate::observe::Throttle;
use crate::outbound;
use wastegate_core::types::{Clock, Timestamp};

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;
/// What is always handed on of the request.
const HANDED_ON: [HeaderName; 5] = [
    AUTHORIZATION,
    COOKIE,
    ORIGIN,
    USER_AGENT,
    SEC_WEBSOCKET_PROTOCOL,
];

/// How the operator's identity service is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it is. It gets a GET.
    pub url: Option<String>,
    /// How long it has to answer. 2 s.
    pub timeout: Duration,
    /// How long a yes is remembered; zero to ask every time. 10 s.
    pub cache: Duration,
    /// Answers that are remembered at once. 10,000.
    pub cache_entries_max: usize,
    /// Headers that it gets besides `Authorization`, `Cookie`, `Origin`, `User-Agent` and
    /// `Sec-WebSocket-Protocol`. None.
    pub headers: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            timeout: Duration::from_secs(2),
            cache: Duration::from_secs(10),
            cache_entries_max: 10_000,
            headers: Vec::new(),
        }
    }
}

type Digested = [u8; 32];

/// Identifies by asking.
pub struct Hook {
    config: super::Config,
    naming: Naming,
    headers: Vec<HeaderName>,
    /// What the fields of an answer are called.
    fields: claims::Config,
    client: reqwest::Client,
    /// What was answered to what, and when.
    answers: Cache<Digested, (Timestamp, Map<String, Value>)>,
    clock: Clock,
    /// Any client causes lines about a service that is away.
    reports: Throttle<Trouble>,
}

/// What is told of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Trouble {
    /// It gives no answer.
    Silent,
    /// It gives one that makes no sense.
    Unusable,
}

impl Hook {
    /// With a client of its own.
    ///
    /// # Errors
    /// When that cannot be made.
    pub fn new(
        config: &super::Config,
        naming: Naming,
        clock: Clock,
    ) -> Result<Self, reqwest::Error> {
        let client = outbound::client(
            config.hook.url.as_deref().unwrap_or_default(),
            config.hook.timeout,
        )?;
        let named = config.hook.headers.iter();
        let named = named.filter_map(|name| name.parse().ok());
        Ok(Self {
            headers: HANDED_ON.into_iter().chain(named).collect(),
            fields: claims::Config {
                user: "user".to_owned(),
                key: "key".to_owned(),
                device: "device".to_owned(),
                ..claims::Config::default()
            },
            answers: Cache::new(config.hook.cache_entries_max),
            config: config.clone(),
            naming,
            client,
            clock,
            reports: Throttle::every_second(),
        })
    }

    /// An answer of the service makes no sense, so it is no yes.
    fn unusable(&self, error: &dyn fmt::Display) -> Unidentified {
        if let Some(left_out) = self.reports.pass(self.clock.now(), Trouble::Unusable) {
            tracing::error!(%error, left_out, "the authorisation hook's answer cannot be used");
        }
        Unidentified::Unavailable
    }

    async fn who(&self, parts: &mut Parts) -> Result<Identity, Unidentified> {
        let asked = self.question(parts);
        let digest = digest(&asked);
        let now = self.clock.now();
        let known = self.answers.get(&digest);
        let known = known.filter(|(at, _)| now.since(*at) < self.config.hook.cache);
        let answer = match known {
            Some((_, answer)) => answer,
            None => {
                let answer = self.ask(asked).await?;
                if !self.config.hook.cache.is_zero() {
                    self.answers.insert(digest, (now, answer.clone()));
                }
                answer
            }
        };
        // An answer that is remembered may have expired since.
        let expires = expiry(&answer).map_err(|error| self.unusable(&error))?;
        if expires.is_some_and(|expires| expires <= self.clock.unix_ms(self.clock.now())) {
            return Err(Unidentified::Rejected(
                "what proves who you are has expired; sign in again".to_owned(),
            ));
        }
        let token = self.config.token.take(parts);
        // Which of the two the service went by is its secret: a foreign page can make up a token, and
        // have the browser send the cookie that counts.
        let cookies = parts.headers.contains_key(COOKIE);
        let reader = Reader {
            config: &self.fields,
            protected_classes: &self.config.protected_classes,
        };
        let named = self.naming.read(parts, Some(&answer))?;
        let identity = reader.read(&answer, named);
        let identity = identity.map_err(|error| self.unusable(&error))?;
        Ok(Identity {
            expires_unix_ms: expires,
            by_token: !cookies
                && matches!(token, Taken::Token(_, source) if !source.is_sent_unasked()),
            ..identity
        })
    }

    /// What of the request the service is told.
    fn question(&self, parts: &Parts) -> HeaderMap {
        let mut asked = HeaderMap::new();
        for name in &self.headers {
            for value in parts.headers.get_all(name) {
                asked.append(name.clone(), value.clone());
            }
        }
        let target = HeaderValue::from_str(&parts.uri.to_string());
        if let Ok(target) = target {
            asked.insert("x-original-uri", target);
        }
        let client = peer::client(parts).map(|address| address.to_string());
        if let Some(Ok(client)) = client.map(HeaderValue::try_from) {
            asked.insert("x-forwarded-for", client);
        }
        asked
    }

    async fn ask(&self, headers: HeaderMap) -> Result<Map<String, Value>, Unidentified> {
        let url = self.config.hook.url.as_deref().unwrap_or_default();
        let unavailable = |why: String| {
            if let Some(left_out) = self.reports.pass(self.clock.now(), Trouble::Silent) {
                tracing::warn!(
                    why,
                    left_out,
                    "the authorisation hook gave no answer; a client is refused"
                );
            }
            Unidentified::Unavailable
        };
        let response = self.client.get(url).headers(headers).send().await;
        let response = response.map_err(|error| {
            let error = error.without_url();
            let cause = std::error::Error::source(&error);
            unavailable(cause.map_or_else(|| error.to_string(), ToString::to_string))
        })?;
        match response.status().as_u16() {
            200 => {}
            401 => return Err(Unidentified::Rejected("not authorised".to_owned())),
            403 => return Err(Unidentified::Forbidden("not allowed".to_owned())),
            status => return Err(unavailable(format!("it answered {status}"))),
        }
        let bytes = match outbound::body(response, ANSWER_BYTES_MAX).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(unavailable(format!("more than {ANSWER_BYTES_MAX} bytes"))),
            Err(error) => return Err(unavailable(error.to_string())),
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| unavailable(format!("no JSON object: {error}")))
    }
}

/// Until when an answer holds, milliseconds since the Unix epoch. One that says it in no way that can be
/// read is no yes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest whole number that fits"
)]
fn expiry(answer: &Map<String, Value>) -> Result<Option<u64>, &'static str> {
    match answer.get("expires_unix_s") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(seconds)) => {
            let seconds = seconds.as_f64().unwrap_or_default();
            Ok(Some((seconds * 1_000.0) as u64))
        }
        Some(_) => Err("`expires_unix_s` is no number"),
    }
}

/// One number for everything that the answer may depend on.
fn digest(asked: &HeaderMap) -> Digested {
    let mut digest = Sha256::new();
    for (name, value) in asked {
        for part in [name.as_str().as_bytes(), value.as_bytes()] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    }
    digest.finalize().into()
}

impl Identify for Hook {
    fn identify<'a>(&'a self, parts: &'a mut Parts) -> Identified<'a> {
        Box::pin(self.who(parts))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
