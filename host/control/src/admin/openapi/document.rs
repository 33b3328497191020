//! The document out of the table of routes.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::input::path_parameter;
use super::{Operation, Page, Schemas};
use crate::admin::hosts;
use crate::admin::policies::refusal::RefusalDto;
use crate::admin::routes::Route;
use crate::admin::session;
use crate::admin::token::{self, PROBES};

/// The version of OpenAPI that it follows.
const OPENAPI: &str = "3.1.0";

/// What the whole is, for people.
const ABOUT: &str = "What an operator of wastegate sees and does, over one listener (`admin.listen`).\n\n\
    Units: a key that ends in `_ms` is in milliseconds, in `_us` in microseconds, in `_s` in seconds, in `_bytes` in bytes; `unix_ms` is milliseconds since the Unix epoch. A number that is not known is null.\n\n\
    Refusals are problem details (RFC 9457) of the media type `application/problem+json`, with a word for programs in `error`. A path that there is not is answered 404, and a method that a path does not take 405 with the header `allow`. A request for a foreign host, or from a page of a foreign origin, is answered 403 before its credentials are looked at.\n\n\
    Keys may be added to answers; a client ignores those that it does not know. A key that a request does not have is refused.";

/// Writes it.
pub(in crate::admin) fn document(routes: &[Route]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    // No operation has it, for it is the answer to a method that is none.
    let mut refused = BTreeSet::from([StatusCode::METHOD_NOT_ALLOWED.as_u16()]);
    for route in routes {
        let item = paths
            .entry(route.template())
            .or_insert_with(|| json!({}))
            .as_object_mut();
        if let Some(item) = item {
            let operation = written(route, &mut schemas, &mut refused);
            item.insert(route.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    let problem = schemas.answer::<RefusalDto>();
    let tags = Page::ALL.map(|page| json!({ "name": page.name(), "description": page.about() }));
    let mut document = json!({
        "openapi": OPENAPI,
        "info": {
            "title": "wastegate operators' API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The operators' listener." }],
        "security": [{ "bearer": [] }, { "session": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": security_schemes(),
            "responses": refusals(&refused, &problem),
        },
    });
    let written = schemas.into_components(&mut document);
    if let Some(components) = document.get_mut("components") {
        put(components, "schemas", written.into());
    }
    document
}

/// Gives an object a key.
fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

/// One operation as the document has it.
fn written(route: &Route, schemas: &mut Schemas, refused: &mut BTreeSet<u16>) -> Value {
    let mut operation = described(route, schemas);
    for name in route.names() {
        if !operation.has("path", name)
            && let Some((about, schema)) = path_parameter(name)
        {
            operation.takes("path", name, about, true, &schema);
        }
    }
    let is_public = token::is_always_public(route.path);
    let is_probe = PROBES.contains(&route.path);
    if !is_public {
        operation.refuses(&[StatusCode::UNAUTHORIZED]);
    }
    if !(route.method == Method::GET && hosts::ANY_HOST.contains(&route.path)) {
        operation.refuses(&[StatusCode::FORBIDDEN]);
    }
    if !is_probe {
        operation.refuses(&[StatusCode::SERVICE_UNAVAILABLE]);
    }
    let needs = if is_public {
        "Needs no token.".to_owned()
    } else {
        // A name in braces could be any; the one that matters is a number.
        let role = token::needed(&route.method, &route.path.replace("{id}", "1"));
        format!("Needs the role `{role}`.")
    };
    let mut answers: Map<String, Value> = operation
        .answers
        .iter()
        .map(|(status, answer)| (status.to_string(), answer.clone()))
        .collect();
    refused.extend(&operation.refusals);
    for status in &operation.refusals {
        let name = StatusCode::from_u16(*status).map(response_name);
        if let Ok(name) = name {
            let answer = json!({ "$ref": format!("#/components/responses/{name}") });
            answers.entry(status.to_string()).or_insert(answer);
        }
    }
    let mut written = json!({
        "operationId": route.id(),
        "tags": [route.page.name()],
        "summary": route.about,
        "description": needs,
        "responses": answers,
    });
    if !operation.parameters.is_empty() {
        put(&mut written, "parameters", operation.parameters.into());
    }
    if let Some(body) = operation.body {
        put(&mut written, "requestBody", body);
    }
    if is_public {
        put(&mut written, "security", json!([]));
    }
    written
}

/// What the handler of a route, and the route itself, say.
pub(super) fn described(route: &Route, schemas: &mut Schemas) -> Operation {
    let mut operation = Operation::default();
    (route.describe)(&mut operation, schemas);
    operation.refuses(&route.refuses);
    operation
}

fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of an operator: the value of `admin.token`, or one of `admin.tokens_file`.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": session::NAME,
            "description": "The cookie of `POST /v1/session`. Where the request names a port, `_` and the port follow its name.",
        },
    })
}

/// One answer for each status of a refusal.
fn refusals(refused: &BTreeSet<u16>, problem: &Value) -> Value {
    let mut answers = Map::new();
    let statuses = refused.iter().map(|status| StatusCode::from_u16(*status));
    for status in statuses.filter_map(Result::ok) {
        let content = json!({ "application/problem+json": { "schema": problem } });
        let mut answer = json!({ "description": sentence(status), "content": content });
        if let Some((name, about, kind)) = header(status) {
            let header = json!({ "description": about, "schema": { "type": kind } });
            put(&mut answer, "headers", json!({ name: header }));
        }
        answers.insert(response_name(status), answer);
    }
    answers.into()
}

/// `422` is `UnprocessableEntity`.
fn response_name(status: StatusCode) -> String {
    let words = status.canonical_reason().unwrap_or("Refused");
    words.split(' ').collect()
}

/// A header that goes with a refusal.
fn header(status: StatusCode) -> Option<(&'static str, &'static str, &'static str)> {
    match status {
        StatusCode::UNAUTHORIZED => Some(("www-authenticate", "How to authenticate.", "string")),
        StatusCode::METHOD_NOT_ALLOWED => Some(("allow", "The methods that it takes.", "string")),
        StatusCode::SERVICE_UNAVAILABLE => Some((
            "retry-after",
            "When to try again, in seconds from now.",
            "integer",
        )),
        _ => None,
    }
}

fn sentence(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => {
            "It is not of the form that this document has; the message names the key."
        }
        StatusCode::UNAUTHORIZED => "It has no token, or not the right one.",
        StatusCode::FORBIDDEN => {
            "The token may only read, or the request is for a foreign host or from a foreign origin."
        }
        StatusCode::NOT_FOUND => "There is no such thing, or no such route.",
        StatusCode::METHOD_NOT_ALLOWED => "The path takes other methods.",
        StatusCode::CONFLICT => "It cannot be done as things are.",
        StatusCode::GONE => "It is not kept any more.",
        StatusCode::PAYLOAD_TOO_LARGE => "The body has more bytes than it may have.",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "The body does not say that it is JSON.",
        StatusCode::UNPROCESSABLE_ENTITY => {
            "It is of the right form, and what it says cannot be used; the message says why."
        }
        StatusCode::BAD_GATEWAY => "A registry did not give what was asked for.",
        StatusCode::INSUFFICIENT_STORAGE => "The disk does not take it.",
        _ => "Not now: too much is under way, or the server stops. Try again.",
    }
}
