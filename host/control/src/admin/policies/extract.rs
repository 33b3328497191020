//! What a request says: who, which policy, which details; each refused in the API's own words.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::ACTOR_HEADER;
use super::refusal::Refusal;
use crate::admin::Admin;
use crate::admin::body;
use crate::admin::token::Caller;
use crate::rollout::Actor;
use crate::rollout::source::PolicyName;
use wastegate_core::types::RevisionId;

/// The largest JSON body, bytes.
const JSON_BYTES_MAX: u64 = 64 * 1_024;

/// What the name of a policy looks like, besides its length: as `manifest::is_name` has it.
pub(in crate::admin) const POLICY_NAME: &str = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$";

/// The operator that a request is from, for the audit log.
pub(in crate::admin) struct By(pub(in crate::admin) Actor);

impl FromRequestParts<Arc<Admin>> for By {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Admin>) -> Result<Self, Refusal> {
        let claimed = parts.headers.get(ACTOR_HEADER);
        let claimed = claimed.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let caller = parts.extensions.get::<Caller>();
        // A token's own name is worth more than what its bearer says.
        let token = caller.and_then(|caller| caller.name.as_deref());
        let named = match (token, claimed) {
            (Some(token), Some(claimed)) => Some(format!("{token} as {claimed}").into()),
            (Some(token), None) => Some(token.into()),
            (None, claimed) => claimed,
        };
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(peer)| *peer);
        Ok(Self(Actor::operator(named.as_deref(), peer)))
    }
}

/// The policy that a path names.
pub(in crate::admin) struct Named(pub(in crate::admin) PolicyName);

impl FromRequestParts<Arc<Admin>> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Refusal> {
        let InPath(name) = InPath::<String>::from_request_parts(parts, admin).await?;
        let name = PolicyName::new(&name).map_err(|error| Refusal::request(error.to_string()))?;
        Ok(Self(name))
    }
}

/// A revision by what a path says: `7` or `r7`.
pub(in crate::admin) fn revision(text: &str) -> Result<RevisionId, Refusal> {
    text.parse()
        .map_err(|error: wastegate_core::types::InvalidRevision| {
            Refusal::request(error.to_string())
        })
}

/// What stands in a path where its route has names.
pub(in crate::admin) struct InPath<T>(pub(in crate::admin) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Admin>> for InPath<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Refusal> {
        let Path(named) = Path::<T>::from_request_parts(parts, admin)
            .await
            .map_err(|error| Refusal::request(error.body_text()))?;
        Ok(Self(named))
    }
}

/// The details behind the question mark.
pub(in crate::admin) struct Asked<T>(pub(in crate::admin) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Admin>> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Refusal> {
        let Query(asked) = Query::<T>::from_request_parts(parts, admin)
            .await
            .map_err(|error| Refusal::request(error.body_text()))?;
        Ok(Self(asked))
    }
}

/// A JSON body. It has to say that it is one: a page of another origin cannot, without being asked
/// first.
pub(in crate::admin) struct Details<T>(pub(in crate::admin) T);

impl<T: DeserializeOwned> FromRequest<Arc<Admin>> for Details<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Arc<Admin>) -> Result<Self, Refusal> {
        if !is_json(request.headers()) {
            return Err(Refusal::media());
        }
        let (parts, body) = request.into_parts();
        let body = body_bytes(&parts.headers, body, JSON_BYTES_MAX, |max| {
            let message = format!("the body has more than {max} bytes: send less");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
        })
        .await?;
        let details = body::read(&body);
        let details = details.map_err(|why| Refusal::request(format!("the body {why}")))?;
        Ok(Self(details))
    }
}

/// The body, at most so many bytes; more is refused before it is read, or while it is.
pub(super) async fn body_bytes(
    headers: &HeaderMap,
    body: Body,
    max: u64,
    too_large: impl Fn(u64) -> Refusal,
) -> Result<Bytes, Refusal> {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > max) {
        return Err(too_large(max));
    }
    let limit = usize::try_from(max).unwrap_or(usize::MAX);
    let bytes = axum::body::to_bytes(body, limit).await;
    bytes.map_err(|error| {
        let source = std::error::Error::source(&error);
        // The one error that says so; any other is a client that went away.
        let is_length = source.is_some_and(|source| source.to_string().contains("length limit"));
        if is_length {
            too_large(max)
        } else {
            Refusal::request("the body ended early: send it again")
        }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}
