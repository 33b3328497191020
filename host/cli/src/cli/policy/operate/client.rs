//! A client of the operators' API.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, Url, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::super::exit::{EX_UNAVAILABLE, EX_USAGE};
use super::super::super::failure::Failure;
use super::lenient;
use wastegate::cryptography;
use wastegate_control::admin::policies::views::RefusalDto;
use wastegate_control::admin::policies::{ACTOR_HEADER, SIGNATURE_HEADER};
use wastegate_core::types::{Secret, chain, visible};
use wastegate_lab::workbench::text::hanging;

/// How long an answer is waited for: a large policy takes a compiler most of a minute.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a connection is waited for.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a stream may last; then it is begun again.
const STREAM: Duration = Duration::from_secs(3_600);
/// The largest answer that is taken, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The server does not answer, or not as a server of this kind does.
fn unreachable(sentence: String) -> Failure {
    Failure::new(sentence).code(EX_UNAVAILABLE)
}

/// The server refused, in its words; or what was asked for makes no sense. Names of a stranger's file may be
/// in it: no line of theirs begins where ours do.
pub(in crate::cli) fn refused(sentence: &str) -> Failure {
    Failure::new(hanging(sentence, 2))
}

/// Asks one server.
pub(in crate::cli) struct Client {
    http: reqwest::Client,
    base: Url,
    actor: Option<String>,
    token: Option<Secret>,
}

/// What is sent with a request.
pub(in crate::cli) enum Body {
    None,
    Json(Value),
    /// A policy's bytes, and the base64 of their signature.
    File(Vec<u8>, Option<String>),
}

impl Client {
    pub(in crate::cli) fn new(
        url: &str,
        actor: Option<String>,
        token: Option<Secret>,
    ) -> Result<Self, Failure> {
        let unusable = |why: String| {
            refused(&format!(
                "`{url}` is no address of an operators' API ({why}): give one such as http://127.0.0.1:9090"
            ))
        };
        let base = Url::parse(url).map_err(|error| unusable(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(unusable("neither http nor https".to_owned()));
        }
        cryptography::provide();
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            // A server of our own is asked directly, whatever the shell says.
            .no_proxy()
            .build()
            .map_err(|error| unusable(chain(&error)))?;
        Ok(Self {
            http,
            base,
            actor,
            token,
        })
    }

    /// Asks, and reads the answer as what it should be; beside it the answer as it came. No text of the
    /// first has a line end: what policies and operators wrote makes no lines of its own in a table.
    pub(in crate::cli) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Body,
    ) -> Result<(T, String), Failure> {
        let bytes = self.raw(method, path, query, body).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let value = serde_json::from_str(&text).and_then(|mut value| {
            in_one_line(&mut value);
            lenient::read(value)
        });
        let value = value.map_err(|error| {
            unreachable(format!(
                "{} answers, and not as this version of wastegate does ({error}): use the program of the server's version",
                self.base
            ))
        })?;
        Ok((value, text))
    }

    /// Asks for what is there.
    pub(in crate::cli) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<(T, String), Failure> {
        self.ask(Method::GET, path, &[], Body::None).await
    }

    /// Which server it asks.
    pub(in crate::cli) fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// An answer that does not end by itself: server-sent events, behind the last one that was had.
    pub(in crate::cli) async fn stream(
        &self,
        path: &str,
        query: &[(&str, String)],
        last: Option<&str>,
    ) -> Result<Response, Failure> {
        let mut request = self.request(Method::GET, path, query)?;
        request = request.timeout(STREAM);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.send().await.map_err(|error| self.away(&error))?;
        match answer.status().is_success() {
            true => Ok(answer),
            false => Err(self
                .read(answer)
                .await
                .err()
                .unwrap_or_else(|| refused("no stream"))),
        }
    }

    /// The bytes of an answer that is no refusal.
    pub(in crate::cli) async fn raw(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Body,
    ) -> Result<Vec<u8>, Failure> {
        let mut request = self.request(method, path, query)?;
        request = match body {
            Body::None => request,
            Body::Json(value) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(value.to_string()),
            Body::File(bytes, signature) => {
                let request = request.header(header::CONTENT_TYPE, "application/wasm");
                match signature {
                    Some(signature) => request.header(SIGNATURE_HEADER, signature),
                    None => request,
                }
                .body(bytes)
            }
        };
        self.read(request.send().await.map_err(|error| self.away(&error))?)
            .await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<RequestBuilder, Failure> {
        let mut url = self.base.clone();
        url.set_path(path);
        if url.path() != path {
            // A URL parser takes `.` and `..` for steps in the path, encoded or not.
            let sentence = "`.` and `..` can be no names here: no URL can hold them";
            return Err(refused(sentence).code(EX_USAGE));
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        if let Some(actor) = &self.actor {
            request = request.header(ACTOR_HEADER, printable(actor));
        }
        Ok(request)
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        unreachable(format!(
            "cannot reach the operators' API at {} ({}): is the server running, and is this its `admin.listen`?",
            self.base,
            chain(error)
        ))
    }

    /// The bytes of an answer, or the sentence of a refusal.
    async fn read(&self, mut answer: Response) -> Result<Vec<u8>, Failure> {
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.away(&error))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(unreachable(format!(
                    "the answer of {} has more than {ANSWER_BYTES_MAX} bytes",
                    self.base
                )));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(bytes);
        }
        let refusal = serde_json::from_slice(&bytes).and_then(lenient::read::<RefusalDto>);
        Err(refused(&refusal.map_or_else(
            |_| format!("the server at {} answers {status}", self.base),
            |refusal| refusal.message,
        )))
    }
}

/// Shows what is in the texts of an answer.
fn in_one_line(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(shown) = visible::line(text) {
                *text = shown;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(in_one_line),
        Value::Object(fields) => fields.values_mut().for_each(in_one_line),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A header can carry no line ends, and is read as UTF-8 at the other end.
fn printable(text: &str) -> Vec<u8> {
    let safe = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    safe.collect::<String>().into_bytes()
}

/// A name as one segment of a path.
pub(in crate::cli) fn segment(name: &str) -> String {
    let mut segment = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            segment.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}
