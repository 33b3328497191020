//! What extractors say of a request.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{Operation, Schemas};
use crate::admin::Admin;
use crate::admin::body;
use crate::admin::policies::extract::{Asked, By, Details, InPath, Named, POLICY_NAME};
use crate::admin::policies::{ACTOR_HEADER, SIGNATURE_HEADER};
use wastegate_engine::policy::manifest;

/// An argument of a handler, as the document has it.
pub(in crate::admin) trait OperationInput {
    /// Writes what it takes of a request, and how it refuses one.
    fn describe(operation: &mut Operation, schemas: &mut Schemas);
}

impl OperationInput for State<Arc<Admin>> {
    fn describe(_: &mut Operation, _: &mut Schemas) {}
}

impl OperationInput for HeaderMap {
    fn describe(_: &mut Operation, _: &mut Schemas) {}
}

/// The parameters of a path are known from the path; see [`path_parameter`].
impl<T> OperationInput for InPath<T> {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.refuses(&[StatusCode::BAD_REQUEST]);
    }
}

impl OperationInput for Named {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        InPath::<String>::describe(operation, schemas);
        let about = "The policy's name: lower case words joined by hyphens.";
        let schema = json!({
            "type": "string",
            "pattern": POLICY_NAME,
            "minLength": 1,
            "maxLength": manifest::NAME_BYTES_MAX,
            "examples": ["lru"],
        });
        operation.takes("path", "name", about, true, &schema);
    }
}

impl OperationInput for By {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let about = "What the audit log calls the operator, behind the name of the token if it has one. More than 128 bytes are cut off.";
        let schema = json!({ "type": "string", "examples": ["olga"] });
        operation.takes("header", ACTOR_HEADER, about, false, &schema);
    }
}

/// A policy's file.
impl OperationInput for Body {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let about = "The file: a component, or a core module that becomes one. At most `policy.size_bytes_max` bytes, or `policy.heavy.size_bytes_max` where that is more.";
        operation.body(about, &json!({ "application/wasm": {} }));
        let about = "The signature of the file: the base64 of its `.minisig` file.";
        let schema = json!({ "type": "string", "contentEncoding": "base64" });
        operation.takes("header", SIGNATURE_HEADER, about, false, &schema);
        operation.refuses(&[StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE]);
    }
}

impl<T: JsonSchema + DeserializeOwned> OperationInput for Details<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let schema = schemas.request::<T>();
        operation.body(
            "At most 65,536 bytes of JSON.",
            &json!({ "application/json": { "schema": schema } }),
        );
        operation.reads = Some(|example| body::read::<T>(example).map(drop));
        operation.refuses(&[
            StatusCode::BAD_REQUEST,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ]);
    }
}

impl<T: JsonSchema> OperationInput for Asked<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let schema = schemas.request_inline::<T>();
        let required = schema.get("required").and_then(Value::as_array);
        let required: Vec<&Value> = required.into_iter().flatten().collect();
        let fields = schema.get("properties").and_then(Value::as_object);
        for (name, schema) in fields.into_iter().flatten() {
            let is_required = required.iter().any(|it| *it == name);
            let mut schema = schema.as_object().cloned().unwrap_or_default();
            let about = schema.remove("description");
            let about = about.as_ref().and_then(Value::as_str).unwrap_or_default();
            let schema = without_null(schema);
            operation.takes("query", name, about, is_required, &schema);
        }
        operation.refuses(&[StatusCode::BAD_REQUEST]);
    }
}

/// Takes null, which no query can say, out of a schema.
fn without_null(mut schema: Map<String, Value>) -> Value {
    let is_null = |kind: &Value| kind == "null" || kind.get("type").is_some_and(|it| it == "null");
    let other = |kinds: Option<&Value>| {
        let mut kinds = kinds?.as_array()?.iter().filter(|kind| !is_null(kind));
        kinds.next().cloned()
    };
    if let Some(kind) = other(schema.get("type")) {
        schema.insert("type".to_owned(), kind);
    }
    // That nothing is given is said by `required`.
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    other(schema.get("anyOf")).unwrap_or(Value::Object(schema))
}

/// What a name in braces stands for: a sentence and a schema. One place for all routes; a test holds that each has one.
pub(super) fn path_parameter(name: &str) -> Option<(&'static str, Value)> {
    let known = match name {
        "user" => (
            "The user's name, 1 to 256 bytes without control characters.",
            json!({ "type": "string", "minLength": 1, "maxLength": 256, "examples": ["ann"] }),
        ),
        "key" => (
            "The manager's key, as `GET /v1/users/{user}` shows it.",
            json!({ "type": "string", "minLength": 1, "maxLength": 256, "examples": ["chat-1"] }),
        ),
        "jti" => (
            "The id of the token, its claim `jti`.",
            json!({ "type": "string", "minLength": 1, "maxLength": 1_024, "examples": ["4f1c"] }),
        ),
        "name" => (
            "The name that it was started with.",
            json!({ "type": "string", "pattern": "^[a-z0-9-]+$", "minLength": 1, "maxLength": 64, "examples": ["lru"] }),
        ),
        "revision" => (
            "The revision's number, from 1, as `7` or `r7`.",
            json!({ "type": "string", "pattern": "^r?[1-9][0-9]{0,17}$", "examples": ["r1"] }),
        ),
        "number" => (
            "The fault's number; 1 is the newest.",
            json!({ "type": "integer", "minimum": 1, "maximum": 8, "examples": [1] }),
        ),
        "id" => (
            "The decision's number.",
            json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX, "examples": [1] }),
        ),
        "file" => (
            "The file's path.",
            json!({ "type": "string", "minLength": 1, "examples": ["app.js"] }),
        ),
        _ => return None,
    };
    Some(known)
}
